"""What the use cases need from the outside, one protocol per thing. Adapters implement them; `bootstrap` wires them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from orchestrator.domain.device import Device
from orchestrator.domain.notice import Notice, NoticeState
from orchestrator.domain.outcome import DeviceState, Outcome, RolloutState
from orchestrator.domain.plan import Plan
from orchestrator.domain.verdict import Verdict
from orchestrator.domain.window import HealthProbe

# -- time and actors -------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """The only source of now."""

    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and by which way (``cli``, ``daemon``)."""

    name: str
    via: str


# -- inventory -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InventorySnapshot:
    """What Ansible says the office's inventory is. ``matches`` answers the patterns that were asked with it.

    Attributes:
        devices: In Ansible's own order of ``all``.
        groups: Every group with all its devices, also those of its children, in Ansible's order.
        warnings: What Ansible warned about.
        children: Every group with its direct child groups.
        group_vars: Raw variables of each group, in the same form as ``Device.vars``.
        not_portable: Why a compiled inventory would not say the same; empty when it would.
    """

    devices: Mapping[str, Device]
    groups: Mapping[str, tuple[str, ...]]
    matches: Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...] = ()
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group_vars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    not_portable: tuple[str, ...] = ()


class InventorySource(Protocol):
    """Reads the office's inventory through Ansible itself."""

    def load(self, patterns: Collection[str] = ()) -> InventorySnapshot:
        """Resolve devices, groups and patterns.

        Raises:
            InventoryError: Ansible cannot read it.
        """
        ...


# -- runner ----------------------------------------------------------------------------------------------------------


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


# -- devices without Ansible -----------------------------------------------------------------------------------------


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


# -- store -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OccurrenceRow:
    """One occurrence as the store knows it."""

    id: str
    window: str
    starts_at: datetime
    ends_at: datetime
    state: RolloutState
    note: str = ""
    opened_at: datetime | None = None
    finished_at: datetime | None = None
    emergency_reason: str | None = None
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRun:
    """What is known about one device in one occurrence."""

    occurrence: str
    device: str
    ring: str
    state: DeviceState
    outcome: Outcome | None = None
    reason: str = ""
    lines: tuple[str, ...] = ()
    wave: int | None = None
    batch: str | None = None
    fence: int = 0
    touched: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """One gate as it was decided: ``verdict`` is ``green`` or ``red``, empty while it soaks."""

    occurrence: str
    ring: str
    verdict: str
    reason: str
    started_at: datetime
    soak_until: datetime
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The exclusive right to work on a batch."""

    batch: str
    fence: int
    holder: str
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLock:
    """The exclusive right to touch one device, across all kinds of work."""

    device: str
    holder: str
    purpose: str
    since: datetime
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One line of the record: who did what to what, when."""

    at: datetime
    kind: str
    text: str
    occurrence: str = ""
    device: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferral:
    """A technician postponed one device on somebody's behalf."""

    device: str
    until: datetime
    person: str
    reason: str
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A notice with its delivery state."""

    notice: Notice
    state: NoticeState
    sent_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHealth:
    """The last thing a probe or a run said about a device (`deskside patches`)."""

    device: str
    seen_at: datetime | None
    absent_since: datetime | None
    pending: tuple[Mapping[str, Any], ...]
    reboot_pending_since: datetime | None
    facts: Mapping[str, Any]


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


# -- engine ----------------------------------------------------------------------------------------------------------


class Engine(Protocol):
    """Durable execution. Deterministic ids: starting the same id twice is one workflow."""

    def start_rollout(self, occurrence: str) -> None:
        """Enqueue the rollout workflow of an occurrence, once."""
        ...

    def run(self, stop: Callable[[], bool]) -> None:
        """Be the executor until ``stop()``; recovers what a dead process of this executor left."""
        ...


# -- messages and pages ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The channel took it."""

    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retryable:
    """Try again later: the channel is down or busy."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Never try again: this address or message is refused."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """Handed over completely, but the answer never came: it may or may not have been taken (policy per kind decides)."""

    reason: str


type Delivery = Sent | Retryable | Rejected | Doubtful


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A rendered notice. ``calendar`` is the iCalendar text with ``method``; ``attachments`` are (name, type, bytes).

    ``recipient`` is one bare address, ``recipient_name`` what stands beside it; ``sender`` may carry a display name.
    """

    message_id: str
    sender: str
    recipient: str
    subject: str
    text: str
    html: str
    recipient_name: str = ""
    calendar: str | None = None
    method: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[tuple[str, str, bytes], ...] = ()


class Channel(Protocol):
    """Hands over one message. Never retries: policy lives in the use case."""

    name: str

    def send(self, message: Message) -> Delivery: ...


class NoticeRenderer(Protocol):
    """Turns a notice into a message in the person's zone."""

    def render(self, notice: Notice) -> Message: ...


class ReportRenderer(Protocol):
    """One report document, several shapes."""

    def html(self, document: Mapping[str, Any]) -> str: ...
    def pdf(self, document: Mapping[str, Any]) -> bytes: ...
    def csv(self, document: Mapping[str, Any]) -> str: ...
