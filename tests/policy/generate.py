"""Writes the generated pages and tables (`make docs`); policy tests compare them with what is committed.

A generated part of a page written by hand stands between `<!-- begin NAME -->` and `<!-- end NAME -->`. The other `generate_*.py` beside this file
write pages of their own; `make docs` runs them all.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import typer
import typer.core
import yaml

from orchestrator.application import errors
from orchestrator.entrypoints.cli import root
from orchestrator.entrypoints.cli._lazy import load
from orchestrator.entrypoints.cli._options import SHARED
from orchestrator.entrypoints.cli._table import COMMANDS
from tests.policy.tree import ROOT

WIDTH = 160


def pages() -> dict[str, str]:
    """Path to text of everything that is generated; pages that do not exist yet are left out where only a part is generated."""
    found = {"docs/reference/cli.md": cli_reference(), "docs/reference/exit-codes.md": exit_code_page()}
    parts = {"README.md": {"exit codes": exit_code_table()}}
    for name, tables in parts.items():
        if (ROOT / name).exists():
            found[name] = put((ROOT / name).read_text(encoding="utf8"), tables, name)
    return found


def put(page: str, tables: Mapping[str, str], name: str) -> str:
    """Put each table between its marks.

    Raises:
        ValueError: A mark is missing.
    """
    for title, table in tables.items():
        between = re.compile(rf"(<!-- begin {title} -->\n).*?(<!-- end {title} -->)", re.DOTALL)
        if not between.search(page):
            raise ValueError(f"{name} lacks the marks <!-- begin {title} --> and <!-- end {title} -->")
        page = between.sub(lambda found, table=table: f"{found[1]}{table}{found[2]}", page)
    return page


# -- exit codes ------------------------------------------------------------------------------------------------------


def error_classes() -> list[type[errors.DesksideError]]:
    """Every class of refusal, by exit code."""
    found = [thing for _, thing in inspect.getmembers(errors, inspect.isclass) if issubclass(thing, errors.DesksideError)]
    return sorted(found, key=lambda thing: thing.exit_code)


def exit_code_table() -> str:
    """The table of README and reference."""
    rows = ["| code | called | meaning |", "| --- | --- | --- |", "| 0 | | it is done, or there was nothing to do |"]
    rows.append("| 1-9 | | Ansible's own code, where a playbook was run |")
    rows += [
        f"| {error.exit_code} | {error.summary} | {(inspect.getdoc(error) or '').splitlines()[0]} |" for error in error_classes()
    ]
    rows.append("| 130 | | interrupted from the keyboard |")
    rows.append("| 141 | | nobody reads the output any more |")
    return "\n".join(rows) + "\n"


def exit_code_page() -> str:
    """docs/reference/exit-codes.md."""
    return f"""# Exit codes

Generated from `orchestrator/application/errors.py` by `make docs`.

{exit_code_table()}
With `--json` a refusal is one object on standard output instead of text on standard error:

```json
{{"error": {{"code": 11, "summary": "bad configuration", "message": "…", "problems": [{{"file": "maintenance.yml", "line": 12, "column": 13, "thing": "…", "message": "…"}}]}}}}
```

An unexpected error shows its traceback with `DESKSIDE_DEBUG=1`.
"""


# -- command line ----------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, Any, Any]]:
    """Path, command and context of every command that is there, groups before their own."""
    group = root()
    top = typer.Context(group, info_name="deskside", terminal_width=WIDTH, max_content_width=WIDTH)
    yield "deskside", group, top
    for name in group.list_commands(top):
        yield from _walk(f"deskside {name}", load(name), top, COMMANDS[name].help)


def _walk(path: str, command: Any, parent: Any, line: str) -> Iterator[tuple[str, Any, Any]]:
    command.help = command.help or line
    ctx = typer.Context(command, info_name=path.rpartition(" ")[2], parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)
    yield path, command, ctx
    if isinstance(command, typer.core.TyperGroup):
        for name, child in command.commands.items():
            yield from _walk(f"{path} {name}", child, ctx, "")


def parameters(command: Any, ctx: Any) -> list[tuple[str, str]]:
    """Names and help of what a command takes, without the options that every command has."""
    shared = {f"--{name}" for name in SHARED} if ctx.parent is not None else set()
    own = [param for param in command.params if not getattr(param, "hidden", False) and not shared & set(param.opts)]
    return [record for param in own if (record := param.get_help_record(ctx))]


def cli_reference() -> str:
    """docs/reference/cli.md."""
    parts = [
        "# Commands\n\nGenerated from the commands themselves by `make docs`. Every command also takes `--office DIR`, `--state DIR` and `--json`.\n"
    ]
    for path, command, ctx in commands():
        parts.append(f"\n## {path}\n\n```\n{' '.join(command.get_usage(ctx).removeprefix('Usage: ').split())}\n```\n")
        parts.append(f"\n{inspect.cleandoc(command.help or '').strip()}\n")
        rows = [f"| `{names}` | {_cell(text)} |" for names, text in parameters(command, ctx)]
        if rows:
            parts.append("\n| | |\n| --- | --- |\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# -- roles -----------------------------------------------------------------------------------------------------------


def specs(role: str) -> dict[str, Any]:
    """The argument specs of a role, by entry point."""
    path = ROOT / "roles" / role / "meta" / "argument_specs.yml"
    return (yaml.safe_load(path.read_text(encoding="utf8")) or {}).get("argument_specs", {}) if path.exists() else {}


def main() -> None:
    """Write what differs."""
    for name, page in pages().items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf8") != page:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page, encoding="utf8")
            print(f"written: {name}")


if __name__ == "__main__":
    main()
