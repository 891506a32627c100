"""How every command prints: JSON for programs, text for people, refusals in one shape."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from orchestrator.application.errors import DesksideError, Problem
from orchestrator.domain.source import NOWHERE

if TYPE_CHECKING:
    from rich.console import Console

CHANGES_NOTHING = frozenset({11, 12, 13, 18})
"""Classes of refusal that come before any work: their last line promises that nothing was changed."""


def plain(value: Any) -> Any:
    """What ``json.dumps`` cannot write by itself: dates as ISO 8601, spans as seconds, sets sorted, values by their fields.

    Args:
        value: Anything a use case returns.

    Raises:
        TypeError: There is no honest JSON form; better a loud error than ``<object at 0x…>``.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field: getattr(value, field) for field in value.__dataclass_fields__}
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    raise TypeError(f"no JSON form for {type(value).__name__}")


def print_json(value: Any) -> None:
    """Print one JSON document, keys in the order they were given, UTF-8 as it is."""
    json.dump(value, sys.stdout, default=plain, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def console(*, stderr: bool = False) -> Console:
    """A rich console for tables and progress; imported here because a short answer does not need it."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def columns(rows: Sequence[Sequence[object]], *, indent: str = " ", gap: str = "  ") -> list[str]:
    """Lines with aligned columns, without trailing spaces; the quiet form of a table.

    Args:
        rows: Cells; shorter rows are fine.
        indent: What each line starts with.
        gap: What stands between two columns.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max((len(row[i]) for row in cells if i < len(row)), default=0) for i in range(max(map(len, cells), default=0))]
    return [(indent + gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))).rstrip() for row in cells]


def print_refusal(error: DesksideError, *, as_json: bool) -> None:
    """Say on stderr what is wrong and what to do; with ``as_json`` one object on stdout.

    Args:
        error: What was refused.
        as_json: The caller asked for JSON.
    """
    if as_json:
        print_json({"error": _document(error)})
        return
    lines = [*_problem_lines(error.problems), f"{_closing(error)}   (exit {error.exit_code}: {error.summary})"]
    print("\n".join(lines), file=sys.stderr)


def _closing(error: DesksideError) -> str:
    if not error.problems or error.exit_code not in CHANGES_NOTHING:
        return error.message
    count = len(error.problems)
    return f"{count} error{'' if count == 1 else 's'}; nothing was changed."


def _problem_lines(problems: Sequence[Problem]) -> list[str]:
    by_file: dict[str, list[Problem]] = {}
    for problem in problems:
        by_file.setdefault(problem.source.file, []).append(problem)
    lines: list[str] = []
    for file, found in by_file.items():
        lines.append("" if file == NOWHERE.file else file)
        lines.extend(columns([(_place(p), p.thing, p.message) for p in found], indent="  ", gap="   "))
    return [line for line in lines if line]


def _place(problem: Problem) -> str:
    source = problem.source
    if not source.line:
        return "-"
    return f"{source.line}:{source.column}" if source.column else str(source.line)


def _document(error: DesksideError) -> dict[str, Any]:
    return {
        "code": error.exit_code,
        "summary": error.summary,
        "message": error.message,
        "problems": [{**asdict(p.source), "thing": p.thing, "message": p.message} for p in error.problems],
    }
