"""Is a recurrence rule one that a maintenance window can have? A bad rule disables itself only, so it has its own check."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

from dateutil.rrule import rrulestr

from orchestrator.config.scalars import did_you_mean, quoted

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "BYWEEKNO", "BYYEARDAY", "WKST"})
_ELSEWHERE = {
    "UNTIL": "write the last date as until: beside rrule",
    "BYHOUR": "at: says the time",
    "BYMINUTE": "at: says the time",
    "BYSECOND": "at: says the time",
    "DTSTART": "since: says where counting begins",
}
_HORIZON = timedelta(days=366 * 30)
_DAY = re.compile(r"(?:[+-]?\d{1,2})?(?:MO|TU|WE|TH|FR|SA|SU)")


def problem_of(rule: str, since: date) -> str | None:
    """Say what is wrong with an RFC 5545 recurrence rule, ``None`` when it is good. It must happen once within 30 years."""
    text = rule.removeprefix("RRULE:")
    parts: dict[str, str] = {}
    for piece in text.split(";"):
        key, equals, value = piece.partition("=")
        if not equals or not value:
            return f'{quoted(rule)} is not a recurrence rule: write for example "FREQ=MONTHLY;BYDAY=2TU"'
        parts[key.upper()] = value
    return _bad_part(rule, parts) or _never(rule, text, since)


def _bad_part(rule: str, parts: dict[str, str]) -> str | None:
    for key in parts:
        if key in _ELSEWHERE:
            return f"{quoted(rule)}: {key} does not belong here; {_ELSEWHERE[key]}"
        if key not in _PARTS:
            return f"{quoted(rule)}: RFC 5545 has no {key}.{did_you_mean(key, _PARTS)}"
    if parts.get("FREQ", "").upper() not in _FREQUENCIES:
        return f"{quoted(rule)}: FREQ must be one of {', '.join(_FREQUENCIES)}"
    for day in parts.get("BYDAY", "MO").upper().split(","):
        if not _DAY.fullmatch(day):
            return f"{quoted(rule)}: {quoted(day)} is not a weekday; write MO, TU, WE, TH, FR, SA or SU, with a number for the n-th (2TU, -1FR)"
    return None


def _never(rule: str, text: str, since: date) -> str | None:
    start = datetime.combine(since, time())
    try:
        dates = rrulestr(text, dtstart=start)
        # Without an end the library would look through eight thousand years for a 31 February.
        first = dates.replace(until=start + _HORIZON).after(start, inc=True)  # type: ignore[union-attr]
    except (ValueError, TypeError, OverflowError) as error:
        return f"{quoted(rule)} is not a recurrence rule: {error}"
    return None if first else f"{quoted(rule)} never happens after {since}: check its days and months"
