"""Running Ansible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol


class RunStatus(StrEnum):
    """How an Ansible run ended; an unknown status of the library is an error, never a guess."""

    SUCCESSFUL = "successful"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One call of Ansible.

    Attributes:
        id: Unique; artifacts live under it.
        playbook: Name in our collection (``apply_os_updates``) or a path.
        hosts: Exactly these; empty means nothing is run.
        variables: Extra vars. They reach Ansible through a private file, never an argument.
        guard: ``{"occurrence","step","fence"}`` for the device-side guard, ``None`` = not guarded.
        timeout: Seconds after which the run is ended.
        compiled: Use a small compiled inventory instead of the office's own (spec says ``inventory: job``).
        options: More arguments for ansible-playbook, already validated (``run-playbook``).
    """

    id: str
    playbook: str
    hosts: tuple[str, ...]
    variables: Mapping[str, Any] = field(default_factory=dict)
    guard: Mapping[str, Any] | None = None
    timeout: float = 3600.0
    forks: int = 20
    compiled: bool = False
    check: bool = False
    options: tuple[str, ...] = ()
    echo: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """One outcome of one task on one host, translated at the door. ``kind``: play task ok changed failed ignored unreachable skipped."""

    at: float
    kind: str
    host: str = ""
    task: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResult:
    """What one run did to one host. ``data`` merges every ``deskside`` key that modules returned for it."""

    host: str
    ok: bool
    changed: bool
    unreachable: bool
    touched: bool
    reason: str = ""
    lines: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """One finished run. ``complete`` is False when the event stream did not end with stats: then every host is unknown."""

    status: RunStatus
    rc: int
    hosts: Mapping[str, HostResult]
    complete: bool
    artifact: Path
    seconds: float


class Runner(Protocol):
    """Starts, contains, cancels and times out Ansible."""

    def run(self, job: Job, *, on_event: Callable[[RunEvent], None], cancelled: Callable[[], bool]) -> RunResult:
        """Carry out one job; returns when no local process of it is left."""
        ...
