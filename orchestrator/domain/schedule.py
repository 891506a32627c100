"""When people are told: in their own working hours, never after the fact (window contract 11)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from orchestrator.domain.person import WorkingHours
from orchestrator.domain.window import Occurrence, PeopleRule

BEFORE_LEAVING = "before_leaving"
_LAST_HOUR = timedelta(hours=1)
_FAR = 15
"""Days looked at in either direction: two weeks hold every weekday twice."""


def within_hours(instant: datetime, person_zone: str, hours: WorkingHours) -> bool:
    """Tell whether the person works at ``instant``. Hours past midnight belong to the day they begin."""
    return any(start <= instant < end for start, end in _spans(instant, person_zone, hours, range(-1, 1)))


def next_working(instant: datetime, zone: str, hours: WorkingHours, not_after: datetime) -> datetime:
    """Return ``instant`` if it is within hours, else the next start of work, in UTC.

    When work does not begin before ``not_after``, ``instant`` itself: late at night is better than too late.
    """
    for start, end in _spans(instant, zone, hours, range(-1, _FAR)):
        if end > instant:
            found = max(start, instant)
            return found.astimezone(UTC) if found < not_after else instant.astimezone(UTC)
    return instant.astimezone(UTC)


def previous_working(instant: datetime, zone: str, hours: WorkingHours) -> datetime:
    """Return ``instant`` if it is within hours, else one hour before the last end of work (or that day's start), in UTC.

    Of somebody who never works: ``instant`` itself.
    """
    for start, end in reversed(tuple(_spans(instant, zone, hours, range(-_FAR, 1)))):
        if start <= instant:
            return (instant if instant < end else max(start, end - _LAST_HOUR)).astimezone(UTC)
    return instant.astimezone(UTC)


def invite_time(rule: PeopleRule, occurrence: Occurrence, zone: str, hours: WorkingHours, now: datetime) -> datetime | None:
    """Return when the invitation is due: ``invite`` before the start, moved back into working hours; if that has passed, as soon as work begins.

    ``None``: no invitation is wanted, or the window has opened.
    """
    if rule.invite is None or now >= occurrence.starts_at:
        return None
    due = previous_working(occurrence.starts_at - rule.invite, zone, hours)
    return due if due > now else next_working(now, zone, hours, occurrence.starts_at)


def reminder_times(
    rule: PeopleRule, occurrence: Occurrence, zone: str, hours: WorkingHours, now: datetime
) -> tuple[tuple[str, datetime], ...]:
    """Return (key, due) of the reminders, earliest first; keys are ``1d``, ``2h``, ``before_leaving``.

    Overdue ones become one, due as soon as work begins, and none when another one follows by then. Nothing after the start.
    """
    wanted = _wanted(rule, occurrence, zone, hours)
    coming = [(key, due) for due, key in wanted if due > now]
    overdue = [key for due, key in wanted if due <= now]
    if overdue:
        due = next_working(now, zone, hours, occurrence.starts_at)
        if not coming or due < coming[0][1]:
            coming.insert(0, (overdue[-1], due))
    return tuple((key, due) for key, due in coming if due < occurrence.starts_at)


def lead_key(lead: timedelta) -> str:
    """Name a lead time by its largest whole unit: ``1d``, ``36h``, ``90m``."""
    minutes = int(lead.total_seconds() // 60)
    for size, unit in ((24 * 60, "d"), (60, "h")):
        if minutes and minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


def _wanted(rule: PeopleRule, occurrence: Occurrence, zone: str, hours: WorkingHours) -> list[tuple[datetime, str]]:
    """(due, key) in order of time; of several at one instant the one nearest to the start names it."""
    leads = {lead: lead_key(lead) for lead in rule.remind}
    if rule.before_leaving:
        leads[_LAST_HOUR] = BEFORE_LEAVING
    dues = {previous_working(occurrence.starts_at - lead, zone, hours): key for lead, key in sorted(leads.items(), reverse=True)}
    return sorted(dues.items())


def _spans(around: datetime, zone: str, hours: WorkingHours, days: range) -> Iterator[tuple[datetime, datetime]]:
    """Working spans of the local days around an instant, as UTC. An end at or before the start is on the next day."""
    here = ZoneInfo(zone)
    today = around.astimezone(here).date()
    overnight = timedelta(days=1 if hours.end <= hours.start else 0)
    for offset in days:
        day = today + timedelta(days=offset)
        if day.weekday() in hours.days:
            start = datetime.combine(day, hours.start, here).astimezone(UTC)
            yield start, datetime.combine(day + overnight, hours.end, here).astimezone(UTC)
