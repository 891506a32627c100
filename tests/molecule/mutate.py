"""Drops each task of each role in turn, in a copy, and runs the role's scenarios: something has to turn red.

    python tests/molecule/mutate.py [ROLE…]

A task whose loss nobody notices is a survivor. It is listed, and only a reason in tests/molecule/<role>/survivors.yml
(``- {task: "apply.yml: Ensure …", reason: …}``) makes that all right. One platform, the lab's instances are reused.
"""

from __future__ import annotations

import copy
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from deskside_lab.errors import LabError
from deskside_lab.lab import Lab
from deskside_lab.try_role import scenarios, started, try_scenario

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = "debian12"
BLOCKS = ("block", "rescue", "always")


@dataclass(frozen=True)
class Mutant:
    """A role without one task."""

    file: Path
    place: tuple[Any, ...]
    name: str


def mutants(role: Path) -> Iterator[Mutant]:
    """Every task and handler of a role, those inside blocks too."""
    for file in sorted([*role.glob("tasks/**/*.yml"), *role.glob("handlers/*.yml")]):
        for place, task in _places(yaml.safe_load(file.read_text()) or [], ()):
            yield Mutant(file, place, f"{file.relative_to(role / file.relative_to(role).parts[0])}: {task.get('name', place)}")


def _places(tasks: list[dict[str, Any]], above: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    for number, task in enumerate(tasks):
        here = (*above, number)
        yield here, task
        for part in BLOCKS:
            yield from _places(task.get(part) or [], (*here, part))


def without(tasks: list[dict[str, Any]], place: tuple[Any, ...]) -> list[dict[str, Any]]:
    """The tasks of a file with one of them gone."""
    left = copy.deepcopy(tasks)
    inside: Any = left
    for step in place[:-1]:
        inside = inside[step]
    del inside[place[-1]]
    return left


def collection(folder: Path) -> Path:
    """A copy of the collection in which a role may be damaged; all but the roles are links."""
    top = folder / "ansible_collections/deskside/workplace"
    top.mkdir(parents=True)
    for name in ("plugins", "meta", "galaxy.yml", "playbooks"):
        (top / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "roles", top / "roles")
    return top


def scenarios_of(role: str) -> list[str]:
    """The default scenario first: it is the one most likely to notice."""
    names = sorted(scenarios(ROOT), key=lambda name: (name != role, name))
    known = sorted((path.name for path in (ROOT / "roles").iterdir() if path.is_dir()), key=len, reverse=True)
    return [name for name in names if next((k for k in known if name == k or name.startswith(f"{k}_")), "") == role]


def noticed(role: str, lab: Lab, folder: Path) -> str:
    """Name of the first scenario that turns red with this copy; empty when none does."""
    for scenario in scenarios_of(role):
        if try_scenario(scenario, platform=PLATFORM, root=ROOT, lab=lab, collections=folder, log=folder / f"{scenario}.log") != 0:
            return scenario
    return ""


def allowed(role: str) -> dict[str, str]:
    """Survivors with their reasons."""
    path = ROOT / "tests/molecule" / role / "survivors.yml"
    return {row["task"]: row["reason"] for row in yaml.safe_load(path.read_text()) or []} if path.exists() else {}


def judge(role: str, lab: Lab) -> list[str]:
    """Everything wrong with the tests of one role."""
    reasons, wrong = allowed(role), []
    with tempfile.TemporaryDirectory(prefix="dsk-mutate-") as scratch:
        folder = Path(scratch)
        top = collection(folder)
        red = noticed(role, lab, folder)
        if red:
            print((folder / f"{red}.log").read_text()[-3000:], file=sys.stderr)
            return [f"{role}: scenario {red} is red without any change; nothing can be learned"]
        every = list(mutants(top / "roles" / role))
        for mutant in every:
            begun, whole = time.monotonic(), mutant.file.read_text()
            mutant.file.write_text(yaml.safe_dump(without(yaml.safe_load(whole), mutant.place), sort_keys=False))
            red = noticed(role, lab, folder)
            mutant.file.write_text(whole)
            survived = not red
            print(
                f"{'SURVIVED' if survived else 'noticed '} {role}: {mutant.name}  ({red or 'nobody'}, {time.monotonic() - begun:.0f} s)",
                flush=True,
            )
            if survived and mutant.name not in reasons:
                wrong.append(f"{role}: nobody notices when this task is gone: {mutant.name}")
            if not survived and mutant.name in reasons:
                wrong.append(f"{role}: survivors.yml excuses a task that {red} does notice: {mutant.name}")
        names = {mutant.name for mutant in every}
        wrong += [f"{role}: survivors.yml names a task that is not there: {name}" for name in reasons if name not in names]
    return wrong


def main(arguments: list[str]) -> int:
    """Mutate the named roles, all when none is named."""
    known = sorted(path.name for path in (ROOT / "roles").iterdir() if (path / "tasks").is_dir())
    unknown = [name for name in arguments if name not in known]
    if unknown:
        print(f"there is no role {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    try:
        lab = started()
        wrong = [line for role in arguments or known for line in judge(role, lab)]
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(wrong), file=sys.stderr) if wrong else print("every task is missed when it is gone, or has a reason")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
