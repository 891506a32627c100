"""Instants as people read them: in a named zone, in English whatever the machine's locale is. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class Zone:
    """One reader's time zone. An unknown name becomes UTC, and says so: a notice with a labelled time beats none."""

    def __init__(self, name: str) -> None:
        try:
            self._zone: tzinfo = ZoneInfo(name)
            self.name = name
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._zone, self.name = UTC, "UTC"

    def local(self, at: str | datetime) -> datetime:
        """ISO 8601 text or an aware instant → local time."""
        return (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(self._zone)

    def clock(self, at: str | datetime) -> str:
        """``22:00``."""
        return f"{self.local(at):%H:%M}"

    def day(self, at: str | datetime) -> str:
        """``Wednesday 9 December``."""
        local = self.local(at)
        return f"{WEEKDAYS[local.weekday()]} {local.day} {MONTHS[local.month - 1]}"

    def date(self, at: str | datetime) -> str:
        """``Wednesday 9 December 2026``."""
        return f"{self.day(at)} {self.local(at).year}"

    def when(self, at: str | datetime) -> str:
        """``Wednesday 9 December, 22:00``."""
        return f"{self.day(at)}, {self.clock(at)}"

    def stamp(self, at: str | datetime) -> str:
        """``2026-12-09 22:00``: for tables."""
        return f"{self.local(at):%Y-%m-%d %H:%M}"

    def span(self, start: str | datetime, end: str | datetime) -> str:
        """``Wednesday 9 December 2026, between 22:00 and 03:00 the next morning``."""
        first, last = self.local(start), self.local(end)
        if last.date() == first.date():
            tail = self.clock(end)
        elif last.date() == first.date() + timedelta(days=1):
            tail = f"{self.clock(end)} {'the next morning' if last.hour < 12 else 'the next day'}"
        else:
            tail = f"{self.when(end)}"
        return f"{self.date(start)}, between {self.clock(start)} and {tail}"

    def label(self, at: str | datetime) -> str:
        """``Europe/London, GMT``: the zone, and what its clocks are called that day where that says more than a number."""
        short = self.local(at).tzname() or ""
        return f"{self.name}, {short}" if short.isalpha() and short != self.name else self.name


def minutes(seconds: float | None) -> str:
    """``48 s``, ``7 min``, ``1 h 05 min``; empty for ``None``."""
    if seconds is None:
        return ""
    whole = round(seconds / 60)
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{whole} min" if whole < 60 else f"{whole // 60} h {whole % 60:02d} min"


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 update``, ``22 updates``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
