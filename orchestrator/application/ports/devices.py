"""Asking devices without Ansible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.domain.window import HealthProbe


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What one read-only round trip says about a device.

    Attributes:
        reachable: False = did not answer (``error`` says how).
        needs_run: True unless the probe can prove that the playbook would change nothing.
        pending: ``{"name","from","to","class","held"}`` rows, ``None`` when the scan was not answered.
        guard: Guard records of the asked occurrence: work step → record (docs/explanation/contracts.md 3), ``None`` when there is none.
        unit_active: A transient unit of ours still runs there.
        boot: Boot identity (boot_id on machines, start time of PID 1 in containers).
        facts: Everything else (disk, dpkg state, locks, timers, logged-in people, python, become).
    """

    host: str
    reachable: bool
    error: str = ""
    needs_run: bool = True
    pending: tuple[Mapping[str, Any], ...] | None = None
    reboot_required: bool = False
    guard: Mapping[str, Any] | None = None
    unit_active: bool = False
    boot: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Prober(Protocol):
    """One fused question to each device over ssh, without Ansible."""

    def probe(self, hosts: Sequence[str], *, occurrence: str | None = None, timeout: float = 20.0) -> Mapping[str, ProbeResult]:
        """Ask all of them at once; every host asked is in the answer."""
        ...

    def stop_unit(self, host: str, occurrence: str, *, timeout: float = 30.0) -> bool:
        """Stop our transient unit on the device; True when none is left running."""
        ...

    def health(self, probe: HealthProbe, hosts: Sequence[str]) -> Mapping[str, str]:
        """Ask one health probe. Returns host (or ``controller``) → empty text when healthy, else the reason."""
        ...

    def wake(self, waker: str, macs: Mapping[str, str]) -> Mapping[str, str]:
        """Let ``waker`` send a magic packet to each device (name → MAC). Returns name → empty text or why not."""
        ...
