"""Every way in which deskside refuses: one class per exit code; the README table is generated from here.

Exit codes 0-9 belong to Ansible where a playbook was run; ours start at 10.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.domain.source import NOWHERE, Source


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong thing: where it stands, what it is called, what is wrong and the remedy."""

    source: Source
    thing: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}  {self.thing}  {self.message}" if self.source != NOWHERE else f"{self.thing}  {self.message}"


class DesksideError(Exception):
    """Deskside refuses, says why and what to do.

    Args:
        message: Names the thing, the value and the remedy.
        problems: All problems at once, where there are several.
    """

    exit_code = 10
    summary = "unexpected error in deskside itself"

    def __init__(self, message: str, *, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = problems


class ConfigurationError(DesksideError):
    """A file of the office directory is wrong."""

    exit_code = 11
    summary = "bad configuration"


class BadInputError(DesksideError):
    """A flag, argument or input file is wrong."""

    exit_code = 12
    summary = "bad input"


class NotFoundError(DesksideError):
    """A named window, device, person, occurrence or playbook does not exist."""

    exit_code = 13
    summary = "not found"


class RefusedError(DesksideError):
    """A rule said no: window closed, frozen, locked, too many devices."""

    exit_code = 14
    summary = "refused"


class BusyError(DesksideError):
    """Another process holds what is needed."""

    exit_code = 15
    summary = "busy"


class StoreError(DesksideError):
    """The state directory or its database cannot be used."""

    exit_code = 16
    summary = "state unusable"


class EnvironmentProblemError(DesksideError):
    """This machine lacks something deskside needs."""

    exit_code = 17
    summary = "environment"


class InventoryError(DesksideError):
    """Ansible cannot read the inventory."""

    exit_code = 18
    summary = "bad inventory"


class ChannelError(DesksideError):
    """A message could not be handed over."""

    exit_code = 19
    summary = "mail out"


class NotAllowedError(DesksideError):
    """This actor may not do that."""

    exit_code = 20
    summary = "not allowed"


class WorkFailedError(DesksideError):
    """The work was carried out and did not end well: at least one device failed or a gate was red."""

    exit_code = 21
    summary = "work failed"
