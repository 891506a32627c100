"""When a window opens: RFC 5545 dates, made local, made instants. Semantics: docs/explanation/maintenance-windows.md.

A recurrence yields *dates* only; the time of day is the rule's ``at``, read on the wall clock of a zone. A local time that does not exist
is read with the offset before the gap (RFC 5545 3.3.5, erratum 4271), one that comes twice is the first of the two.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from orchestrator.domain.window import DstPolicy, StartRule

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_A_LEAP_YEAR = 2028
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_WEEKDAY = r"(?:MO|TU|WE|TH|FR|SA|SU)"
_VALUES = {
    "FREQ": r"[A-Z]+",
    "INTERVAL": r"[1-9]\d{0,3}",
    "COUNT": r"[1-9]\d{0,4}",
    "WKST": _WEEKDAY,
    "BYDAY": rf"(?:[+-]?[1-9]\d?)?{_WEEKDAY}(?:,(?:[+-]?[1-9]\d?)?{_WEEKDAY})*",
    "BYMONTH": r"(?:[1-9]|1[0-2])(?:,(?:[1-9]|1[0-2]))*",
    "BYMONTHDAY": r"[+-]?(?:[1-9]|[12]\d|3[01])(?:,[+-]?(?:[1-9]|[12]\d|3[01]))*",
    "BYYEARDAY": r"[+-]?[1-9]\d{0,2}(?:,[+-]?[1-9]\d{0,2})*",
    "BYWEEKNO": r"[+-]?(?:[1-9]|[1-4]\d|5[0-3])(?:,[+-]?(?:[1-9]|[1-4]\d|5[0-3]))*",
    "BYSETPOS": r"[+-]?[1-9]\d{0,2}(?:,[+-]?[1-9]\d{0,2})*",
}
_GOES_WITH = {
    "BYWEEKNO": ("YEARLY",),
    "BYYEARDAY": ("YEARLY",),
    "BYMONTHDAY": ("DAILY", "YEARLY", "MONTHLY"),
    "BYSETPOS": ("YEARLY", "MONTHLY"),  # RFC 5545 allows more; dateutil begins the first week at DTSTART and chooses another day
}
_ELSEWHERE = {
    "UNTIL": "write the last date under the key `until`",
    "BYHOUR": "write the time under the key `at`",
    "BYMINUTE": "write the time under the key `at`",
    "BYSECOND": "write the time under the key `at`",
}


@dataclass(frozen=True, slots=True)
class Start:
    """One opening.

    Attributes:
        starts_at: Aware UTC.
        local_date: The date the rule names. The wall date can be the next one when a gap at midnight shifts the start.
        wall: ``Wed 9 Dec 2026 22:00 Europe/Berlin``, what a clock there really shows.
        note: What DST did to it, empty when nothing.
    """

    starts_at: datetime
    local_date: date
    wall: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A date of the rule on which the window does not open, and why (``skip`` in a gap, or an excepted date)."""

    local_date: date
    reason: str


def day_text(day: date) -> str:
    """``Wed 9 Dec 2026``, the same under every locale."""
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]} {day.year}"


def wall_text(instant: datetime, zone: str) -> str:
    """``Wed 9 Dec 2026 22:00 Europe/Berlin`` for an aware instant."""
    local = instant.astimezone(ZoneInfo(zone))
    return f"{day_text(local)} {local:%H:%M} {zone}"


def expand(rule: StartRule, zone: str, *, after: datetime, before: datetime) -> Iterator[Start]:
    """Yield the openings with ``after <= starts_at < before``, in order; two openings at one instant are one.

    Args:
        rule: A rule that :func:`check` accepts.
        zone: IANA name.
        after: Aware, inclusive.
        before: Aware, exclusive: it bounds the iteration.

    Raises:
        ValueError: The recurrence cannot be read.
        ZoneInfoNotFoundError: No such zone.
    """
    last: datetime | None = None
    for found in _readings(rule, zone, after, before):
        if isinstance(found, Start) and after <= found.starts_at < before and found.starts_at != last:
            last = found.starts_at
            yield found


def skipped(rule: StartRule, zone: str, *, after: datetime, before: datetime) -> Iterator[Skipped]:
    """Yield the dates in the same span that the rule names and that do not open, each with its reason.

    Raises:
        ValueError: The recurrence cannot be read.
    """
    first = after.astimezone(ZoneInfo(zone)).date()
    last = before.astimezone(ZoneInfo(zone)).date()
    for found in _readings(rule, zone, after, before):
        if isinstance(found, Skipped) and first <= found.local_date < last:
            yield found


def check(rule: StartRule) -> str | None:
    """Say what is wrong with a rule in one sentence with its remedy, or ``None``. Never raises: a bad rule disables only itself."""
    try:
        parts = _parts(rule.rrule)
    except ValueError as error:
        return str(error)
    problem = _frequency_problem(parts) or _combination_problem(parts) or _impossible(parts)
    return problem or _never_fires(rule)


def _readings(rule: StartRule, zone: str, after: datetime, before: datetime) -> Iterator[Start | Skipped]:
    """The dates of the rule in that span, read on the wall clock, with days of slack for starts shifted over midnight."""
    earliest = after.astimezone(ZoneInfo(zone)).date() - timedelta(days=2)
    horizon = before.astimezone(ZoneInfo(zone)).date() + timedelta(days=2)
    if rule.until is not None:
        horizon = min(horizon, rule.until + timedelta(days=1))
    for base in _dates(rule):
        day = base + timedelta(days=rule.plus_days)
        if day >= horizon:
            return
        if day in rule.except_dates:
            yield Skipped(day, f"{day_text(day)} is an excepted date")
        elif day >= earliest:
            yield _read(rule, day, zone)


def _dates(rule: StartRule) -> Iterator[date]:
    """The dates of the recurrence itself; invalid ones (30 February) are ignored, as RFC 5545 says."""
    midnight = datetime.combine(rule.since, time())
    return (found.date() for found in rrulestr(_text(_parts(rule.rrule)), dtstart=midnight))


def _read(rule: StartRule, day: date, zone: str) -> Start | Skipped:
    """Read one local start. ``fold=0`` is both rules at once: the offset before a gap, the first of an overlap."""
    wanted = datetime.combine(day, rule.at, ZoneInfo(zone))
    instant = wanted.astimezone(UTC)
    shown = instant.astimezone(ZoneInfo(zone))
    asked = f"{rule.at:%H:%M}"
    if shown.replace(tzinfo=None) != wanted.replace(tzinfo=None):
        reason = f"{asked} does not exist on {day_text(day)} in {zone}: the clock jumps over it"
        if rule.dst is DstPolicy.SKIP:
            return Skipped(day, reason)
        return Start(instant, day, wall_text(instant, zone), f"{reason}, so it opens at {shown:%H:%M}")
    if wanted.utcoffset() != wanted.replace(fold=1).utcoffset():
        return Start(
            instant, day, wall_text(instant, zone), f"{asked} comes twice on {day_text(day)} in {zone}: the first one counts"
        )
    return Start(instant, day, wall_text(instant, zone))


def _parts(text: str) -> dict[str, str]:
    """Split an RRULE value into its parts, strictly: dateutil forgives what would then silently mean something else.

    Raises:
        ValueError: Unknown, doubled or unreadable part.
    """
    parts: dict[str, str] = {}
    for item in text.upper().strip().rstrip(";").split(";"):
        key, _, value = (side.strip() for side in item.partition("="))
        if key in _ELSEWHERE:
            raise ValueError(f'"{key}" does not belong into rrule: {_ELSEWHERE[key]}')
        if key not in _VALUES:
            raise ValueError(f'"{item}" is no part of a recurrence rule: write it like FREQ=MONTHLY;BYDAY=2TU')
        if key in parts:
            raise ValueError(f'"{key}" is there twice: keep one')
        if not re.fullmatch(_VALUES[key], value):
            raise ValueError(f'"{value}" is no value for {key} in a recurrence rule')
        parts[key] = value
    return parts


def _text(parts: dict[str, str]) -> str:
    return ";".join(f"{key}={value}" for key, value in parts.items())


def _frequency_problem(parts: dict[str, str]) -> str | None:
    frequency = parts.get("FREQ")
    if frequency is None:
        return "FREQ is missing: begin with FREQ=DAILY, FREQ=WEEKLY, FREQ=MONTHLY or FREQ=YEARLY"
    if frequency not in _FREQUENCIES:
        return f"FREQ={frequency} is not possible for a window: DAILY is the finest, then WEEKLY, MONTHLY, YEARLY"
    return None


def _combination_problem(parts: dict[str, str]) -> str | None:
    """What RFC 5545 3.3.10 forbids, and dateutil accepts with another meaning (``FREQ=WEEKLY;BYDAY=2TU`` is every Tuesday there)."""
    frequency = parts["FREQ"]
    for key, frequencies in _GOES_WITH.items():
        if key in parts and frequency not in frequencies:
            return f"{key} does not go with FREQ={frequency}: use FREQ={frequencies[-1]}"
    numbered = any(character.isdigit() for character in parts.get("BYDAY", ""))
    if numbered and (frequency in {"DAILY", "WEEKLY"} or "BYWEEKNO" in parts):
        with_what = "BYWEEKNO" if "BYWEEKNO" in parts else f"FREQ={frequency}"
        return f"a numbered weekday ({parts['BYDAY']}) does not go with {with_what}: use FREQ=MONTHLY, or leave the number out"
    if "BYSETPOS" in parts and not any(key.startswith("BY") and key != "BYSETPOS" for key in parts):
        return "BYSETPOS chooses from another BY part, and there is none: add one, for example BYDAY=MO,TU,WE,TH,FR"
    return None


def _impossible(parts: dict[str, str]) -> str | None:
    """Sets that are empty in every year: found here, because dateutil would look for them until the year 9999."""
    if "BYMONTHDAY" in parts and "BYMONTH" in parts:
        longest = max(monthrange(_A_LEAP_YEAR, int(month))[1] for month in parts["BYMONTH"].split(","))
        if min(abs(int(day)) for day in parts["BYMONTHDAY"].split(",")) > longest:
            return f"it never opens: BYMONTH={parts['BYMONTH']} has no day {parts['BYMONTHDAY']}"
    return None


def _never_fires(rule: StartRule) -> str | None:
    """The first date that is not excepted must exist and lie before ``until``."""
    for base in islice(_dates(rule), len(rule.except_dates) + 1):
        try:
            day = base + timedelta(days=rule.plus_days)
        except OverflowError:
            return f"plus_days {rule.plus_days} leads out of the calendar: make it smaller"
        if rule.until is not None and day > rule.until:
            return f"it never opens: its first start would be {day_text(day)}, after until {rule.until}"
        if day not in rule.except_dates:
            return None
    return "it never opens: no date fits all its parts; loosen one of them"
