"""Which inventory sources an office has: named in maintenance.yml, else in its ansible.cfg, else the usual file."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

from orchestrator.application.errors import Problem
from orchestrator.config.documents import Document, thing_of

USUAL = ("hosts.yml", "hosts.yaml", "hosts.ini", "hosts", "inventory.yml", "inventory.ini", "inventory")


@dataclass(frozen=True, slots=True)
class Sources:
    """Absolute paths, or texts Ansible understands by itself (``host,``); and what is wrong."""

    sources: tuple[str, ...]
    problems: tuple[Problem, ...]


def find_sources(root: Path, document: Document) -> Sources:
    """Find the inventory sources of an office directory."""
    named = document.get(("inventory",))
    if isinstance(named, list) and named:
        return _named(root, document, [each for each in named if isinstance(each, str)])
    configured = _from_ansible_cfg(root)
    if configured:
        return Sources(configured, ())
    for name in USUAL:
        if (root / name).exists():
            return Sources((str(root / name),), ())
    return Sources((), ())  # whoever reads the inventory says what is missing


def _named(root: Path, document: Document, named: list[str]) -> Sources:
    found: list[str] = []
    problems: list[Problem] = []
    for index, text in enumerate(named):
        if "," in text or (root / text).exists():
            found.append(_absolute(root, text))
        else:
            path = ("inventory", index)
            message = f'"{text}" does not exist: paths start at the office directory'
            problems.append(Problem(document.place(path), thing_of(path), message))
    return Sources(tuple(found), tuple(problems))


def _from_ansible_cfg(root: Path) -> tuple[str, ...]:
    """The ``inventory`` line of the office's own ansible.cfg; Ansible reads such paths from the file's directory."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, inline_comment_prefixes=(";",))
    try:
        parser.read(root / "ansible.cfg", encoding="utf-8")
        text = parser.get("defaults", "inventory", fallback="")
    except (configparser.Error, UnicodeDecodeError):
        return ()  # Ansible itself will say what is wrong with it
    return tuple(_absolute(root, part.strip()) for part in text.split(",") if part.strip())


def _absolute(root: Path, text: str) -> str:
    return text if "," in text else str((root / Path(text).expanduser()).absolute())
