"""One document per occurrence: page, PDF, CSV and JSON all come from it (window contract 14). Pure, JSON-able.

Times are ISO 8601 UTC; ``occurrence.zone`` is the zone in which a reader thinks. docs/reference/report.md names every key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from orchestrator.application import report_people, report_words, run_detail
from orchestrator.application.notice_facts import iso
from orchestrator.application.ports import DeviceRun, GateRow, LogEntry, OccurrenceRow, OutboxRow
from orchestrator.domain.outcome import DeviceState, Outcome
from orchestrator.domain.plan import Plan, PlannedDevice, PlannedRing
from orchestrator.domain.window import Gate

VERSION = 1
NOTABLE = frozenset(
    {
        "emergency",
        "cancel",
        "pause",
        "resume",
        "skip",
        "defer",
        "wake",
        "wait",
        "adopted",
        "lease-lost",
        "lock-freed",
        "missed",
        "refused",
    }
)
"""Entries of the record that a lead wants to read; the rest is machinery."""
FAILURES = (Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.UNKNOWN, Outcome.REBOOT_PENDING)
"""What stands first, in this order."""

LISTS = MappingProxyType(
    {
        "absent": (Outcome.ABSENT,),
        "not_reached": (Outcome.NOT_REACHED,),
        "reboot_pending": (Outcome.REBOOT_PENDING,),
        "taken_out": (Outcome.DEFERRED, Outcome.SKIPPED),
    }
)
"""Lists of their own, by outcome."""


def build(  # noqa: PLR0917 - the rooms of the store, in their order
    plan: Plan,
    occurrence_row: OccurrenceRow,
    runs: Sequence[DeviceRun],
    gates: Sequence[GateRow],
    outbox_rows: Sequence[OutboxRow],
    log: Sequence[LogEntry],
    *,
    made_at: datetime,
) -> dict[str, Any]:
    """Say what happened in one occurrence, for people and for checkers.

    Args:
        plan: The plan that was carried out.
        occurrence_row: Its state.
        runs: What is known about each device.
        gates: How each gate was decided.
        outbox_rows: All notices of the occurrence.
        log: The record, in any order.
        made_at: Now.

    Returns:
        The document; ``changes`` is the exact set of package changes that the devices reported.
    """
    by_name = {run.device: run for run in runs}
    devices = [_device(ring.name, device, by_name.get(device.name)) for ring in plan.rings for device in ring.devices]
    devices += [_stranger(run) for name, run in by_name.items() if name not in {device.name for device in plan.devices}]
    outcomes = [Outcome(device["outcome"]) for device in devices]
    return {
        "v": VERSION,
        "made_at": iso(made_at),
        "occurrence": _occurrence(plan, occurrence_row),
        "headline": report_words.headline(outcomes, occurrence_row.state),
        "tone": "good" if all(outcome.good for outcome in outcomes) and outcomes else "bad",
        "counts": {"planned": len(devices), **{outcome.value: outcomes.count(outcome) for outcome in Outcome}},
        "failures": [device for outcome in FAILURES for device in devices if device["outcome"] == outcome],
        "rings": [_ring(ring, by_name, gates) for ring in plan.rings],
        "span": _span(occurrence_row, runs, gates),
        "devices": devices,
        **{key: _named(devices, wanted) for key, wanted in LISTS.items()},
        "left_out": [{"device": left.name, "rule": left.rule, "reason": left.reason} for left in plan.left_out],
        "people": report_people.people(plan, outbox_rows),
        "not_told": report_people.unreachable(plan, outbox_rows),
        "ambiguous": report_people.ambiguous(plan, outbox_rows),
        "differences": report_words.differences(plan, occurrence_row, by_name),
        "changes": changes(runs),
        "log": _log(log),
        "plan": _plan(plan),
    }


def changes(runs: Iterable[DeviceRun]) -> list[dict[str, str]]:
    """The set of ``{device, package, from, to}``, sorted: what dpkg.log on the devices must say too, in both directions."""
    found = {(run.device, row["package"], row["from"], row["to"]) for run in runs for row in run_detail.packages(run)}
    return [{"device": device, "package": package, "from": old, "to": new} for device, package, old, new in sorted(found)]


# -- the occurrence ----------------------------------------------------------------------------------------------------


def _occurrence(plan: Plan, row: OccurrenceRow) -> dict[str, Any]:
    occurrence = plan.occurrence
    return {
        "id": occurrence.id,
        "window": occurrence.window,
        "title": plan.title,
        "state": row.state.value,
        "starts_at": iso(occurrence.starts_at),
        "ends_at": iso(occurrence.ends_at),
        "cutoff_at": iso(occurrence.cutoff_at),
        "opened_at": _iso(row.opened_at),
        "finished_at": _iso(row.finished_at),
        "zone": occurrence.zone,
        "wall": occurrence.wall,
        "site": occurrence.site,
        "dst": occurrence.note,
        "note": row.note,
        "emergency": occurrence.emergency_reason or row.emergency_reason or "",
        "actor": row.actor,
    }


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "hash": plan.hash,
        "made_at": _iso(plan.made_at),
        "tzdata": plan.tzdata,
        "expected_end": iso(plan.expected_end),
        "work": [{"playbook": work.playbook, "vars": dict(work.vars), "reboot": work.reboot.value} for work in plan.work],
        "added": list(plan.added),
        "removed": list(plan.removed),
        "overridden": list(plan.overridden),
        "one_at_a_time": list(plan.one_at_a_time),
        "stay_up": dict(plan.stay_up),
    }


def _span(row: OccurrenceRow, runs: Sequence[DeviceRun], gates: Sequence[GateRow]) -> dict[str, str | None]:
    """From the first thing that happened to the last: the scale of the bars."""
    known = [
        row.opened_at,
        row.finished_at,
        *(run.started_at for run in runs),
        *(run.finished_at for run in runs if run.started_at),
    ]
    known += [gate.decided_at for gate in gates]
    instants = [at for at in known if at is not None]
    return {"from": _iso(min(instants, default=None)), "to": _iso(max(instants, default=None))}


def _log(log: Sequence[LogEntry]) -> list[dict[str, str]]:
    return [
        {"at": iso(entry.at), "kind": entry.kind, "text": entry.text, "device": entry.device, "actor": entry.actor}
        for entry in sorted(log, key=lambda entry: entry.at)
        if entry.kind in NOTABLE
    ]


# -- rings -------------------------------------------------------------------------------------------------------------


def _ring(ring: PlannedRing, runs: Mapping[str, DeviceRun], gates: Sequence[GateRow]) -> dict[str, Any]:
    mine = [runs[device.name] for device in ring.devices if device.name in runs]
    started = [run.started_at for run in mine if run.started_at]
    finished = [run.finished_at for run in mine if run.started_at and run.finished_at]
    gate = next((row for row in gates if row.ring == ring.name), None)
    return {
        "name": ring.name,
        "planned_at": iso(ring.starts_at),
        "p95": ring.p95,
        "at_once": ring.at_once,
        "started_at": _iso(min(started, default=None)),
        "finished_at": _iso(max(finished, default=None)),
        "good": sum(run_detail.outcome_of(run).good for run in mine),
        "devices": [device.name for device in ring.devices],
        "gate": {"asks": _asks(ring.gate), **_gate(gate)},
        "bars": [_bar(run) for run in sorted(mine, key=lambda run: (run.wave or 0, run.device))],
    }


def _asks(gate: Gate) -> str:
    parts = [f"{round(float(gate.ok) * 100)} % ok"]
    if gate.failed_at_most is not None:
        parts.append(f"at most {gate.failed_at_most} failed")
    if gate.soak:
        seconds = round(gate.soak.total_seconds())
        parts.append(f"soak {seconds} s" if seconds < 120 else f"soak {round(seconds / 60)} min")
    return ", ".join((*parts, *(str(probe) for probe in gate.probes)))


def _gate(row: GateRow | None) -> dict[str, Any]:
    if row is None:
        return {"verdict": "", "reason": "", "started_at": None, "soak_until": None, "decided_at": None}
    return {
        "verdict": row.verdict,
        "reason": row.reason,
        "started_at": iso(row.started_at),
        "soak_until": iso(row.soak_until),
        "decided_at": _iso(row.decided_at),
    }


def _bar(run: DeviceRun) -> dict[str, Any]:
    return {
        "device": run.device,
        "wave": run.wave,
        "outcome": run_detail.outcome_of(run).value,
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
        "restarted_at": _iso(run_detail.restarted_at(run)),
    }


# -- devices -----------------------------------------------------------------------------------------------------------


def _device(ring: str, device: PlannedDevice, run: DeviceRun | None) -> dict[str, Any]:
    if run is None:
        run = DeviceRun(occurrence="", device=device.name, ring=ring, state=DeviceState.PLANNED, outcome=Outcome.NOT_REACHED)
        run = replace(run, reason="there is no record of it")
    return _head(device.name, ring, device.users) | _record(run)


def _stranger(run: DeviceRun) -> dict[str, Any]:
    return _head(run.device, run.ring, ()) | _record(run)


def _head(name: str, ring: str, users: Sequence[str]) -> dict[str, Any]:
    return {"device": name, "ring": ring, "users": list(users)}


def _record(run: DeviceRun) -> dict[str, Any]:
    outcome = run_detail.outcome_of(run)
    took = (run.finished_at - run.started_at).total_seconds() if run.started_at and run.finished_at else None
    lists = ("services", "services_pending", "held", "rejected", "warnings")
    return {
        "outcome": outcome.value,
        "reason": run.reason,
        "lines": list(run.lines),
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
        "seconds": took,
        "changes": list(run_detail.packages(run)),
        "pending": list(run_detail.pending(run)),
        **{key: list(run_detail.texts(run, key)) for key in lists},
        "restart": _restart(run),
        "restart_needed": list(run_detail.texts(run, "reboot_reasons")) if outcome is Outcome.REBOOT_PENDING else [],
        "next": _next(outcome),
    }


def _restart(run: DeviceRun) -> dict[str, Any] | None:
    if not run_detail.restarted(run):
        return None
    return {"at": _iso(run_detail.restarted_at(run)), "seconds": run_detail.restart_seconds(run)}


def _next(outcome: Outcome) -> str:
    return report_words.NEXT.get(outcome, "")


def _named(devices: Sequence[Mapping[str, Any]], wanted: Sequence[Outcome]) -> list[dict[str, str]]:
    keys = ("device", "outcome", "reason", "next")
    return [{key: device[key] for key in keys} for outcome in wanted for device in devices if device["outcome"] == outcome]


def _iso(at: datetime | None) -> str | None:
    return iso(at) if at is not None else None
