"""What `make test` runs: the suites of budget.toml and the programs of each."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".cache" / "test"


@dataclass(frozen=True, slots=True)
class Suite:
    """One row of budget.toml."""

    name: str
    minutes: float
    tests: tuple[str, ...] = ()
    lab: bool = False
    workers: int = 0
    later: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One program to run. With ``junit`` it counts its own tests; without, it is one test that passes with exit code 0."""

    name: str
    argv: tuple[str, ...]
    junit: Path | None = None
    nothing_is_fine: bool = False


def read_budget(*, full: bool, path: Path = ROOT / "tests" / "budget.toml") -> tuple[list[Suite], float, float]:
    """The suites, the minutes of the whole, and how many budgets a suite may take before it is killed."""
    raw = tomllib.loads(path.read_text(encoding="utf8"))
    suites = [
        Suite(
            name=name,
            minutes=row["full" if full else "minutes"],
            tests=tuple(row.get("tests", ())),
            lab=row.get("lab", False),
            workers=row.get("workers", 0),
            later=row.get("later", ""),
        )
        for name, row in raw["suites"].items()
    ]
    return suites, raw["total_full" if full else "total"], raw["kill"]


def steps_of(suite: Suite, *, full: bool, lab: bool) -> list[Step]:
    """The programs of one suite; none means that there is nothing to run."""
    if suite.name == "molecule":
        return molecule_steps(full=full)
    folders = [folder for folder in suite.tests if any((ROOT / folder).rglob("test_*.py"))]
    if not folders:
        return []
    junit = WORK / f"{suite.name}.xml"
    argv = [sys.executable, "-m", "pytest", "-v", "--tb=short", f"--junit-xml={junit}", "-o", "junit_family=xunit1", *folders]
    argv += ["-n", str(suite.workers)] if suite.workers else ["-p", "no:xdist"]
    argv += [] if lab else ["-m", "not lab"]
    return [Step(suite.name, tuple(argv), junit=junit, nothing_is_fine=not lab)]


def molecule_steps(*, full: bool) -> list[Step]:
    """Each role's default scenario; its second one where the role was changed, or with ``full``, which also drops each task in turn."""
    scenarios = sorted(path.parent.name for path in (ROOT / "tests" / "molecule").glob("*/molecule.yml"))
    roles = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir()) if (ROOT / "roles").is_dir() else []
    touched = changed_files()
    chosen = [name for name in scenarios if name in roles or full or _is_touched(name, roles, touched)]
    steps = [Step(f"molecule {name}", ("make", "-s", "molecule", f"ROLE={name}")) for name in chosen]
    return [*steps, Step("mutate roles", ("make", "-s", "mutate-roles"))] if full else steps


def _is_touched(scenario: str, roles: Sequence[str], touched: Sequence[str] | None) -> bool:
    if touched is None:
        return True
    role = max((name for name in roles if scenario.startswith(f"{name}_")), key=len, default=scenario)
    return any(path.startswith((f"roles/{role}/", f"tests/molecule/{role}", "plugins/", "roles/common/")) for path in touched)


def changed_files() -> list[str] | None:
    """Files changed since the branch left main (on main: since the commit before); ``None`` when git cannot tell."""
    head = _git("rev-parse", "HEAD")
    base = next(
        (found for name in ("origin/main", "main") if (found := _git("merge-base", name, "HEAD")) and found != head),
        _git("rev-parse", "HEAD~1"),
    )
    listed = _git("diff", "--name-only", base) if base else None
    return None if listed is None else listed.splitlines()


def _git(*words: str) -> str | None:
    ended = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.stdout.strip() if ended.returncode == 0 else None
