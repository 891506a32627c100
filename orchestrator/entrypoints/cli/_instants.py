"""Instants and spans as people write and read them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator.application.errors import BadInputError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def instant(text: str, *, zone: str, now: datetime, option: str) -> datetime:
    """``2026-12-09T22:00``, ``2026-12-09``, ``fri``, ``tomorrow``, ``now`` in ``zone`` → aware UTC. A day alone means its end for deadlines.

    Raises:
        BadInputError: Not one of these.
    """
    here = ZoneInfo(zone)
    today = now.astimezone(here).date()
    word = text.strip().lower()
    if word == "now":
        return now
    if word in {"today", "tomorrow"}:
        return _end(today + timedelta(days=word == "tomorrow"), here)
    if word[:3] in DAYS and word.isalpha():
        ahead = (DAYS.index(word[:3]) - today.weekday()) % 7 or 7
        return _end(today + timedelta(days=ahead), here)
    try:
        if len(word) == len("2026-12-09"):
            return _end(date.fromisoformat(word), here)
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInputError(
            f'{option} "{text}" is not an instant. Write 2026-12-09, 2026-12-09T22:00, tomorrow, or a weekday such as fri.'
        ) from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=here)).astimezone(UTC)


def _end(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def span(seconds: float) -> str:
    """``3 h 10 min``, ``12 min``, ``40 s``."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod((whole + 30) // 60, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def clock(at: datetime, zone: str) -> str:
    """``22:26`` on the wall of ``zone``."""
    return at.astimezone(ZoneInfo(zone)).strftime("%H:%M")


def wall(at: datetime, zone: str) -> str:
    """``Wed 9 Dec 2026 22:00`` on the wall of ``zone``."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %Y %H:%M}"
