"""What the shell offers for names: windows, devices and people, read from the office's plain files within a blink.

It is a convenience, not an answer: what Ansible would make of a dynamic inventory is not asked here, and whatever goes
wrong offers nothing instead of disturbing the line that is being typed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.entrypoints.cli._context import cli_of

INVENTORIES = ("hosts.yml", "hosts.yaml", "inventory.yml", "hosts", "hosts.ini", "inventory.ini")


@dataclass(frozen=True, slots=True)
class Item:
    """One name, in the shape that typer's shells print."""

    value: str
    type: str = "plain"
    help: str | None = None


def offer(param: Any) -> None:
    """Let the shell complete a parameter by what it is called: ``window``, ``device``, ``person``, ``occurrence``."""
    source = SOURCES.get(param.name or "")
    if source is not None:
        param.shell_complete = lambda ctx, incomplete: _items(source, ctx, incomplete)


def _items(source: Callable[[Path], Iterator[str]], ctx: Any, incomplete: str) -> list[Item]:
    try:
        names = sorted({name for name in source(_office(ctx)) if name.startswith(incomplete)})
    except Exception:  # noqa: BLE001 - see the module's first lines
        return []
    return [Item(name) for name in names]


def _office(ctx: Any) -> Path:
    from orchestrator.config.paths import find_office

    return find_office(cli_of(ctx).office, os.environ, Path.cwd())


def windows(office: Path) -> Iterator[str]:
    """Names of the maintenance windows."""
    for path in (office / "maintenance.yml", *sorted((office / "maintenance.d").glob("*.yml"))):
        yield from map(str, (_yaml(path).get("maintenance_windows") or {}))


def people(office: Path) -> Iterator[str]:
    """Slugs of the people."""
    yield from map(str, _yaml(office / "people.yml"))


def devices(office: Path) -> Iterator[str]:
    """Names of the devices in a plain YAML or INI inventory."""
    for path in (office / name for name in INVENTORIES):
        if path.is_file():
            yield from _hosts(_yaml(path)) if path.suffix in {".yml", ".yaml"} else _ini_hosts(path.read_text(encoding="utf8"))


def occurrences(office: Path) -> Iterator[str]:
    """The words every command takes for an occurrence, and the windows they may follow."""
    yield from ("last", "next")
    yield from windows(office)


def _hosts(tree: object) -> Iterator[str]:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if key == "hosts" and isinstance(value, Mapping):
                yield from (str(name) for name in value if "[" not in str(name))
            elif key != "vars":
                yield from _hosts(value)


def _ini_hosts(page: str) -> Iterator[str]:
    section = ""
    for line in map(str.strip, page.splitlines()):
        if line.startswith("["):
            section = line
        elif line and line[0] not in "#;" and ":" not in section and "[" not in line.split()[0]:
            yield line.split()[0]


def _yaml(path: Path) -> Mapping[str, Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Knows no tags: a vaulted value is nobody's name."""

    Loader.add_multi_constructor("!", lambda *_: None)
    found = yaml.load(path.read_text(encoding="utf8"), Loader)  # noqa: S506 - a subclass of SafeLoader
    return found if isinstance(found, Mapping) else {}


SOURCES: dict[str, Callable[[Path], Iterator[str]]] = {
    "window": windows,
    "device": devices,
    "person": people,
    "occurrence": occurrences,
    "explain": devices,
    "people": people,
}
