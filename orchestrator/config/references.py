"""Second stage of the checks: do the groups, devices, patterns and people that the files name exist in the inventory?"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from fnmatch import fnmatchcase
from typing import Any

from orchestrator.application.errors import NotFoundError, Problem
from orchestrator.application.ports import InventorySnapshot
from orchestrator.config.documents import Document, Steps, thing_of
from orchestrator.config.problems import unique
from orchestrator.config.scalars import did_you_mean
from orchestrator.config.settings import Office, Reference
from orchestrator.domain.source import NOWHERE

_SUBSCRIPT = re.compile(r"^(.+)\[(?:-?\d+|\d*:\d*|\d*-\d*)\]$")
_BETWEEN = re.compile(r":(?![^\[]*\])")  # a colon, but not the one inside [0:2]
ALWAYS = frozenset({"all", "*", "ungrouped", "localhost"})


def references_of(document: Document) -> tuple[Reference, ...]:
    """Every text in maintenance.yml that names groups, devices or playbooks, also when other parts of the file are wrong."""
    found = (_reference(document, kind, path, text) for kind, path, text in _named(document))
    return tuple(reference for reference in found if reference is not None)


def patterns_of(references: Collection[Reference]) -> frozenset[str]:
    """The patterns the inventory has to answer so that these references can be checked."""
    return frozenset(reference.text for reference in references if reference.kind == "pattern")


def _reference(document: Document, kind: str, path: Steps, text: Any) -> Reference | None:
    if not isinstance(text, str) or not text.strip() or text.startswith("@"):
        return None
    place = document.key_place(path) if kind in {"label", "key"} else document.place(path)
    return Reference(kind=kind, text=text, thing=thing_of(path), source=place)


def _named(document: Document) -> Iterator[tuple[str, Steps, Any]]:
    for name, site in _mapping(document, ("sites",)):
        path: Steps = ("sites", name)
        if isinstance(site, dict):
            yield "group", (*path, "group"), site.get("group")
            yield "device", (*path, "waker"), site.get("waker")
    for name, window in _mapping(document, ("maintenance_windows",)):
        if isinstance(window, dict):
            yield from _in_window(document, ("maintenance_windows", name), window)
    for playbook, _ in _mapping(document, ("priors",)):
        yield "key", ("priors", playbook), playbook
    for index, freeze in enumerate(_list(document, ("freezes",))):
        if isinstance(freeze, dict):
            yield "pattern", ("freezes", index, "devices"), freeze.get("devices")


def _in_window(document: Document, path: Steps, window: dict[str, Any]) -> Iterator[tuple[str, Steps, Any]]:
    yield "pattern", (*path, "devices"), window.get("devices")
    for index, step in enumerate(_list(document, (*path, "work"))):
        if isinstance(step, dict):
            yield "playbook", (*path, "work", index, "playbook"), step.get("playbook")
    for index, ring in enumerate(_list(document, (*path, "rings"))):
        if isinstance(ring, dict):
            yield "pattern", (*path, "rings", index, "devices"), ring.get("devices")
    for index, text in enumerate(_list(document, (*path, "one_at_a_time"))):
        yield "pattern", (*path, "one_at_a_time", index), text
    for label, _ in _mapping(document, (*path, "stay_up")):
        yield "label", (*path, "stay_up", label), label


def _mapping(document: Document, path: Steps) -> list[tuple[str, Any]]:
    found = document.get(path)
    return list(found.items()) if isinstance(found, dict) else []


def _list(document: Document, path: Steps) -> list[Any]:
    found = document.get(path)
    return found if isinstance(found, list) else []


def check_against_inventory(office: Office, snapshot: InventorySnapshot) -> tuple[Problem, ...]:
    """Everything the office files name that the inventory does not know, and people the inventory names that people.yml does not.

    Args:
        office: Settings.
        snapshot: Loaded with ``patterns_of(office.references)``.
    """
    return unique([*check_references(office.references, snapshot), *_people(office, snapshot)])


def check_references(references: Collection[Reference], snapshot: InventorySnapshot) -> tuple[Problem, ...]:
    """As :func:`check_against_inventory`, for files that have other problems too."""
    return tuple(problem for reference in references for problem in _check(reference, snapshot))


def check_playbooks(references: Collection[Reference], find: Callable[[str], object]) -> tuple[Problem, ...]:
    """Every playbook that the files name and nobody finds.

    Args:
        references: Of the files.
        find: Raises NotFoundError, with what may have been meant.
    """
    problems = []
    for reference in references:
        if reference.kind in {"playbook", "key"} and not reference.text.endswith((".yml", ".yaml")):
            try:
                find(reference.text)
            except NotFoundError as error:
                problems.append(_problem(reference, error.message))
    return tuple(problems)


def _check(reference: Reference, snapshot: InventorySnapshot) -> Iterator[Problem]:
    known = {*snapshot.groups, *snapshot.devices, *ALWAYS}
    match reference.kind:
        case "group":
            yield from _exists(reference, reference.text, snapshot.groups, "group")
        case "device":
            yield from _exists(reference, reference.text, snapshot.devices, "device")
        case "playbook" | "key":
            return  # not in the inventory: see check_playbooks
        case _:
            missing = [part for part in parts_of(reference.text) if not _matches(part, known)]
            for part in missing:
                yield _problem(reference, f'no group or device is called "{part}".{did_you_mean(part, known - ALWAYS)}')
            if not missing and snapshot.matches.get(reference.text, ("unasked",)) == ():
                yield _problem(reference, f'"{reference.text}" matches no device: check it with ansible --list-hosts')


def _exists(reference: Reference, text: str, known: Collection[str], kind: str) -> Iterator[Problem]:
    if text not in known:
        yield _problem(reference, f'no {kind} is called "{text}".{did_you_mean(text, set(known))}')


def _problem(reference: Reference, message: str) -> Problem:
    return Problem(reference.source, reference.thing, message)


def parts_of(pattern: str) -> list[str]:
    """The names, wildcards and expressions of an Ansible pattern, without ``!``, ``&`` and ``[0:2]``."""
    pieces = pattern.split(",") if "," in pattern else _BETWEEN.split(pattern)
    parts = []
    for piece in pieces:
        name = piece.strip()
        if name[:1] in {"!", "&"}:
            name = name[1:]
        subscript = None if name.startswith("~") else _SUBSCRIPT.match(name)
        parts.append(subscript[1] if subscript else name)
    return [part for part in parts if part]


def _matches(part: str, known: Collection[str]) -> bool:
    if part in known:
        return True
    if part.startswith("~"):
        try:
            expression = re.compile(part[1:])
        except re.error:
            return False
        return any(expression.match(name) for name in known)
    return any(character in part for character in "*?[") and any(fnmatchcase(name, part) for name in known)


def _people(office: Office, snapshot: InventorySnapshot) -> Iterator[Problem]:
    for device in snapshot.devices.values():
        for slug in device.users or ():
            if slug not in office.people:
                hint = did_you_mean(slug, office.people)
                yield Problem(
                    NOWHERE, f"{device.name}.deskside_users", f'"{slug}" is not in people.yml.{hint} Nobody could be told.'
                )
