"""Load an office directory: fragments → inputs → settings, with all errors at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.application.errors import ConfigurationError, Problem
from orchestrator.config import build
from orchestrator.config.checks import check_document, check_empty
from orchestrator.config.documents import Document
from orchestrator.config.merge import read_maintenance, read_people
from orchestrator.config.problems import problems_of, render, unique
from orchestrator.config.references import references_of
from orchestrator.config.schema import MaintenanceFile, PersonPart
from orchestrator.config.settings import ChannelSettings, Limits, Office, Reference
from orchestrator.config.sources import find_sources
from orchestrator.config.values import Name

__all__ = ["ChannelSettings", "Office", "Reading", "load_office", "read_office"]

People = dict[Name, PersonPart]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was found in an office directory.

    Attributes:
        root: The office directory, absolute.
        office: ``None`` when there are problems.
        problems: Everything wrong, in the order of the files; bad recurrence rules are in ``Office.disabled`` instead.
        references: Groups, devices and patterns that could be read, also from files with problems.
        sources: Inventory sources that could be read.
    """

    root: Path
    office: Office | None
    problems: tuple[Problem, ...]
    references: tuple[Reference, ...]
    sources: tuple[str, ...]


def load_office(path: Path) -> Office:
    """Read and validate everything in an office directory except the inventory itself.

    Args:
        path: The directory that holds maintenance.yml.

    Raises:
        ConfigurationError: With every problem of every file.
    """
    reading = read_office(path)
    if reading.office is None:
        raise configuration_error(reading.problems)
    return reading.office


def configuration_error(problems: tuple[Problem, ...]) -> ConfigurationError:
    """The one error for all these problems; its message is complete by itself."""
    count = len(problems)
    return ConfigurationError(f"{render(problems)}\n{count} error{'s'[: count != 1]}; nothing was changed.", problems=problems)


def read_office(path: Path) -> Reading:
    """As :func:`load_office`, but problems come in the result."""
    root = path.absolute()
    maintenance, people = read_maintenance(root), read_people(root)
    inputs, found = _validated(MaintenanceFile, maintenance)
    persons, wrong = _validated(People, people)
    checks = [*found, *check_document(maintenance, root), *wrong, *check_empty(people)]
    problems = unique([*maintenance.problems, *people.problems, *checks])
    references = references_of(maintenance)
    sources = find_sources(root, maintenance)
    problems += sources.problems
    office = None
    if not problems and inputs is not None and persons is not None:
        office = _office(root, inputs, persons, maintenance, sources.sources)
    return Reading(root=root, office=office, problems=problems, references=references, sources=sources.sources)


def _validated(kind: Any, document: Document) -> tuple[Any, tuple[Problem, ...]]:
    if document.problems and document.value is None:
        return None, ()
    try:
        return TypeAdapter(kind).validate_python(document.value), ()
    except ValidationError as error:
        return None, tuple(problems_of(error.errors(include_url=False), document, kind))


def _office(
    root: Path,
    inputs: MaintenanceFile,
    persons: dict[str, PersonPart],
    document: Document,
    sources: tuple[str, ...],
) -> Office:
    windows, disabled = build.build_windows(inputs, document)
    return Office(
        root=root,
        sources=sources,
        windows=windows,
        freezes=build.build_freezes(inputs.freezes, document),
        sites=build.build_sites(inputs),
        people=build.build_people(persons),
        channels=build.build_channels(inputs.channels.mail, document, root),
        reboot_reserve=inputs.reboot_reserve,
        wake_wait=inputs.wake_wait,
        priors=dict(inputs.priors),
        limits=Limits(oldest_security_fix=inputs.limits.oldest_security_fix),
        disabled=disabled,
        references=references_of(document),
    )
