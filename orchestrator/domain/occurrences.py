"""From windows to dated occurrences: one per opening and, with zone ``site``, one per zone of the sites."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from orchestrator.domain.freezes import frozen
from orchestrator.domain.recurrence import Start, expand, wall_text
from orchestrator.domain.verdict import Allow
from orchestrator.domain.window import Freeze, Occurrence, Window

SITE_ZONE = "site"
_HORIZON = timedelta(days=366 * 10)
_LOOK_BACK = timedelta(days=3)


def occurrences(window: Window, *, sites: Mapping[str, str], after: datetime, before: datetime) -> tuple[Occurrence, ...]:
    """Return the occurrences with ``after <= starts_at < before``, earliest first.

    Args:
        window: Validated window.
        sites: Site name → IANA zone, in the order of the file.
        after: Aware, inclusive.
        before: Aware, exclusive.
    """
    return tuple(_iterate(window, sites, after, before))


def occurrence_at(window: Window, sites: Mapping[str, str], now: datetime) -> Occurrence | None:
    """Return the occurrence that is open at ``now``; with several zones the one that opened first (all: :func:`open_at`)."""
    return next(iter(open_at(window, sites, now)), None)


def open_at(window: Window, sites: Mapping[str, str], now: datetime) -> tuple[Occurrence, ...]:
    """Return every occurrence that is open at ``now``: half-open spans, so nothing is open at its own end."""
    found = occurrences(window, sites=sites, after=now - window.lasts, before=now + timedelta(microseconds=1))
    return tuple(occurrence for occurrence in found if occurrence.is_open(now))


def next_opening(window: Window, sites: Mapping[str, str], freezes: Sequence[Freeze], now: datetime) -> Occurrence | None:
    """Return the next occurrence that starts after ``now`` and that no freeze for everything forbids; ``None`` within ten years."""
    soonest = now + timedelta(microseconds=1)
    for occurrence in _iterate(window, sites, soonest, now + _HORIZON):
        if isinstance(frozen(freezes, occurrence), Allow):
            return occurrence
    return None


def emergency(window: Window, now: datetime, reason: str, number: int, zone: str) -> Occurrence:
    """Open an audited occurrence of its own right now: same length, cutoff, rings and locks as the window's.

    Args:
        window: Whose work, rings and limits apply.
        now: Aware; becomes the start.
        reason: Why, for the record; the caller refuses an empty one.
        number: Counts the emergencies of one local date from 1.
        zone: IANA zone that dates it.
    """
    day = now.astimezone(ZoneInfo(zone)).date()
    start = Start(now, day, wall_text(now, zone))
    opened = _occurrence(window, start, zone, None, f"{window.name}/{day}/emergency-{number}")
    return replace(opened, emergency_reason=reason)


def zones(window: Window, sites: Mapping[str, str]) -> tuple[tuple[str, str | None], ...]:
    """Return (zone, site) per occurrence of one date: the site names the zone only where there are several."""
    if window.zone != SITE_ZONE:
        return ((window.zone, None),)
    first: dict[str, str] = {}
    for site, zone in sites.items():
        first.setdefault(zone, site)
    return tuple((zone, site if len(first) > 1 else None) for zone, site in first.items())


def sites_of(occurrence: Occurrence, window: Window, sites: Mapping[str, str]) -> tuple[str, ...]:
    """Return the sites whose devices belong to this occurrence: all of them, or those that share its zone."""
    if window.zone != SITE_ZONE:
        return tuple(sites)
    return tuple(site for site, zone in sites.items() if zone == occurrence.zone)


def _iterate(window: Window, sites: Mapping[str, str], after: datetime, before: datetime) -> Iterator[Occurrence]:
    """Merge the zones lazily, so that a caller who wants the next one pays for one."""
    lanes = [_lane(window, zone, site, after, before) for zone, site in zones(window, sites)]
    yield from heapq.merge(*lanes, key=lambda occurrence: (occurrence.starts_at, occurrence.id))


def _lane(window: Window, zone: str, site: str | None, after: datetime, before: datetime) -> Iterator[Occurrence]:
    """One zone. It starts early, because the first start of a date keeps the short id, whatever span is asked for."""
    rules = [expand(rule, zone, after=after - _LOOK_BACK, before=before) for rule in window.starts]
    seen: set[str] = set()
    last: datetime | None = None
    for start in heapq.merge(*rules, key=lambda start: start.starts_at):
        if start.starts_at == last:
            continue
        last = start.starts_at
        name = f"{window.name}/{start.local_date}" + (f"/{site}" if site else "")
        if name in seen:
            name += f"/at-{start.starts_at.astimezone(ZoneInfo(zone)):%H%M}"
        seen.add(name)
        if start.starts_at >= after:
            yield _occurrence(window, start, zone, site, name)


def _occurrence(window: Window, start: Start, zone: str, site: str | None, name: str) -> Occurrence:
    ends_at = start.starts_at + window.lasts
    return Occurrence(
        id=name,
        window=window.name,
        starts_at=start.starts_at,
        ends_at=ends_at,
        cutoff_at=ends_at - window.cutoff,
        zone=zone,
        wall=start.wall,
        site=site,
        note="; ".join(filter(None, (start.note, _change_of_clock(start.starts_at, ends_at, zone)))),
    )


def _change_of_clock(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """``lasts`` is elapsed time: say it when the wall clock at the end looks wrong."""
    begin, end = (instant.astimezone(ZoneInfo(zone)) for instant in (starts_at, ends_at))
    moved = (end.utcoffset() or timedelta()) - (begin.utcoffset() or timedelta())
    if not moved:
        return ""
    minutes = int(abs(moved).total_seconds() // 60)
    way = "forward" if moved > timedelta() else "back"
    return f"the clock goes {way} by {minutes} min meanwhile: it ends at {end:%H:%M}, the length stays the same"
