"""The screen of `deskside plan`: short, in the field's words, every line answers the next question."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.domain.plan import Plan, PlannedRing
from orchestrator.domain.window import Gate
from orchestrator.entrypoints.cli._instants import clock, span, wall
from orchestrator.entrypoints.cli._output import columns

SHOWN = 4


def plan_lines(plan: Plan) -> list[str]:
    """The whole plan of one occurrence."""
    occurrence, zone = plan.occurrence, plan.occurrence.zone
    devices, people = len(plan.devices), len(plan.told)
    head = (
        f"{plan.title} · {wall(occurrence.starts_at, zone)} → {wall(occurrence.ends_at, zone)[-5:]} {zone} · "
        f"cutoff {clock(occurrence.cutoff_at, zone)} · tzdata {plan.tzdata or 'unknown'}   plan {plan.hash[:6]}"
    )
    lines = [
        head,
        *([f"note: {occurrence.note}"] if occurrence.note else []),
        *([f"EMERGENCY: {occurrence.emergency_reason}"] if occurrence.emergency_reason else []),
        *[_work(step.playbook, dict(step.vars), str(step.reboot)) for step in plan.work],
        f"{devices} device{'' if devices == 1 else 's'} · {people} {'person' if people == 1 else 'people'}",
        "",
        *columns([("ring", "devices", "starts", "p95", "gate"), *[_ring(ring, zone) for ring in plan.rings]]),
        _end(plan),
        "",
    ]
    return lines + [line for line in _remarks(plan) if line]


def _work(playbook: str, variables: dict[str, object], reboot: str) -> str:
    text = ", ".join(f"{key}={value}" for key, value in variables.items())
    return f"{playbook}{' · ' + text if text else ''} · reboot {reboot.replace('_', ' ')}"


def _ring(ring: PlannedRing, zone: str) -> tuple[str, str, str, str, str]:
    waves = f"{len(ring.waves)} waves · " if len(ring.waves) > 1 else ""
    at_once = f", {ring.at_once} at once" if ring.at_once else ""
    return (
        ring.name,
        names([d.name for d in ring.devices]) + at_once,
        clock(ring.starts_at, zone),
        waves + span(ring.p95),
        gate_text(ring.gate),
    )


def names(devices: Sequence[str]) -> str:
    """``ws-ada ws-linus +2``."""
    if not devices:
        return "nobody"
    more = len(devices) - SHOWN
    return " ".join(devices[:SHOWN]) + (f" +{more}" if more > 0 else "")


def gate_text(gate: Gate) -> str:
    """``95 % ok, at most 2 failed, soak 10 min, http://…``."""
    parts = [f"{float(gate.ok) * 100:g} % ok"]
    if gate.failed_at_most is not None:
        parts.append(f"at most {gate.failed_at_most} failed")
    if gate.soak:
        parts.append(f"soak {span(gate.soak.total_seconds())}")
    return ", ".join([*parts, *[str(probe) for probe in gate.probes]])


def _end(plan: Plan) -> str:
    zone, spare = plan.occurrence.zone, (plan.occurrence.ends_at - plan.expected_end).total_seconds()
    if spare < 0:
        return f" expected end {wall(plan.expected_end, zone)} (p95): {span(-spare)} TOO LONG; what does not fit is not started and leads next time"
    return f" expected end {clock(plan.expected_end, zone)} (p95), {span(spare)} to spare"


def _remarks(plan: Plan) -> list[str]:
    asleep = [device for device in plan.devices if device.asleep_likely]
    wakeable = sum(device.can_wake for device in asleep)
    left = " · ".join(f"{out.name} ({out.reason})" for out in plan.left_out)
    changed = " ".join([*(f"+ {name}" for name in plan.added), *(f"- {name}" for name in plan.removed)])
    untold = "; ".join(row["why"] for row in plan.facts.get("unreachable_people", ()))
    together = "; ".join(f"{group}: {', '.join(members)}" for group, members in plan.facts.get("anti_affinity", {}).items())
    rows = [
        ("not in this plan", left),
        ("probably asleep", f"{len(asleep)}: {wakeable} can be woken, {len(asleep) - wakeable} not" if asleep else ""),
        ("one at a time", together),
        ("leads", " ".join(device.name for device in plan.devices if device.leads)),
        ("changed since last time", changed),
        ("overridden", "; ".join(plan.overridden)),
        ("told", names([told.name for told in plan.told])),
        ("cannot be told", untold),
    ]
    return columns([row for row in rows if row[1]])


def explain_lines(plan: Plan, name: str) -> list[str] | None:
    """Which rule put one device where it is; ``None`` when the plan does not know it."""
    for out in plan.left_out:
        if out.name == name:
            return [f"{name} is not in the plan: {out.reason} ({out.rule})"]
    for ring in plan.rings:
        for device in ring.devices:
            if device.name == name:
                wave = next((number for number, wave in enumerate(ring.waves, 1) if name in wave), None)
                head = f"{name}: ring {ring.name}" + (f", wave {wave} of {len(ring.waves)}" if wave else "")
                return [
                    f"{head}, from about {clock(ring.starts_at, plan.occurrence.zone)}",
                    *[f"  · {reason}" for reason in device.reasons],
                ]
    return None
