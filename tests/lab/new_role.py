"""Scaffolds a role that goes green at once: spec, defaults, tasks, README, two Molecule scenarios.

    python -m deskside_lab.new_role [--into DIRECTORY] NAME

In this repository the role becomes part of the collection. Anywhere else it is a role of its own, and the shared Molecule
configuration is put beside it, so that ``python -m deskside_lab.try_role`` works there too.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from . import role_readme
from .errors import LabError
from .state import checkout

TEMPLATE = Path(__file__).resolve().parent / "role_template"
NAME = re.compile(r"[a-z][a-z0-9_]{1,40}")


def plan(name: str, root: Path, *, inside: bool) -> Iterator[tuple[Path, Path]]:
    """Which file of the template goes where."""
    molecule = root / ("tests/molecule" if inside else "molecule")
    places = {
        "role": root / "roles" / name,
        "scenarios/default": molecule / name,
        "scenarios/alternative": molecule / f"{name}_alternative",
    }
    for part, target in places.items():
        for path in sorted((TEMPLATE / part).rglob("*")):
            if path.is_file():
                yield path, target / path.relative_to(TEMPLATE / part)
    if not inside:
        yield TEMPLATE / "outside/converge.yml", molecule / "converge.yml"
        yield TEMPLATE / "outside/config.yml", root / ".config/molecule/config.yml"


def scaffold(name: str, root: Path, *, inside: bool) -> list[Path]:
    """Write the role and its scenarios. Returns what was written.

    Raises:
        LabError: The name cannot be one, or there is such a role already.
    """
    if not NAME.fullmatch(name) or name.endswith("_alternative"):
        raise LabError(f"a role cannot be called {name!r}: a noun of small letters, digits and _, not ending in _alternative")
    if (root / "roles" / name).exists():
        raise LabError(f"there is a role {name} already: {root / 'roles' / name}")
    words = (
        {"example_role": name}
        if inside
        else {"deskside.workplace.example_role": name, "example_role": name, "deskside maintainers": "its author"}
    )
    written = []
    for source, target in plan(name, root, inside=inside):
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_filled(source.read_text(), words))
            written.append(target)
    if inside:
        fragment = root / "changes" / f"{name}.feature.md"
        fragment.write_text(f"Role `{name}`: say here what it does for a technician.\n")
        written.append(fragment)
    role_readme.write(root / "roles" / name)
    return written


def _filled(text: str, words: dict[str, str]) -> str:
    for mark, word in words.items():
        text = text.replace(mark, word)
    return text


def main(arguments: list[str] | None = None) -> int:
    """Scaffold, and say what comes next."""
    parser = argparse.ArgumentParser(prog="python -m deskside_lab.new_role", description="Scaffold a role with its tests.")
    parser.add_argument("name", help="a singular noun: printer_driver")
    parser.add_argument("--into", type=Path, help="directory; this repository, or the current directory outside it, when left out")
    given = parser.parse_args(arguments)
    root = (given.into or checkout() or Path.cwd()).resolve()
    inside = root == checkout()
    try:
        written = scaffold(given.name, root, inside=inside)
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    for path in written:
        print(path.relative_to(root))
    test = (
        f"make molecule ROLE={given.name}" if inside else f"python -m deskside_lab.try_role {given.name} {given.name}_alternative"
    )
    print(
        f"\nit is green as it stands: {test}\nthen write, in this order: meta/argument_specs.yml, the scenarios' verify.yml, tasks/apply.yml"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
