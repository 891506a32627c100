"""Use case: any playbook, by hand, under the same locks, containment and record as the night's work."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.application.errors import BusyError, RefusedError
from orchestrator.application.office import OfficeFacts
from orchestrator.application.permissions import demand
from orchestrator.application.ports import (
    Actor,
    Clock,
    HostResult,
    InventorySource,
    Job,
    LogEntry,
    RunEvent,
    Runner,
    RunResult,
    Store,
)
from orchestrator.domain import fit, waves
from orchestrator.domain.verdict import Deny

NO_END = float("inf")
LOCK_TTL = 60.0
"""Seconds after which a lock looks old; it is freed only when its holder is proven dead."""

type Groups = Mapping[str, Collection[str]]
type Floors = Mapping[str, tuple[Collection[str], int]]


@dataclass(frozen=True, slots=True)
class _Order:
    """What holds for every wave of one call."""

    rules: tuple[Groups, Floors]
    purpose: str
    wait: float


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
        order = _Order(self._rules(hosts), f"run-playbook {playbook} by {actor.name}", wait)
        stamp = f"by-hand_{self._clock.now():%Y%m%dT%H%M%S}_{actor.name}"
        left, done = list(hosts), list[tuple[str, ...]]()
        runs: list[RunResult] = []
        while left and not cancelled():
            wave = self._lock(left, order)
            self._log(f"{playbook} on {', '.join(wave)}", actor)
            job = Job(
                id=f"{stamp}_{len(done) + 1}", playbook=playbook, hosts=wave, options=options, timeout=timeout,
                forks=max(len(wave), 5), echo=echo,
            )  # fmt: skip
            try:
                runs.append(self._runner.run(job, on_event=_nothing, cancelled=cancelled))
            finally:
                self._store.unlock_devices(list(wave), self._holder)
            done.append(wave)
            left = [host for host in left if host not in wave]
        summary = _summary(runs, done)
        self._log(f"{playbook} ended with rc {summary.rc} on {', '.join(summary.hosts) or 'no host'}", actor)
        return summary

    def _rules(self, hosts: Sequence[str]) -> tuple[Groups, Floors]:
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

    def _lock(self, hosts: Sequence[str], order: _Order) -> tuple[str, ...]:
        deadline = self._clock.monotonic() + order.wait
        groups, stay_up = order.rules
        while True:
            self._free()
            choice = waves.next_wave(
                hosts, at_once=None, groups=groups, stay_up=stay_up, busy=(), p95=dict.fromkeys(hosts, 0.0),
                seconds_left=NO_END, reserve=0.0,
            )  # fmt: skip
            if not choice.devices:
                raise RefusedError("; ".join(f"{host}: {why}" for host, why in {**choice.misfits, **choice.waiting}.items()))
            now = self._clock.now()
            verdict = self._store.lock_devices(
                choice.devices, self._holder, order.purpose, groups=groups, stay_up=stay_up, now=now, ttl=LOCK_TTL
            )
            if not isinstance(verdict, Deny):
                return choice.devices
            if self._clock.monotonic() >= deadline:
                raise BusyError(f"{verdict.reason}. Nothing was run. Try again later, or let it wait: --wait 30m.")
            self._clock.sleep(1.0)

    def _log(self, text: str, actor: Actor) -> None:
        self._store.log(LogEntry(at=self._clock.now(), kind="run-playbook", text=text, actor=actor.name))


def _summary(runs: Sequence[RunResult], done: Sequence[tuple[str, ...]]) -> HandRun:
    return HandRun(
        rc=max((run.rc for run in runs), default=0),
        hosts={name: host for run in runs for name, host in run.hosts.items()},
        waves=tuple(done),
        artifacts=tuple(str(run.artifact) for run in runs),
    )


def _nothing(event: RunEvent) -> None:
    """Hand-started runs show Ansible's own output; events only go to the artifact."""
    del event
