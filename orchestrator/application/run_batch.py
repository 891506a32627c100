"""Use case: one wave on its devices, under a lease, device locks and the device's own guard. Safe to be killed and driven again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.application import settle
from orchestrator.application.batch_parts import CANCEL_NOW, BatchParts
from orchestrator.application.errors import BusyError
from orchestrator.application.ports import (
    DeviceRun,
    Job,
    Lease,
    ProbeResult,
    RunEvent,
    RunResult,
    RunStatus,
)
from orchestrator.application.settle import Finding
from orchestrator.domain.fit import no_reboot_after
from orchestrator.domain.outcome import DeviceState, Outcome, RolloutState
from orchestrator.domain.plan import Plan
from orchestrator.domain.verdict import Deny
from orchestrator.domain.window import Work


class _LeaseLostError(Exception):
    """Another worker has taken over: write nothing more, stop nothing on the device."""


class RunBatch:
    """Carries out one batch. Every write is fenced by the lease."""

    def __init__(self, parts: BatchParts) -> None:
        self._p = parts

    def __call__(self, occurrence: str, batch: str) -> None:
        """Run the batch to its end, or to the end of its window.

        Raises:
            BusyError: A living worker holds the lease for longer than its time to live.
        """
        if self._p.store.lease_finished(batch):
            return
        plan = self._p.store.plan(occurrence)
        if plan is None:
            raise BusyError(f"{occurrence} has no plan")
        lease = self._acquire(batch)
        if lease is None:
            return
        self._p.log(occurrence, "phase", f"lease {batch} fence {lease.fence}")
        with self._p.guardian.keep(lease, ttl=self._p.settings.lease_ttl) as lost:
            try:
                _Batch(self._p, plan, lease, lost).work()
            except _LeaseLostError:
                self._p.log(occurrence, "lease-lost", f"{batch}: fence {lease.fence} was taken over; nothing more is done here")
                return
        self._p.store.finish_lease(lease)

    def _acquire(self, batch: str) -> Lease | None:
        deadline = self._p.clock.monotonic() + 3 * self._p.settings.lease_ttl
        while self._p.clock.monotonic() < deadline:
            lease = self._p.store.acquire_lease(
                batch, self._p.holder, now=self._p.clock.now(), ttl=self._p.settings.lease_ttl, dead=self._p.dead
            )
            if lease is not None:
                return lease
            if self._p.store.lease_finished(batch):
                return None
            self._p.clock.sleep(1.0)
        raise BusyError(f"another worker holds batch {batch}")


class _Batch:
    """The state of one drive through one batch."""

    def __init__(self, parts: BatchParts, plan: Plan, lease: Lease, lost: Callable[[], bool]) -> None:
        self._p = parts
        self._store = parts.store
        self._clock = parts.clock
        self._prober = parts.prober
        self._settings = parts.settings
        self._plan = plan
        self._occurrence = plan.occurrence
        self._lease = lease
        self._lost = lost
        self._runs: dict[str, DeviceRun] = {}
        self._findings: dict[str, Finding] = {}
        self._probes: dict[str, ProbeResult] = {}
        self._adopted: set[str] = set()

    # -- the story -----------------------------------------------------------------------------------------------

    def work(self) -> None:
        """Lock, check the clock again, look, work, look again, settle, unlock."""
        self._runs = {
            run.device: run
            for run in self._store.device_runs(self._occurrence.id)
            if run.batch == self._lease.batch and run.state is not DeviceState.SETTLED
        }
        if not self._runs:
            self._unlock_all()
            return
        if not self._lock() or not self._still_time():
            return
        self._look()
        for index, step in enumerate(self._plan.work, start=1):
            hosts = self._open_hosts()
            if hosts:
                self._step(f"{index}-{step.playbook}", step, hosts)
        self._check_health()
        for device, finding in list(self._findings.items()):
            self._settle(device, finding)

    # -- before --------------------------------------------------------------------------------------------------

    def _lock(self) -> bool:
        facts = self._plan.facts
        verdict = self._store.lock_devices(
            list(self._runs),
            self._lease.batch,
            self._occurrence.id,
            groups=facts.get("anti_affinity", {}),
            stay_up={label: (members, int(floor)) for label, (members, floor) in facts.get("stay_up", {}).items()},
            now=self._clock.now(),
            ttl=self._settings.lease_ttl,
        )
        if isinstance(verdict, Deny):
            for run in self._runs.values():
                self._put(replace(run, batch=None, reason=f"waits: {verdict.reason}"))
            self._p.log(self._occurrence.id, "wait", f"{self._lease.batch}: {verdict.reason}")
            return False
        return True

    def _still_time(self) -> bool:
        """The clock is checked again after the locks (contract 1; locksmith's bug). What we already touched is seen through."""
        verdict = self._occurrence.may_start(self._clock.now())
        if isinstance(verdict, Deny) or self._cancelling():
            reason = verdict.reason if isinstance(verdict, Deny) else "cancelled before it started"
            for run in [run for run in self._runs.values() if not run.touched]:
                self._settle(run.device, Finding(outcome=Outcome.NOT_REACHED, reason=reason))
        return bool(self._runs)

    def _look(self) -> None:
        """Ask the devices: who is there, what did an earlier drive leave on them."""
        self._probe(list(self._runs))
        for device in list(self._runs):
            probe = self._probes[device]
            if not probe.reachable and not self._runs[device].touched:
                self._findings[device] = Finding(outcome=Outcome.ABSENT, reason=probe.error or "did not answer")
            elif not probe.reachable or probe.unit_active:
                self._await_device(device)
        for device in self._open_hosts():
            self._adopt(device)

    def _await_device(self, device: str) -> None:
        """An earlier drive's work may still run there: wait for its end (bounded by lost_wait and the window)."""
        deadline = self._clock.monotonic() + self._settings.lost_wait
        while self._in_time() and not self._lost():
            probe = self._probes[device]
            if probe.reachable and not probe.unit_active:
                return
            if not probe.reachable and self._clock.monotonic() > deadline:
                break
            self._clock.sleep(self._settings.poll)
            self._probe([device])
        self._fence_check()
        step = f"1-{self._plan.work[0].playbook}"
        if self._probes[device].unit_active:
            self._prober.stop_unit(device, self._occurrence.id)
            self._probe([device])
        self._findings[device] = settle.from_probe(
            step, self._probes[device], self._plan.work[0].reboot, why="lost while it was being worked on"
        )

    def _adopt(self, device: str) -> None:
        """What the device's guard calls done for every step needs no second run."""
        records = self._probes[device].guard or {}
        finding: Finding | None = None
        for index, step in enumerate(self._plan.work, start=1):
            record = records.get(f"{index}-{step.playbook}")
            found = settle.from_guard(record, step.reboot) if record else None
            if found is None:
                return
            finding = settle.merge(finding, found)
            if finding.final:
                break
        if finding is not None:
            self._p.log(self._occurrence.id, "adopted", f"{device}: its guard says {finding.outcome}", device)
            self._findings[device] = finding
            self._adopted.add(device)

    # -- the work ------------------------------------------------------------------------------------------------

    def _step(self, name: str, step: Work, hosts: Sequence[str]) -> None:
        started = self._clock.now()
        for device in hosts:
            run = self._runs[device]
            self._put(
                replace(
                    run,
                    state=DeviceState.RUNNING,
                    touched=True,
                    fence=self._lease.fence,
                    started_at=run.started_at or started,
                    reason="",
                )
            )
        self._p.log(self._occurrence.id, "phase", f"apply {name} on {', '.join(hosts)}")
        result = self._p.runner.run(
            self._job(name, step, hosts), on_event=lambda event: self._on_event(event, step), cancelled=self._stop_now
        )
        self._fence_check()
        seconds = (self._clock.now() - started).total_seconds()
        self._judge(name, step, hosts, result)
        for device in hosts:
            found = self._findings.get(device)
            if found is not None and found.outcome.good:
                self._store.add_duration(step.playbook, self._class(device), device, seconds, at=self._clock.now())

    def _job(self, name: str, step: Work, hosts: Sequence[str]) -> Job:
        ends = self._occurrence.ends_at
        left = (ends - self._clock.now()).total_seconds()
        return Job(
            id=f"{self._lease.batch}/{name}/f{self._lease.fence}".replace("/", "_"),
            playbook=step.playbook,
            hosts=tuple(hosts),
            variables={
                **step.vars,
                "deskside_reboot": str(step.reboot),
                "deskside_no_reboot_after": no_reboot_after(ends, self._settings.reboot_reserve).timestamp(),
            },
            guard={"occurrence": self._occurrence.id, "step": name, "fence": self._lease.fence},
            timeout=max(left, 1.0),
            forks=max(len(hosts), 1),
            compiled=self._p.way(step.playbook).compiled,
        )

    def _on_event(self, event: RunEvent, step: Work) -> None:
        run = self._runs.get(event.host)
        if run is None or self._lost():
            return
        told = event.result.get("deskside")
        if not isinstance(told, Mapping):
            return
        detail = {**run.detail, "progress": _progress(told)}
        restarting = (
            bool(told.get("reboot_required"))
            and not told.get("rebooted")
            and step.reboot != "never"
            and run.state is DeviceState.RUNNING
        )
        self._put(replace(run, state=DeviceState.REBOOTING if restarting else run.state, detail=detail))
        if restarting:
            self._p.log(self._occurrence.id, "phase", f"reboot-wait {event.host}", event.host)

    def _judge(self, name: str, step: Work, hosts: Sequence[str], result: RunResult) -> None:
        unclear = [device for device in hosts if self._unclear(result, device)]
        if unclear and self._stopped_by_us(result):
            for device in unclear:
                self._prober.stop_unit(device, self._occurrence.id)
        self._come_back(unclear)
        for device in hosts:
            if device in unclear:
                found = settle.from_probe(name, self._probes[device], step.reboot, why=self._how(result, device))
            else:
                found = settle.from_result(result.hosts[device], step.reboot)
            self._findings[device] = settle.merge(self._findings.get(device), found)

    def _unclear(self, result: RunResult, device: str) -> bool:
        host = result.hosts.get(device)
        return host is None or host.unreachable or not result.complete

    def _come_back(self, devices: Sequence[str]) -> None:
        """A device that went away gets some time to come back and say what is true; then it stays unknown."""
        deadline = self._clock.monotonic() + self._settings.lost_wait
        waiting = list(devices)
        while waiting:
            self._probe(waiting)
            waiting = [d for d in waiting if not self._probes[d].reachable or self._probes[d].unit_active]
            if not waiting or self._clock.monotonic() > deadline or not self._in_time():
                return
            self._clock.sleep(self._settings.poll)

    def _how(self, result: RunResult, device: str) -> str:
        host = result.hosts.get(device)
        if self._cancelling():
            return "cancelled"
        if result.status is RunStatus.TIMEOUT or not self._in_time():
            return "stopped at the end of the window"
        if host is not None and host.unreachable:
            return f"lost in the middle: {host.reason}" if host.reason else "lost in the middle"
        return host.reason if host is not None and host.reason else f"the run ended as {result.status} and does not say how"

    def _stopped_by_us(self, result: RunResult) -> bool:
        return result.status in {RunStatus.CANCELED, RunStatus.TIMEOUT}

    # -- after ---------------------------------------------------------------------------------------------------

    def _check_health(self) -> None:
        """Health probes that ask the device itself decide about that device; those from the controller belong to the gate."""
        good = [device for device, found in self._findings.items() if found.outcome.good]
        probes = [
            probe for ring in self._plan.rings for probe in ring.gate.probes if probe.kind == "command" and self._in_ring(ring.name)
        ]
        for probe in probes:
            for device, why in self._prober.health(probe, good).items():
                if why and device in self._findings:
                    found = self._findings[device]
                    self._findings[device] = replace(found, outcome=Outcome.FAILED, reason=f"health probe {probe}: {why}")

    def _in_ring(self, ring: str) -> bool:
        return any(run.ring == ring for run in self._runs.values())

    def _settle(self, device: str, finding: Finding) -> None:
        self._fence_check()
        run = self._runs.pop(device)
        now = self._clock.now()
        self._put(
            replace(
                run,
                state=DeviceState.SETTLED,
                outcome=finding.outcome,
                reason=finding.reason,
                lines=finding.lines,
                detail=finding.detail,
                finished_at=now,
            )
        )
        self._findings.pop(device, None)
        if finding.outcome.good or finding.outcome is Outcome.FAILED:
            self._probe([device])
        self._store.unlock_devices([device], self._lease.batch)
        self._p.log(
            self._occurrence.id, "settled", f"{device}: {finding.outcome}{': ' + finding.reason if finding.reason else ''}", device
        )

    # -- small things --------------------------------------------------------------------------------------------

    def _open_hosts(self) -> list[str]:
        """Devices that have neither been adopted whole nor failed an earlier step."""
        return [
            device
            for device in self._runs
            if device not in self._adopted and (device not in self._findings or not self._findings[device].final)
        ]

    def _probe(self, devices: Sequence[str]) -> None:
        answers = self._prober.probe(devices, occurrence=self._occurrence.id)
        now = self._clock.now()
        for device, answer in answers.items():
            self._probes[device] = answer
            self._store.put_health(answer, at=now)

    def _put(self, run: DeviceRun) -> None:
        if not self._store.put_device_run(run, fence=self._lease.fence):
            raise _LeaseLostError
        if run.device in self._runs:
            self._runs[run.device] = run

    def _fence_check(self) -> None:
        if self._lost():
            raise _LeaseLostError

    def _stop_now(self) -> bool:
        return self._lost() or self._cancelling(at_once=True) or not self._in_time()

    def _in_time(self) -> bool:
        return self._occurrence.is_open(self._clock.now())

    def _cancelling(self, *, at_once: bool = False) -> bool:
        """`deskside cancel` lets running devices finish; `cancel --now` also stops them."""
        row = self._store.occurrence(self._occurrence.id)
        return row is not None and row.state is RolloutState.CANCELLING and (not at_once or row.note.startswith(CANCEL_NOW))

    def _class(self, device: str) -> str:
        return next((planned.device_class for planned in self._plan.devices if planned.name == device), "device")

    def _unlock_all(self) -> None:
        mine = [lock.device for lock in self._store.locks() if lock.holder == self._lease.batch]
        self._store.unlock_devices(mine, self._lease.batch)


def _progress(told: Mapping[str, Any]) -> str:
    packages = told.get("packages") or ()
    if packages:
        return f"{len(packages)} updates installed"
    return str(told.get("state") or "")
