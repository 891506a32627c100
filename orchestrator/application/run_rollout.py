"""Use case: carry one occurrence through its rings. Each method is one idempotent step of the durable workflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator.application.notice_facts import closing_notices
from orchestrator.application.office import OfficeFacts
from orchestrator.application.plan_rollout import may_restart
from orchestrator.application.ports import Clock, DeviceRun, GateRow, LogEntry, OccurrenceRow, Prober, ProbeResult, Store
from orchestrator.application.rollout_steps import GO
from orchestrator.application.run_batch import RunBatch
from orchestrator.application.steer_rollout import take_back
from orchestrator.domain import freezes, gates, occurrences, waves
from orchestrator.domain.notice import NoticeKind
from orchestrator.domain.outcome import DeviceState, Outcome, RolloutState
from orchestrator.domain.plan import Plan, PlannedRing
from orchestrator.domain.verdict import Allow, Deny, Verdict
from orchestrator.domain.window import RebootPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSettings:
    """Timings in seconds. ``lock_wait``: pause before asking again for devices that somebody else holds."""

    reboot_reserve: float = 900.0
    wake_wait: float = 180.0
    poll: float = 2.0
    lock_wait: float = 2.0


class RunRollout:
    """The steps of one occurrence. The store is the only memory: a step that is repeated finds what it did before."""

    def __init__(
        self,
        *,
        office: OfficeFacts,
        store: Store,
        prober: Prober,
        clock: Clock,
        run_batch: RunBatch,
        probed: Callable[[str], bool],
        settings: RolloutSettings,
    ) -> None:
        self._office = office
        self._store = store
        self._prober = prober
        self._clock = clock
        self._batch = run_batch
        self._probed = probed
        self._settings = settings

    # -- open ----------------------------------------------------------------------------------------------------

    def open(self, occurrence: str) -> str:
        """``go``, or why nothing may start. A late start touches nothing: missed is missed (contract 4)."""
        row, plan = self._store.occurrence(occurrence), self._store.plan(occurrence)
        if row is None or plan is None:
            return f"{occurrence} has no plan"
        if row.state.over:
            return f"{occurrence} is {row.state}"
        if row.state is not RolloutState.PLANNED:
            return GO
        now = self._clock.now()
        verdict = plan.occurrence.may_start(now)
        if isinstance(verdict, Deny):
            if verdict.until is None:
                self._store.move(occurrence, RolloutState.MISSED, note=verdict.reason, now=now)
                self._log(occurrence, "missed", f"nothing was touched: {verdict.reason}")
            return verdict.reason
        frozen = freezes.frozen(self._office.freezes, plan.occurrence)
        if isinstance(frozen, Deny):  # written after the plan was made: freezes win (contract 6)
            return self._frozen(occurrence, frozen.reason)
        self._store.move(occurrence, RolloutState.RUNNING, now=now)
        self._store.put_ring_members(row.window, {device.name: ring.name for ring in plan.rings for device in ring.devices})
        self._log(occurrence, "opened", f"{len(plan.devices)} devices in {len(plan.rings)} rings, plan {plan.hash}")
        return GO

    def _frozen(self, occurrence: str, reason: str) -> str:
        now = self._clock.now()
        self._store.move(occurrence, RolloutState.CANCELLED, note=reason, now=now)
        take_back(self._store, occurrence, reason, at=now)
        self._log(occurrence, "frozen", f"nothing was touched: {reason}")
        return reason

    def rings(self, occurrence: str) -> list[str]:
        """The rings in order."""
        return [ring.name for ring in self._plan(occurrence).rings]

    # -- a ring --------------------------------------------------------------------------------------------------

    def begin_ring(self, occurrence: str, ring: str) -> None:
        """Ask every device of the ring, wake those that sleep, settle those that need nothing or stay away."""
        plan = self._plan(occurrence)
        skipped = self._store.skips(occurrence)
        waiting = [
            run
            for run in self._ring_runs(occurrence, ring)
            if run.state in {DeviceState.PLANNED, DeviceState.PROBING} and not run.touched
        ]
        for run in [run for run in waiting if run.device in skipped]:
            self._settle(run, Outcome.SKIPPED, f"skipped by {skipped[run.device]}")
        waiting = [run for run in waiting if run.device not in skipped]
        if not waiting or self._halted(occurrence, plan) is not None:
            return
        self._log(occurrence, "phase", f"ring {ring}: asking {len(waiting)} devices")
        for run in waiting:
            self._put(replace(run, state=DeviceState.PROBING))
        answers = self._ask(plan, [run.device for run in waiting])
        for run in waiting:
            self._sort(plan, replace(run, state=DeviceState.PROBING), answers[run.device])

    def _ask(self, plan: Plan, devices: Sequence[str]) -> Mapping[str, ProbeResult]:
        answers = dict(self._prober.probe(devices, occurrence=plan.occurrence.id))
        asleep = [name for name, answer in answers.items() if not answer.reachable]
        if asleep and plan.facts.get("wake"):
            answers.update(self._wake(plan, asleep))
        now = self._clock.now()
        for answer in answers.values():
            self._store.put_health(answer, at=now)
        return answers

    def _wake(self, plan: Plan, asleep: Sequence[str]) -> Mapping[str, ProbeResult]:
        by_waker: dict[str, dict[str, str]] = {}
        for name in asleep:
            if name in plan.facts.get("wakers", {}):
                waker, mac = plan.facts["wakers"][name]
                by_waker.setdefault(waker, {})[name] = mac
        called: list[str] = []
        for waker, macs in by_waker.items():
            for name, why in self._prober.wake(waker, macs).items():
                self._log(plan.occurrence.id, "wake", f"{name} through {waker}: {why or 'magic packet sent'}", name)
                called += [] if why else [name]
        answers: dict[str, ProbeResult] = {}
        deadline = self._clock.monotonic() + self._settings.wake_wait
        while called and self._clock.monotonic() < deadline:
            self._clock.sleep(self._settings.poll)
            found = {n: a for n, a in self._prober.probe(called, occurrence=plan.occurrence.id).items() if a.reachable}
            answers.update(found)
            called = [name for name in called if name not in found]
        return answers

    def _sort(self, plan: Plan, run: DeviceRun, answer: ProbeResult) -> None:
        if not answer.reachable:
            self._settle(run, Outcome.ABSENT, answer.error or "did not answer")
        elif not answer.needs_run and not answer.guard and self._nothing_to_prove(plan):
            detail = {"pending": [dict(row) for row in answer.pending or ()], "path": "probe"}
            self._settle(run, Outcome.OK, "", detail=detail)
        else:
            self._put(replace(run, state=DeviceState.QUEUED))

    def _nothing_to_prove(self, plan: Plan) -> bool:
        """The probe may only speak for playbooks whose spec says so, and never where a restart is asked for anyway."""
        return all(self._probed(work.playbook) and work.reboot is not RebootPolicy.ALWAYS for work in plan.work)

    # -- waves ---------------------------------------------------------------------------------------------------

    def next_batch(self, occurrence: str, ring: str) -> Mapping[str, Any]:
        """``{"batch": id}``, ``{"wait": seconds}`` or ``{"done": True}``."""
        plan = self._plan(occurrence)
        runs = [run for run in self._ring_runs(occurrence, ring) if run.state is not DeviceState.SETTLED]
        unfinished = [run.batch for run in runs if run.batch and not self._store.lease_finished(run.batch)]
        if unfinished:
            return {"batch": unfinished[0]}
        if not runs:
            return {"done": True}
        if self._row(occurrence).state is RolloutState.PAUSED and plan.occurrence.is_open(self._clock.now()):
            return {"wait": self._settings.lock_wait}
        halted = self._halted(occurrence, plan)
        if halted is not None:
            for run in runs:
                self._settle(run, Outcome.NOT_REACHED, halted)
            return {"done": True}
        return self._choose(plan, self._ring(plan, ring), runs)

    def _choose(self, plan: Plan, ring: PlannedRing, runs: Sequence[DeviceRun]) -> Mapping[str, Any]:
        order = [device.name for device in ring.devices]
        candidates = sorted((run.device for run in runs), key=order.index)
        facts = plan.facts
        choice = waves.next_wave(
            candidates,
            at_once=ring.at_once,
            groups=facts.get("anti_affinity", {}),
            stay_up={label: (members, int(floor)) for label, (members, floor) in facts.get("stay_up", {}).items()},
            busy=[lock.device for lock in self._store.locks()],
            p95={device.name: device.p95 for device in ring.devices},
            seconds_left=(plan.occurrence.ends_at - self._clock.now()).total_seconds(),
            reserve=self._reserve(plan),
        )
        by_name = {run.device: run for run in runs}
        for device, why in choice.misfits.items():
            self._settle(by_name.pop(device), Outcome.NOT_REACHED, why)
        if not choice.devices:
            return {"wait": self._settings.lock_wait} if by_name else {"done": True}
        number = 1 + max((run.wave or 0 for run in self._ring_runs(plan.occurrence.id, ring.name)), default=0)
        batch = f"{plan.occurrence.id}/{ring.name}/w{number}"
        for device in choice.devices:
            self._put(replace(by_name[device], state=DeviceState.QUEUED, wave=number, batch=batch))
        return {"batch": batch}

    def run_batch(self, batch: str) -> None:
        """Carry out one wave (:mod:`orchestrator.application.run_batch`)."""
        self._batch(batch.rsplit("/", 2)[0], batch)

    # -- gates ---------------------------------------------------------------------------------------------------

    def start_gate(self, occurrence: str, ring: str) -> None:
        """Begin the soak, once."""
        if any(row.ring == ring for row in self._store.gates(occurrence)):
            return
        now = self._clock.now()
        soak = self._ring(self._plan(occurrence), ring).gate.soak
        if self._halted(occurrence, self._plan(occurrence)) is not None:
            soak = timedelta(0)
        self._store.put_gate(
            GateRow(occurrence=occurrence, ring=ring, verdict="", reason="", started_at=now, soak_until=now + soak)
        )
        self._log(occurrence, "phase", f"gate {ring}: soaking {soak.total_seconds():.0f} s")

    def gate(self, occurrence: str, ring: str) -> Mapping[str, Any]:
        """``{"wait": seconds}`` while it soaks, then ``{"verdict": "green" | "red"}``; decided once and kept."""
        row = next(row for row in self._store.gates(occurrence) if row.ring == ring)
        if row.verdict:
            return {"verdict": row.verdict}
        plan, now = self._plan(occurrence), self._clock.now()
        if now < row.soak_until and self._halted(occurrence, plan) is None:
            return {"wait": min((row.soak_until - now).total_seconds(), 5.0)}
        verdict = self._judge(plan, ring, halted=self._halted(occurrence, plan) is not None)
        red = isinstance(verdict, Deny)
        reason = verdict.reason if isinstance(verdict, Deny) else ""
        self._store.put_gate(replace(row, verdict="red" if red else "green", reason=reason, decided_at=now))
        self._log(occurrence, "gate", f"gate of ring {ring} is {'red: ' + reason if red else 'green'}")
        return {"verdict": "red" if red else "green"}

    def _judge(self, plan: Plan, ring: str, *, halted: bool) -> Verdict:
        """A ring that time or a person cut short is judged only by what went wrong in it: nothing starts after it anyway."""
        gate = self._ring(plan, ring).gate
        runs = self._ring_runs(plan.occurrence.id, ring)
        if halted and not any(run.outcome is not None and run.outcome.bad for run in runs):
            return Allow()
        good = [run.device for run in runs if run.outcome is not None and run.outcome.good]
        answers: dict[str, str] = {}
        for probe in gate.probes:
            for where, why in self._prober.health(probe, good).items():
                answers[f"{probe} ({where})"] = why
        return gates.judge(gate, {run.device: run.outcome for run in runs if run.outcome is not None}, answers)

    # -- the end -------------------------------------------------------------------------------------------------

    def finish(self, occurrence: str) -> None:
        """Settle what was not reached, close the occurrence, put the closing notices and the report into the outbox."""
        row, plan = self._row(occurrence), self._plan(occurrence)
        if row.state.over:
            return
        red = [gate for gate in self._store.gates(occurrence) if gate.verdict == "red"]
        halted = self._halted(occurrence, plan)
        for run in [run for run in self._store.device_runs(occurrence) if run.state is not DeviceState.SETTLED]:
            stopped = f"the gate of ring {red[0].ring} was red: {red[0].reason}" if red else ""
            why = stopped if stopped and row.state is not RolloutState.CANCELLING else halted or "its ring was not begun"
            self._settle(run, Outcome.UNKNOWN if run.touched else Outcome.NOT_REACHED, why)
        self._log(occurrence, "phase", "report")
        ended = self._ended(row, red=bool(red))
        now = self._clock.now()
        self._store.cancel(occurrence, kinds=[NoticeKind.REMINDER, NoticeKind.STARTED])
        self._close(plan, now)
        note = row.note or (f"gate of ring {red[0].ring} was red" if red else "")
        self._store.move(occurrence, ended, note=note, now=now)
        self._log(occurrence, "finished", f"{ended}{': ' + note if note else ''}")

    def _ended(self, row: OccurrenceRow, *, red: bool) -> RolloutState:
        if row.state is RolloutState.CANCELLING:
            return RolloutState.CANCELLED
        return RolloutState.STOPPED if red else RolloutState.FINISHED

    def fail(self, occurrence: str, reason: str) -> None:
        """The workflow cannot go on: say so, settle what nobody can vouch for, tell the people."""
        row, plan = self._store.occurrence(occurrence), self._store.plan(occurrence)
        if row is None or plan is None or row.state.over:
            return
        for run in [run for run in self._store.device_runs(occurrence) if run.state is not DeviceState.SETTLED]:
            self._settle(run, Outcome.UNKNOWN if run.touched else Outcome.NOT_REACHED, f"the rollout was stopped: {reason}")
        now = self._clock.now()
        self._store.cancel(occurrence, kinds=[NoticeKind.REMINDER, NoticeKind.STARTED])
        self._close(plan, now)
        ended = RolloutState.CANCELLED if row.state is RolloutState.CANCELLING else RolloutState.STOPPED
        ended = RolloutState.MISSED if row.state is RolloutState.PLANNED else ended
        self._store.move(occurrence, ended, note=reason, now=now)
        self._log(occurrence, "stopped", reason)

    def _close(self, plan: Plan, now: datetime) -> None:
        if not self._office.channel:
            return
        window = self._office.windows.get(plan.occurrence.window)
        upcoming = occurrences.next_opening(window, self._office.zones, self._office.freezes, now) if window else None
        notices = closing_notices(
            plan,
            self._store.device_runs(plan.occurrence.id),
            self._office.people,
            domain=self._office.domain,
            channel=self._office.channel,
            at=now,
            next_opening=upcoming.starts_at if upcoming else None,
        )
        self._store.put(notices)

    # -- small things --------------------------------------------------------------------------------------------

    def _halted(self, occurrence: str, plan: Plan) -> str | None:
        """Why nothing new may start, ``None`` when it may."""
        row = self._row(occurrence)
        if row.state is RolloutState.CANCELLING:
            return f"cancelled by {row.actor or 'somebody'}{': ' + row.note if row.note else ''}"
        verdict = plan.occurrence.may_start(self._clock.now())
        return verdict.reason if isinstance(verdict, Deny) else None

    def _reserve(self, plan: Plan) -> float:
        return self._settings.reboot_reserve if may_restart(plan) else 0.0

    def _settle(self, run: DeviceRun, outcome: Outcome, reason: str, *, detail: Mapping[str, Any] | None = None) -> None:
        self._put(
            replace(
                run,
                state=DeviceState.SETTLED,
                outcome=outcome,
                reason=reason,
                detail=detail or run.detail,
                finished_at=self._clock.now(),
            )
        )
        self._log(run.occurrence, "settled", f"{run.device}: {outcome}{': ' + reason if reason else ''}", run.device)

    def _put(self, run: DeviceRun) -> None:
        self._store.put_device_run(run)

    def _ring_runs(self, occurrence: str, ring: str) -> list[DeviceRun]:
        return [run for run in self._store.device_runs(occurrence) if run.ring == ring]

    def _ring(self, plan: Plan, name: str) -> PlannedRing:
        return next(ring for ring in plan.rings if ring.name == name)

    def _plan(self, occurrence: str) -> Plan:
        plan = self._store.plan(occurrence)
        if plan is None:
            raise LookupError(f"{occurrence} has no plan")
        return plan

    def _row(self, occurrence: str) -> OccurrenceRow:
        row = self._store.occurrence(occurrence)
        if row is None:
            raise LookupError(f"{occurrence} is not in the store")
        return row

    def _log(self, occurrence: str, kind: str, text: str, device: str = "") -> None:
        self._store.log(LogEntry(at=self._clock.now(), kind=kind, text=text, occurrence=occurrence, device=device))
