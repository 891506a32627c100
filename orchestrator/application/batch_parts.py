"""What a batch works with: timings, ports, and how it is told to stop at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.application.ports import Clock, LeaseGuardian, LogEntry, Prober, Runner, Store

CANCEL_NOW = "now: "
"""Prefix of the note of a cancelled occurrence whose running devices are stopped too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """Timings in seconds. ``lost_wait``: how long a device that went away while we worked on it may take to come back."""

    lease_ttl: float = 45.0
    reboot_reserve: float = 900.0
    lost_wait: float = 120.0
    poll: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybookWay:
    """How a playbook wants to be run: ``compiled`` inventory, guarded inside its own module or by the wrapper."""

    compiled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchParts:
    """What a batch works with. ``holder`` is this process; ``dead`` proves another one gone; ``way`` tells how a playbook is run."""

    store: Store
    runner: Runner
    prober: Prober
    guardian: LeaseGuardian
    clock: Clock
    holder: str
    dead: Callable[[str], bool]
    way: Callable[[str], PlaybookWay]
    settings: BatchSettings

    def log(self, occurrence: str, kind: str, text: str, device: str = "") -> None:
        """Write one line of the record."""
        self.store.log(LogEntry(at=self.clock.now(), kind=kind, text=text, occurrence=occurrence, device=device))
