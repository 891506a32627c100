"""The small texts of the office files (durations, shares, times, zones, addresses) and what is wrong with them.

Every parser takes what YAML gave and raises ``ValueError`` with a sentence that names the value and the remedy.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import date, time, timedelta
from difflib import get_close_matches
from email.utils import parseaddr
from fractions import Fraction
from typing import Any

from orchestrator.config.documents import VaultText
from orchestrator.domain.person import WorkingHours

SITE_ZONE = "site"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST = timedelta(days=366)

_DURATION = re.compile(r"(?:(\d{1,4})w)?(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s?%")
_ADDRESS = re.compile(r"[^@\s<>,;:\"()]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_RESERVED = frozenset({"last", "next", "all"})


def quoted(value: Any) -> str:
    """Show a value of a file in a message: ``"6h"``; long ones are cut, secrets are not shown."""
    if isinstance(value, VaultText):
        return "a !vault value"
    if value is None:
        return "an empty value"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = " ".join(text.split())
    return f'"{text if len(text) <= 60 else text[:57] + "..."}"'


def did_you_mean(word: str, known: object) -> str:
    """A leading-space sentence naming the nearest known word, or nothing."""
    near = (
        get_close_matches(word, [str(each) for each in known], n=1, cutoff=0.6)
        if isinstance(known, (list, tuple, set, frozenset, dict))
        else []
    )
    return f' Did you mean "{near[0]}"?' if near else ""


def parse_text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or isinstance(value, VaultText):
        hint = ": put it in quotes" if isinstance(value, (int, float)) else ""
        raise ValueError(f"{quoted(value)} is not a text{hint}")  # noqa: TRY004 - one class for every bad value
    if not value.strip():
        raise ValueError("is empty: write a text or remove the key")
    return value


def parse_bool(value: Any) -> bool:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        raise ValueError(f"{quoted(value)} is neither true nor false: write one of them without quotes")  # noqa: TRY004 - one class for every bad value
    return value


def parse_count(value: Any) -> int:
    """A whole number from 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{quoted(value)} is not a whole number from 0 up: write it without quotes and unit")
    return value


def parse_positive(value: Any) -> int:
    """A whole number from 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{quoted(value)} is not a whole number from 1 up: write it without quotes and unit")
    return value


def parse_duration(value: Any) -> timedelta:
    """``90s``, ``45m``, ``5h``, ``1h30m``, ``3d``, ``2w``."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise ValueError(f"{quoted(value)} is not a duration: write a number with a unit, for example 90s, 45m, 5h, 1h30m or 3d")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    found = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    if found > LONGEST:
        raise ValueError(f"{quoted(value)} is more than a year: write at most 366d")
    return found


def parse_reminder(value: Any) -> timedelta:
    """A lead time of a reminder."""
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ValueError(f"{error}; or before_leaving") from None


def parse_time(value: Any) -> time:
    """``22:00``, local wall time."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'{quoted(value)} is not a time of day: write hours and minutes, for example "22:00"')
    return time(int(match[1]), int(match[2]))


def parse_date(value: Any) -> date:
    """``2026-12-09``."""
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{quoted(value)} is not a date: write year-month-day, for example 2026-12-09") from None


def parse_share(value: Any) -> Fraction:
    """``95%``, from 0 to 100."""
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if match is None or Fraction(match[1]) > 100:
        raise ValueError(f"{quoted(value)} is not a share: write a percentage from 0% to 100%, for example 95%")
    return Fraction(match[1]) / 100


def parse_ring_share(value: Any) -> Fraction:
    """A share above 0 %."""
    share = parse_share(value)
    if share == 0:
        raise ValueError(f"{quoted(value)} takes no device: write more than 0%, or remove the ring")
    return share


def parse_stay_up(value: Any) -> int | Fraction:
    """A whole number of devices or a share of them."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str) and _SHARE.fullmatch(value):
        return parse_share(value)
    raise ValueError(
        f"{quoted(value)} says neither how many nor which share: write a number from 1 up or a percentage, for example 2 or 75%"
    )


def parse_zone(value: Any) -> str:
    """An IANA zone of the installed tzdata."""
    text = parse_text(value)
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = did_you_mean(text, zoneinfo.available_timezones())
        raise ValueError(f"{quoted(value)} is not a time zone: write an IANA name such as Europe/Berlin.{near}") from None
    return text


def parse_window_zone(value: Any) -> str:
    """An IANA zone, or ``site``."""
    return SITE_ZONE if value == SITE_ZONE else parse_zone(value)


def parse_address(value: Any) -> str:
    """A plain mail address."""
    if not isinstance(value, str) or isinstance(value, VaultText) or not _ADDRESS.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not a mail address: write it like it@example.org")
    return value


def parse_sender(value: Any) -> tuple[str, str]:
    """``IT maintenance <it@example.org>`` as (display name, address)."""
    name, address = parseaddr(value) if isinstance(value, str) else ("", "")
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f'{quoted(value)} is not a sender: write "IT maintenance <it@example.org>"')
    return name, address


def parse_pattern(value: Any) -> str:
    """An Ansible host pattern, as ``--limit`` takes it, but not ``@file``."""
    text = parse_text(value)
    if text.startswith("@"):
        raise ValueError(f"{quoted(value)} would read a file: write a pattern of groups and devices")
    return text


def parse_name(value: str) -> str:
    """A name that is part of ids, file names and commands."""
    if not _NAME.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not a name: use small letters, digits, - and _")
    return value


def parse_window_name(value: str) -> str:
    """A window's name; the words commands understand in its place are taken."""
    if value in _RESERVED:
        raise ValueError(f"{quoted(value)} has a meaning in commands: give the window another name")
    return parse_name(value)


def parse_hours(value: Any) -> WorkingHours:
    """``09:00-17:00 mon-fri``, days also as ``mon,wed,fri``."""
    words = value.split() if isinstance(value, str) else []
    wrong = ValueError(f'{quoted(value)} are not working hours: write for example "09:00-17:00 mon-fri" or "08:00-12:00 mon,wed"')
    if len(words) != 2 or words[0].count("-") != 1:
        raise wrong
    start, end = (_TIME.fullmatch(part) for part in words[0].split("-"))
    days = _days(words[1])
    if not start or not end or not days:
        raise wrong
    first, last = time(int(start[1]), int(start[2])), time(int(end[1]), int(end[2]))
    if first >= last:
        raise ValueError(f"{quoted(value)} end before they begin: hours lie within one day, so the later time comes second")
    return WorkingHours(first, last, days)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            return frozenset()
        start, end = DAYS.index(first), DAYS.index(last or first)
        found.update(range(start, end + 1) if start <= end else {*range(start, 7), *range(end + 1)})
    return frozenset(found)
