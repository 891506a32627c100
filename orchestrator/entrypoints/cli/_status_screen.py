"""The screen of `deskside status`: what is happening, what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orchestrator.application.ports import DeviceRun, GateRow, OccurrenceRow, Store
from orchestrator.domain.outcome import DeviceState, Outcome
from orchestrator.domain.plan import Plan
from orchestrator.entrypoints.cli._instants import clock, span, wall
from orchestrator.entrypoints.cli._output import columns

MARKS = {"good": "✓", "bad": "✗", "running": "●", "open": "○", "other": "-"}
BAR = 10
RUNNING = frozenset({DeviceState.RUNNING, DeviceState.REBOOTING, DeviceState.CHECKING})


def status_lines(store: Store, row: OccurrenceRow, *, now: datetime) -> list[str]:
    """The state of one occurrence, from the store alone."""
    plan = store.plan(row.id)
    if plan is None:
        return [f"{row.id} · {row.state}{' · ' + row.note if row.note else ''}"]
    runs, gates = list(store.device_runs(row.id)), {gate.ring: gate for gate in store.gates(row.id)}
    lines = [_head(plan, row, runs, now), " " + "   ".join(_ring(ring.name, runs, gates) for ring in plan.rings)]
    working = [run for run in runs if run.state in RUNNING]
    settled = sorted((run for run in runs if run.outcome is not None), key=lambda run: run.finished_at or now)
    lines += columns([_device(run, now) for run in [*working, *settled[-12:]]])
    if not row.state.over:
        lines.append(_next(plan, row, runs, gates, now))
    elif row.note:
        lines.append(f" {row.state}: {row.note}")
    return [line for line in lines if line]


def mark(run: DeviceRun) -> str:
    """One sign per device."""
    if run.outcome is None:
        return MARKS["running"] if run.state in RUNNING else MARKS["open"]
    if run.outcome.good:
        return MARKS["good"]
    return MARKS["bad"] if run.outcome.bad else MARKS["other"]


def _head(plan: Plan, row: OccurrenceRow, runs: Sequence[DeviceRun], now: datetime) -> str:
    zone = plan.occurrence.zone
    counts = " ".join(f"{sign} {sum(mark(run) == sign for run in runs)}" for sign in MARKS.values())
    if row.state.over:
        when = f"{row.state} {wall(row.finished_at, zone) if row.finished_at else ''}"
    elif now < plan.occurrence.starts_at:
        when = f"opens {plan.occurrence.wall}"
    else:
        left = (plan.occurrence.ends_at - now).total_seconds()
        when = f"{clock(now, zone)} {zone} · {row.state} · {span(left)} left" if left > 0 else f"{row.state} · past its end"
    return f"{plan.title} · {row.id} · {when}   {counts}"


def _ring(name: str, runs: Sequence[DeviceRun], gates: dict[str, GateRow]) -> str:
    mine = [run for run in runs if run.ring == name]
    done = sum(run.outcome is not None for run in mine)
    filled = BAR * done // len(mine) if mine else BAR
    gate = gates.get(name)
    told = "" if gate is None else {"green": " gate ✓", "red": " gate ✗", "": " soaking"}[gate.verdict]
    return f"{name} {'█' * filled}{'░' * (BAR - filled)} {done}/{len(mine)}{told}"


def _device(run: DeviceRun, now: datetime) -> tuple[str, str, str, str]:
    if run.outcome is None:
        text = str(run.detail.get("progress") or run.state)
        since = span((now - run.started_at).total_seconds()) if run.started_at else ""
    else:
        packages = len(run.detail.get("packages", ()))
        told = [
            str(run.outcome),
            f"{packages} updates" if packages else "",
            "restarted" if run.detail.get("rebooted") else "",
            run.reason,
        ]
        text = ", ".join(part for part in told if part)
        since = span((run.finished_at - run.started_at).total_seconds()) if run.started_at and run.finished_at else ""
    return mark(run), run.device, text, since


def _next(plan: Plan, row: OccurrenceRow, runs: Sequence[DeviceRun], gates: dict[str, GateRow], now: datetime) -> str:
    soaking = next((gate for gate in gates.values() if not gate.verdict), None)
    if soaking is not None:
        return f" next: gate {soaking.ring} at about {clock(soaking.soak_until, plan.occurrence.zone)}"
    waiting = [run for run in runs if run.reason.startswith("waits") and run.outcome is None]
    if waiting:
        return f" {waiting[0].device} {waiting[0].reason}"
    if row.state == "paused":
        return f" paused. Go on with: deskside resume {row.id}"
    del now
    left = [run.device for run in runs if run.outcome is None and run.state not in RUNNING]
    return f" next: {' '.join(left[:5])}{' …' if len(left) > 5 else ''}" if left else ""


def bad(runs: Sequence[DeviceRun]) -> list[DeviceRun]:
    """Devices a lead must look at."""
    return [run for run in runs if run.outcome is None or run.outcome.bad or run.outcome is Outcome.NOT_REACHED]
