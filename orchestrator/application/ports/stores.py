"""The store, by what is asked of it, and the engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from orchestrator.application.ports.devices import ProbeResult
from orchestrator.application.ports.outside import Actor
from orchestrator.application.ports.rows import (
    Deferral,
    DeviceHealth,
    DeviceLock,
    DeviceRun,
    GateRow,
    Lease,
    LogEntry,
    OccurrenceRow,
    OutboxRow,
)
from orchestrator.domain.notice import Notice, NoticeState
from orchestrator.domain.outcome import Outcome, RolloutState
from orchestrator.domain.plan import Plan
from orchestrator.domain.verdict import Verdict


class OccurrenceStore(Protocol):
    """Occurrences, plans, device runs, gates."""

    def save_plan(self, plan: Plan, *, actor: Actor) -> None:
        """Write or replace the plan of an occurrence that has not started; creates one PLANNED device run per planned device.

        Raises:
            RefusedError: It has started.
        """
        ...

    def plan(self, occurrence: str) -> Plan | None: ...
    def occurrence(self, occurrence: str) -> OccurrenceRow | None: ...
    def occurrences(self, *, window: str | None = None, prefix: str | None = None, limit: int = 50) -> Sequence[OccurrenceRow]:
        """Newest start first."""
        ...

    def move(self, occurrence: str, to: RolloutState, *, note: str = "", now: datetime) -> RolloutState:
        """Change the state if the table allows it. Returns the state afterwards; a same-state move is a no-op."""
        ...

    def device_runs(self, occurrence: str) -> Sequence[DeviceRun]: ...
    def put_device_run(self, run: DeviceRun, *, fence: int | None = None) -> bool:
        """Insert or update. With ``fence``: only if no newer fence wrote this row. False = fenced off, nothing written.

        A SETTLED row is never changed back.
        """
        ...

    def put_gate(self, row: GateRow) -> None: ...
    def gates(self, occurrence: str) -> Sequence[GateRow]: ...
    def log(self, entry: LogEntry) -> None: ...
    def log_entries(self, *, occurrence: str | None = None, device: str | None = None, limit: int = 200) -> Sequence[LogEntry]: ...


class LeaseStore(Protocol):
    """Leases on batches and locks on devices. Conditional updates only: no read-then-write."""

    def acquire_lease(self, batch: str, holder: str, *, now: datetime, ttl: float, dead: Callable[[str], bool]) -> Lease | None:
        """fence+1 if free, expired, mine, or its holder is proven dead; None = somebody else's, or already finished."""
        ...

    def renew_lease(self, lease: Lease, *, now: datetime, ttl: float) -> bool:
        """False = lost."""
        ...

    def finish_lease(self, lease: Lease) -> bool:
        """Mark the batch done; False = fenced off."""
        ...

    def lease_finished(self, batch: str) -> bool: ...

    def lock_devices(
        self,
        devices: Sequence[str],
        holder: str,
        purpose: str,
        *,
        groups: Mapping[str, Collection[str]],
        stay_up: Mapping[str, tuple[Collection[str], int]],
        now: datetime,
        ttl: float,
    ) -> Verdict:
        """All or nothing, in one transaction.

        ``groups``: anti-affinity group → members: at most one member locked, by anybody. ``stay_up``: label →
        (members, how many must stay unlocked). A lock this ``holder`` already has is kept and renewed.
        An expired lock is still a lock until :meth:`free_lock` (a probe of the device must say that nothing runs there).
        """
        ...

    def renew_locks(self, holder: str, *, now: datetime, ttl: float) -> None: ...
    def unlock_devices(self, devices: Sequence[str], holder: str) -> None: ...
    def free_lock(self, device: str, holder: str) -> None: ...
    def locks(self) -> Sequence[DeviceLock]: ...


class LeaseGuardian(Protocol):
    """Keeps a lease alive while its work goes on."""

    def keep(self, lease: Lease, *, ttl: float) -> AbstractContextManager[Callable[[], bool]]:
        """Renew in the background inside the block. The callable answers True once the lease is lost or cannot be renewed in time."""
        ...


class HistoryStore(Protocol):
    """What earlier occurrences taught us."""

    def durations(self, playbook: str, device_class: str, *, limit: int = 200) -> Sequence[float]:
        """Seconds, newest first."""
        ...

    def add_duration(self, playbook: str, device_class: str, device: str, seconds: float, *, at: datetime) -> None: ...
    def last_outcomes(self, window: str) -> Mapping[str, Outcome]:
        """The latest outcome of each device in finished occurrences of this window."""
        ...

    def last_devices(self, window: str) -> tuple[str, ...]:
        """The devices of the latest planned-and-started occurrence of this window."""
        ...

    def ring_members(self, window: str) -> Mapping[str, str]:
        """Sticky membership: device → ring."""
        ...

    def put_ring_members(self, window: str, members: Mapping[str, str]) -> None: ...
    def put_health(self, result: ProbeResult, *, at: datetime) -> None: ...
    def health(self) -> Mapping[str, DeviceHealth]: ...
    def put_deferral(self, deferral: Deferral) -> None: ...
    def deferrals(self, *, now: datetime) -> Mapping[str, Deferral]: ...
    def put_skip(self, device: str, occurrence: str, *, actor: Actor, at: datetime) -> None: ...
    def skips(self, occurrence: str) -> Mapping[str, str]:
        """Device → actor."""
        ...


class Outbox(Protocol):
    """Notices: inserted exactly once, claimed before sending."""

    def put(self, notices: Iterable[Notice]) -> int:
        """Insert those that are not there yet; returns how many were new."""
        ...

    def due(self, *, now: datetime, limit: int = 100) -> Sequence[OutboxRow]:
        """``new`` rows that are due and not expired, oldest first."""
        ...

    def claim(self, notice_id: str, holder: str) -> bool:
        """New → sending, committed before the first byte leaves."""
        ...

    def settle(self, notice_id: str, state: NoticeState, *, at: datetime, detail: str = "") -> None: ...

    def recover(self, *, dead: Callable[[str], bool], now: datetime) -> Sequence[OutboxRow]:
        """``sending`` rows of dead holders: resend kinds go back to ``new`` (marked), the others become ``ambiguous``; returns them."""
        ...

    def rows(self, occurrence: str) -> Sequence[OutboxRow]: ...
    def cancel(self, occurrence: str, *, kinds: Collection[str]) -> int:
        """``new`` rows of these kinds become ``cancelled``."""
        ...


class Store(OccurrenceStore, LeaseStore, HistoryStore, Outbox, Protocol):
    """All of it, in one database."""


class Engine(Protocol):
    """Durable execution. Deterministic ids: starting the same id twice is one workflow."""

    def start_rollout(self, occurrence: str) -> None:
        """Enqueue the rollout workflow of an occurrence, once."""
        ...

    def run(self, stop: Callable[[], bool]) -> None:
        """Be the executor until ``stop()``; recovers what a dead process of this executor left."""
        ...
