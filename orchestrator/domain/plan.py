"""The frozen plan of one occurrence: what `deskside plan` shows, what the run carries out, what the report compares with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.domain.window import Gate, Occurrence, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDevice:
    """One device with the reasons that put it where it is; ``reasons`` are sentences with file and line (--explain)."""

    name: str
    users: tuple[str, ...]
    groups: tuple[str, ...]
    device_class: str
    p95: float
    leads: bool = False
    asleep_likely: bool = False
    can_wake: bool = False
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRing:
    """A ring with its predicted waves (device names). Waves are re-computed at run time from what is then true."""

    name: str
    devices: tuple[PlannedDevice, ...]
    waves: tuple[tuple[str, ...], ...]
    at_once: int | None
    gate: Gate
    starts_at: datetime
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A device of the pattern that is not in the plan: rule is ``deferred``, ``skipped``, ``nobody-owns``, ``frozen``, ``does-not-fit``."""

    name: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One person who will be told, and about which devices."""

    person: str
    name: str
    address: str
    zone: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything frozen about one occurrence. ``hash`` covers what contract 9 lists; ``tzdata`` is the version used."""

    occurrence: Occurrence
    title: str
    work: tuple[Work, ...]
    rings: tuple[PlannedRing, ...]
    left_out: tuple[LeftOut, ...]
    told: tuple[Told, ...]
    one_at_a_time: tuple[str, ...]
    stay_up: dict[str, str]
    expected_end: datetime
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    tzdata: str = ""
    hash: str = ""
    made_at: datetime | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def devices(self) -> tuple[PlannedDevice, ...]:
        """All devices in ring order."""
        return tuple(device for ring in self.rings for device in ring.devices)
