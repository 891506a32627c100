"""Everything that can be said about an office directory without touching a device: what `deskside config check` reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, time, timedelta
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

from orchestrator.application.errors import ConfigurationError, InventoryError, Problem
from orchestrator.application.ports import InventorySnapshot, InventorySource
from orchestrator.config.described import shown
from orchestrator.config.office import Reading, configuration_error, read_office
from orchestrator.config.problems import unique
from orchestrator.config.references import check_against_inventory, check_playbooks, check_references, patterns_of
from orchestrator.config.settings import Office, Secret, SecretKind
from orchestrator.domain.source import Source

type OpenInventory = Callable[[Reading], InventorySource]


@dataclass(frozen=True, slots=True)
class Examination:
    """A good office directory; ``warnings`` are Ansible's, ``missing`` files that are named and not there (yet)."""

    office: Office
    snapshot: InventorySnapshot
    warnings: tuple[str, ...]
    missing: tuple[str, ...]


def examine(root: Path, open_inventory: OpenInventory, find_playbook: Callable[[str], object]) -> Examination:
    """Read files and inventory, compare them.

    Args:
        root: The office directory.
        open_inventory: Gives the inventory of what was read.
        find_playbook: Raises NotFoundError for a name that no playbook has.

    Raises:
        ConfigurationError: Every problem of the files, also what they name and the inventory does not know, and bad recurrence rules.
        InventoryError: The files are good, the inventory cannot be read.
    """
    reading = read_office(root)
    problems = [*reading.problems, *(reading.office.disabled if reading.office else ())]
    problems += check_playbooks(reading.references, find_playbook)
    if problems and not reading.sources:
        raise _refuse(problems)
    try:
        snapshot = open_inventory(reading).load(patterns_of(reading.references))
    except InventoryError as error:
        if problems:
            raise _refuse([*problems, *_inventory_problems(error)]) from None
        raise
    if reading.office is None:
        raise _refuse([*problems, *check_references(reading.references, snapshot)])
    problems += check_against_inventory(reading.office, snapshot)
    if problems:
        raise _refuse(problems)
    return Examination(reading.office, snapshot, snapshot.warnings, _missing(reading.office))


def _refuse(problems: list[Problem]) -> ConfigurationError:
    return configuration_error(unique(problems))


def _inventory_problems(error: InventoryError) -> tuple[Problem, ...]:
    return error.problems or (Problem(Source("(inventory)"), "inventory", error.message),)


def _missing(office: Office) -> tuple[str, ...]:
    """Files that are named and not there; not an error, because something else may make them in time."""
    mail = office.channels.get("mail")
    if mail is None:
        return ()
    named = [("channels.mail.ca", mail.ca)]
    if mail.password and mail.password.kind is SecretKind.FILE:
        named.append(("channels.mail.password", office.root / mail.password.reference))
    return tuple(f"{thing}: {path} does not exist yet" for thing, path in named if path and not path.exists())


def as_document(value: Any) -> Any:
    """Settings as plain values, written the way the files write them; secrets are stars."""
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, Source | Problem):
        return str(value)
    if isinstance(value, timedelta | Fraction):
        return shown(value)
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date | Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_document(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_document(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_document(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(as_document(item) for item in value)
    return value
