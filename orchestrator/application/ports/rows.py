"""What the store knows, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.domain.notice import Notice, NoticeState
from orchestrator.domain.outcome import DeviceState, Outcome, RolloutState


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
    """The last thing a probe or a run said about a device (`deskside patches`). ``pending`` None: nobody has scanned it yet."""

    device: str
    seen_at: datetime | None
    absent_since: datetime | None
    pending: tuple[Mapping[str, Any], ...] | None
    reboot_pending_since: datetime | None
    facts: Mapping[str, Any]
