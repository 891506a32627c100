"""Does it fit (window contract 2): predicted durations, the reboot reserve, and how many must stay up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from orchestrator.domain.verdict import Allow, Deny, Verdict

ENOUGH_SAMPLES = 20
"""From here on history speaks alone: below it the 95th percentile by nearest rank is just the largest sample."""


def p95(history: Sequence[float], prior: float) -> float:
    """Predict how long a device takes, in seconds.

    With at least :data:`ENOUGH_SAMPLES` samples: their 95th percentile by nearest rank. Below: the stated ``prior``, replaced by
    history one sample at a time, and never less than what was already seen to happen.
    """
    if not history:
        return prior
    seen = sorted(history)[math.ceil(len(history) * 0.95) - 1]
    missing = max(0, ENOUGH_SAMPLES - len(history))
    return max(seen, (seen * (ENOUGH_SAMPLES - missing) + prior * missing) / ENOUGH_SAMPLES)


def fits(now: datetime, ends_at: datetime, cutoff_at: datetime, p95_seconds: float, reserve: float) -> Verdict:
    """May work of this length start at ``now``.

    Args:
        now: Aware.
        ends_at: End of the window, exclusive.
        cutoff_at: Nothing new starts from here on.
        p95_seconds: Prediction for the slowest device.
        reserve: Seconds kept for a restart, 0 when none may happen.
    """
    if now >= ends_at:
        return Deny(rule="window-closed", reason="the window has ended")
    if now >= cutoff_at:
        return Deny(rule="cutoff", reason="the cutoff has passed: nothing new starts")
    left = (ends_at - now).total_seconds()
    if p95_seconds + reserve <= left:
        return Allow()
    return Deny(rule="does-not-fit", reason=too_long(p95_seconds, reserve, left))


def too_long(p95_seconds: float, reserve: float, seconds_left: float) -> str:
    """Return the sentence with the numbers of a device that would not be done in time."""
    needs = f"needs {minutes(p95_seconds)} (p95)" + (f" + {minutes(reserve)} restart reserve" if reserve else "")
    return f"{needs}, but only {minutes(seconds_left)} are left"


def minutes(seconds: float) -> str:
    """``12 min`` rounded up; below a minute ``40 s``; nothing negative."""
    whole = math.ceil(max(0.0, seconds))
    return f"{whole} s" if whole < 60 else f"{math.ceil(whole / 60)} min"


def no_reboot_after(ends_at: datetime, reserve: float) -> datetime:
    """Return the last instant at which a restart may begin. ``reserve`` in seconds."""
    return ends_at - timedelta(seconds=reserve)


def stay_up_floor(value: int | Fraction, size: int) -> int:
    """Return how many of a group of ``size`` must stay untouched: a number as it is, a share rounded up."""
    return math.ceil(value * size) if isinstance(value, Fraction) else value
