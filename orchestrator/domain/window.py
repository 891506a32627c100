"""Maintenance windows, their occurrences and freezes, as validated values.

Spans are half-open and belong to the day they start (window contract 1). ``lasts`` is elapsed time, also on DST nights (5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Any

from orchestrator.domain.source import NOWHERE, Source
from orchestrator.domain.verdict import Allow, Deny, Verdict


class DstPolicy(StrEnum):
    """What happens to a local start time that does not exist: ``shift`` is RFC 5545 with erratum 4271, ``skip`` is ours."""

    SHIFT = "shift"
    SKIP = "skip"


class RebootPolicy(StrEnum):
    """May a work step restart a device."""

    IF_NEEDED = "if_needed"
    NEVER = "never"
    ALWAYS = "always"


class NobodyOwns(StrEnum):
    """What happens to a device whose people are unknown (``deskside_users`` unset)."""

    HOLD = "hold"
    INCLUDE = "include"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRule:
    """When a window opens: an RFC 5545 recurrence of dates, ``plus_days`` after each, at a local time.

    Attributes:
        rrule: The RRULE value, for example ``FREQ=MONTHLY;BYDAY=2TU``.
        since: The DTSTART date of the recurrence.
        until: Last local date (inclusive) on which a window may start, ``None`` = no end.
        except_dates: Local start dates that are left out.
    """

    rrule: str
    at: time
    since: date
    plus_days: int = 0
    until: date | None = None
    except_dates: frozenset[date] = frozenset()
    dst: DstPolicy = DstPolicy.SHIFT


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One playbook, in order, on each device; a device that fails a step skips the rest."""

    playbook: str
    vars: Mapping[str, Any] = field(default_factory=dict)
    reboot: RebootPolicy = RebootPolicy.IF_NEEDED
    source: Source = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthProbe:
    """One question to ask after a ring: ``http`` (200-399) or ``tcp`` (connect) from the controller, or ``command`` on each device."""

    kind: str
    target: str
    timeout: timedelta = timedelta(seconds=10)
    # Gates are part of a plan's hash: where a probe is written must not change it.
    source: Source = field(default=NOWHERE, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The check between rings. Absent devices are outside the share; ``present_at_least`` bounds them (contract 8)."""

    ok: Fraction = Fraction(1)
    failed_at_most: int | None = None
    soak: timedelta = timedelta(0)
    probes: tuple[HealthProbe, ...] = ()
    present_at_least: Fraction = Fraction(1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """An ordered share of the devices: by ``devices`` pattern, by ``share`` of the remainder, or the ``rest``; exactly one of them."""

    name: str
    devices: str | None = None
    share: Fraction | None = None
    rest: bool = False
    at_once: int | None = None
    gate: Gate = Gate()
    source: Source = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleRule:
    """Who is told when. ``remind`` holds lead times; ``before_leaving`` = within the last working hour before the start."""

    invite: timedelta | None = timedelta(days=3)
    remind: tuple[timedelta, ...] = ()
    before_leaving: bool = False
    nobody_owns: NobodyOwns = NobodyOwns.HOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRule:
    """Who gets the report, and at which local time at the earliest (``None`` = when it is done)."""

    to: tuple[str, ...] = ()
    at: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A recurring span in which named work may touch named devices."""

    name: str
    title: str
    devices: str
    starts: tuple[StartRule, ...]
    zone: str
    lasts: timedelta
    cutoff: timedelta = timedelta(0)
    devices_at_most: int | None = None
    work: tuple[Work, ...] = ()
    rings: tuple[Ring, ...] = ()
    one_at_a_time: tuple[str, ...] = ()
    stay_up: Mapping[str, int | Fraction] = field(default_factory=dict)
    wake: bool = False
    people: PeopleRule = PeopleRule()
    report: ReportRule = ReportRule()
    source: Source = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Local dates (both inclusive) on which no window may open, for everything or for an Ansible pattern of devices."""

    title: str
    first: date
    last: date
    devices: str | None = None
    source: Source = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One dated instance of a window. Instants are aware UTC.

    Attributes:
        id: ``patch-night/2026-12-09`` (+ ``/berlin`` with zone: site, + ``/emergency-1``).
        wall: Local wall time of the start with its zone label, for people.
        note: What DST did to it, empty when nothing.
    """

    id: str
    window: str
    starts_at: datetime
    ends_at: datetime
    cutoff_at: datetime
    zone: str
    wall: str
    site: str | None = None
    note: str = ""
    emergency_reason: str | None = None

    def may_start(self, now: datetime) -> Verdict:
        """May new work start at ``now``: inside the span and before the cutoff."""
        if now < self.starts_at:
            return Deny(rule="window-closed", reason=f"{self.id} opens at {self.wall}", until=self.starts_at)
        if now >= self.ends_at:
            return Deny(rule="window-closed", reason=f"{self.id} has ended")
        if now >= self.cutoff_at:
            return Deny(rule="cutoff", reason=f"{self.id} is past its cutoff: nothing new starts")
        return Allow()

    def is_open(self, now: datetime) -> bool:
        """Running work may go on: half-open span."""
        return self.starts_at <= now < self.ends_at
