"""Use case: any playbook, by hand, under the same locks, containment and record as the night's work."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.application.errors import BusyError, RefusedError
from orchestrator.application.office import OfficeFacts
from orchestrator.application.permissions import demand
from orchestrator.application.ports import Actor, Clock, HostResult, InventorySource, Job, LogEntry, RunEvent, Runner, Store
from orchestrator.domain import fit, waves
from orchestrator.domain.verdict import Deny

NO_END = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandRun:
    """What a hand-started run did. ``rc`` is Ansible's own, the worst of several waves."""

    rc: int
    hosts: Mapping[str, HostResult]
    waves: tuple[tuple[str, ...], ...]
    artifacts: tuple[str, ...]


class RunPlaybook:
    """Locks its targets, splits what must not be down together into waves, runs Ansible, unlocks."""

    def __init__(
        self,
        *,
        office: OfficeFacts,
        store: Store,
        runner: Runner,
        inventory: InventorySource,
        clock: Clock,
        holder: str,
        free: Callable[[], object],
    ) -> None:
        self._office = office
        self._store = store
        self._runner = runner
        self._inventory = inventory
        self._clock = clock
        self._holder = holder
        self._free = free

    def __call__(
        self,
        playbook: str,
        hosts: Sequence[str],
        *,
        options: tuple[str, ...],
        actor: Actor,
        wait: float = 0.0,
        timeout: float = 4 * 3600.0,
        echo: Callable[[str], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> HandRun:
        """Carry it out on exactly these devices.

        Args:
            playbook: Name in the collection or path.
            hosts: Resolved targets; empty runs nothing.
            options: Validated options for ansible-playbook.
            actor: Who, for locks and record.
            wait: Seconds to wait for devices that somebody else is working on.
            timeout: Seconds for each wave.
            echo: Takes Ansible's own output lines.
            cancelled: Polled; True stops the run.

        Raises:
            RefusedError: No target, or a device is being worked on (says by whom), after ``wait``.
        """
        demand(actor, "run-playbook", playbook)
        if not hosts:
            raise RefusedError(f"{playbook} matches no device: nothing was run. Check hosts: and --limit.")
        groups, stay_up = self._rules(hosts)
        purpose = f"run-playbook {playbook} by {actor.name}"
        job_id = f"by-hand_{self._clock.now():%Y%m%dT%H%M%S}_{actor.name}"
        self._log("run-playbook", f"{playbook} on {', '.join(hosts)}", actor)
        left, rc = list(hosts), 0
        done: list[tuple[str, ...]] = []
        artifacts: list[str] = []
        results: dict[str, HostResult] = {}
        while left and not cancelled():
            wave = self._lock(left, purpose, groups, stay_up, wait)
            try:
                job = Job(
                    id=f"{job_id}_{len(done) + 1}",
                    playbook=playbook,
                    hosts=wave,
                    options=options,
                    timeout=timeout,
                    forks=max(len(wave), 5),
                    echo=echo,
                )
                result = self._runner.run(job, on_event=_nothing, cancelled=cancelled)
            finally:
                self._store.unlock_devices(list(wave), self._holder)
            rc = max(rc, result.rc)
            results.update(result.hosts)
            artifacts.append(str(result.artifact))
            done.append(wave)
            left = [host for host in left if host not in wave]
        self._log("run-playbook", f"{playbook} ended with rc {rc} on {', '.join(results) or 'no host'}", actor)
        return HandRun(rc=rc, hosts=results, waves=tuple(done), artifacts=tuple(artifacts))

    def _rules(self, hosts: Sequence[str]) -> tuple[dict[str, Collection[str]], dict[str, tuple[Collection[str], int]]]:
        """Anti-affinity is a property of the devices: the rules of every window hold for hand-started work too."""
        labels = {g for w in self._office.windows.values() for g in w.one_at_a_time}
        floors = {label: value for w in self._office.windows.values() for label, value in w.stay_up.items()}
        snapshot = self._inventory.load(labels | set(floors))
        unknown = [host for host in hosts if host not in snapshot.devices]
        if unknown:
            raise RefusedError(
                f"not devices of this office: {', '.join(unknown)}. run-playbook touches only what the office's inventory holds."
            )
        groups: dict[str, Collection[str]] = {label: snapshot.matches.get(label, ()) for label in labels}
        stay_up: dict[str, tuple[Collection[str], int]] = {
            label: (snapshot.matches.get(label, ()), fit.stay_up_floor(value, len(snapshot.matches.get(label, ()))))
            for label, value in floors.items()
        }
        return groups, stay_up

    def _lock(
        self,
        hosts: Sequence[str],
        purpose: str,
        groups: Mapping[str, Collection[str]],
        stay_up: Mapping[str, tuple[Collection[str], int]],
        wait: float,
    ) -> tuple[str, ...]:
        deadline = self._clock.monotonic() + wait
        while True:
            self._free()
            choice = waves.next_wave(
                hosts,
                at_once=None,
                groups=groups,
                stay_up=stay_up,
                busy=(),
                p95=dict.fromkeys(hosts, 0.0),
                seconds_left=NO_END,
                reserve=0.0,
            )
            if not choice.devices:
                raise RefusedError("; ".join(f"{host}: {why}" for host, why in {**choice.misfits, **choice.waiting}.items()))
            verdict = self._store.lock_devices(
                choice.devices, self._holder, purpose, groups=groups, stay_up=stay_up, now=self._clock.now(), ttl=60.0
            )
            if not isinstance(verdict, Deny):
                return choice.devices
            if self._clock.monotonic() >= deadline:
                raise BusyError(f"{verdict.reason}. Nothing was run. Try again later, or let it wait: --wait 30m.")
            self._clock.sleep(1.0)

    def _log(self, kind: str, text: str, actor: Actor) -> None:
        self._store.log(LogEntry(at=self._clock.now(), kind=kind, text=text, actor=actor.name))


def _nothing(event: RunEvent) -> None:
    """Hand-started runs show Ansible's own output; events only go to the artifact."""
    del event
