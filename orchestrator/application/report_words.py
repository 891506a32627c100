"""Sentences of the report for the people who run the patch night: headline, what happens next, what differed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from orchestrator.application.ports import DeviceRun, OccurrenceRow
from orchestrator.domain.outcome import Outcome, RolloutState
from orchestrator.domain.plan import Plan, PlannedRing

LONGER = 60.0
"""Seconds over its prediction from which a device is worth a line."""
LATE = timedelta(minutes=10)
"""A ring that begins or an occurrence that ends so much later than predicted is worth a line."""

PARTS = (
    (Outcome.FAILED, "failed", "failed"),
    (Outcome.ROLLED_BACK, "failed and was put back", "failed and were put back"),
    (Outcome.UNKNOWN, "is uncertain", "are uncertain"),
    (Outcome.REBOOT_PENDING, "waits for its restart", "wait for their restart"),
    (Outcome.ABSENT, "did not answer", "did not answer"),
    (Outcome.NOT_REACHED, "was not reached", "were not reached"),
    (Outcome.DEFERRED, "was postponed", "were postponed"),
    (Outcome.SKIPPED, "was skipped", "were skipped"),
)

NEXT = MappingProxyType(
    {
        Outcome.FAILED: "Nothing repairs it by itself: look at it. It is planned again next time.",
        Outcome.ROLLED_BACK: "It is as it was before. Find out why before it is planned again next time.",
        Outcome.UNKNOWN: "Nobody can vouch for it: look at the device. It leads the next plan.",
        Outcome.REBOOT_PENDING: "Installed, not yet in force: restart it by hand, or it leads the next plan.",
        Outcome.ABSENT: "It leads the next plan.",
        Outcome.NOT_REACHED: "It leads the next plan.",
        Outcome.DEFERRED: "It is planned again when the postponement ends.",
        Outcome.SKIPPED: "It is planned again next time.",
    }
)
"""What happens next, per outcome that is not good."""

PREFIX = MappingProxyType({RolloutState.CANCELLED: "Cancelled", RolloutState.STOPPED: "Stopped by a red gate"})


def headline(outcomes: Sequence[Outcome], state: RolloutState) -> str:
    """One sentence: ``38 of 41 devices are up to date; 1 failed; 2 were not reached``."""
    total, good = len(outcomes), sum(outcome.good for outcome in outcomes)
    if state is RolloutState.MISSED:
        return f"Missed: the window closed before anything began; none of {total} devices was touched"
    if not total:
        return "No device was planned"
    parts = [f"{number} {one if number == 1 else many}" for outcome, one, many in PARTS if (number := outcomes.count(outcome))]
    if good == total:
        first = f"All {total} devices are up to date" if total > 1 else "The one device is up to date"
    else:
        first = (
            f"{good} of {total} devices {'is' if good == 1 else 'are'} up to date"
            if total > 1
            else "The one device is not up to date"
        )
    sentence = "; ".join((first, *parts))
    return f"{PREFIX[state]}: {sentence}" if state in PREFIX else sentence


def differences(plan: Plan, row: OccurrenceRow, runs: Mapping[str, DeviceRun]) -> list[str]:
    """What was not as the plan said, one sentence each, times in the window's zone."""
    zone = ZoneInfo(plan.occurrence.zone)
    found = [line for ring in plan.rings for line in _ring(ring, runs, zone)]
    for device in plan.devices:
        run = runs.get(device.name)
        if run is None:
            found.append(f"{device.name} was planned, and there is no record of it.")
        elif run.outcome in {Outcome.DEFERRED, Outcome.SKIPPED}:
            found.append(f"{device.name} was planned and then {run.outcome}{f': {run.reason}' if run.reason else ''}.")
    names = {device.name for device in plan.devices}
    found.extend(f"{name} was worked on, and the plan does not name it." for name in runs if name not in names)
    if row.finished_at and row.finished_at - plan.expected_end > LATE:
        found.append(f"It ended {_clock(row.finished_at, zone)}; predicted was {_clock(plan.expected_end, zone)}.")
    return found


def _ring(ring: PlannedRing, runs: Mapping[str, DeviceRun], zone: ZoneInfo) -> list[str]:
    mine = [runs[device.name] for device in ring.devices if device.name in runs]
    starts = [run.started_at for run in mine if run.started_at]
    if not starts:
        return [f"Ring {ring.name} was not begun."] if ring.devices else []
    found = []
    if min(starts) - ring.starts_at > LATE:
        found.append(f"Ring {ring.name} began {_clock(min(starts), zone)}; predicted was {_clock(ring.starts_at, zone)}.")
    p95 = {device.name: device.p95 for device in ring.devices}
    for run in mine:
        if run.started_at and run.finished_at:
            took = (run.finished_at - run.started_at).total_seconds()
            if took - p95[run.device] > LONGER:
                found.append(f"{run.device} took {_minutes(took)}; predicted were at most {_minutes(p95[run.device])}.")
    return found


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%H:%M}"


def _minutes(seconds: float) -> str:
    whole = max(1, round(seconds / 60))
    return f"{whole} minute{'' if whole == 1 else 's'}"
