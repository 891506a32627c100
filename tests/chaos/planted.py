"""Starts deskside with one of its protections taken out. The product has no hook for this: its parts are replaced before its command runs.

    python -m tests.chaos.planted FAULT --office … --state … daemon
    python -m tests.chaos.planted second-driver [FAULT] --office … --state …

A night with a planted fault must make the checker red; a checker that stays green proves nothing about the product.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

PATIENCE = 300.0


def guard_off() -> None:
    """Jobs carry no guard, and nobody believes what the device's own record says."""
    from orchestrator.adapters.prober.prober import SshProber
    from orchestrator.application.ports import Job, ProbeResult
    from orchestrator.application.run_batch import _Batch

    make_job, ask = _Batch._job, SshProber.probe

    def job(self: _Batch, *arguments: object) -> Job:
        return replace(make_job(self, *arguments), guard=None)  # type: ignore[arg-type]

    def probe(self: SshProber, hosts: Sequence[str], **options: object) -> dict[str, ProbeResult]:
        found = ask(self, hosts, **options)  # type: ignore[arg-type]
        return {name: replace(answer, guard=None, unit_active=False) for name, answer in found.items()}

    _Batch._job = job  # type: ignore[method-assign, assignment]
    SshProber.probe = probe  # type: ignore[method-assign, assignment]


def fence_off() -> None:
    """A lease is granted to whoever asks, its number never rises, and it is never found lost.

    Two workers that hold one lease begin their work at the same moment here; else the guard on the device would often hide it.
    """
    from orchestrator.adapters.store.leases import SqlLeases
    from orchestrator.application.ports import Job, Lease
    from orchestrator.application.run_batch import _Batch

    def acquire(self: SqlLeases, batch: str, holder: str, *, now: datetime, ttl: float, dead: Callable[[str], bool]) -> Lease:
        lease = real(self, batch, holder, now=now, ttl=ttl, dead=lambda _holder: True)
        return (
            replace(lease, fence=1) if lease else Lease(batch=batch, fence=1, holder=holder, expires=now + timedelta(seconds=ttl))
        )

    def kept(self: SqlLeases, lease: Lease, **_options: object) -> bool:
        return True

    def job(self: _Batch, *arguments: object) -> Job:
        _meet(Path(sys.argv[sys.argv.index("--state") + 1]) / "met")
        return make_job(self, *arguments)  # type: ignore[arg-type]

    make_job = _Batch._job
    _Batch._job = job  # type: ignore[method-assign, assignment]
    real = SqlLeases.acquire_lease
    SqlLeases.acquire_lease = acquire  # type: ignore[method-assign, assignment]
    SqlLeases.renew_lease = kept  # type: ignore[method-assign, assignment]


def _meet(place: Path) -> None:
    """Wait until two processes are here, a minute at most."""
    place.mkdir(exist_ok=True)
    (place / str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    while len(list(place.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)


def random_outbox_id() -> None:
    """A notice is another one in every process: its id is not derived from what it says alone."""
    from orchestrator.domain.notice import Notice

    real, salt = Notice.id.fget, uuid.uuid4().hex  # type: ignore[attr-defined]
    Notice.id = property(lambda self: salt[:16] + real(self)[16:])  # type: ignore[method-assign, assignment]


def containment_off() -> None:
    """Ansible is started as any program is: nothing ends it when the worker dies."""
    from orchestrator.adapters.runner import runner
    from orchestrator.adapters.runner.containment import Containment

    runner.containment = lambda: Containment(name="none", argv=())  # type: ignore[assignment]


FAULTS: dict[str, Callable[[], None]] = {
    "guard": guard_off,
    "fence": fence_off,
    "outbox": random_outbox_id,
    "containment": containment_off,
}


def second_driver(office: Path, state: Path) -> None:
    """Carry out the first batch too, as a worker would that was not told that another one has it."""
    from orchestrator.application.errors import BusyError
    from orchestrator.bootstrap import House

    house = House(office=office, state=state)
    house.run_rollout  # noqa: B018 - everything is imported before the moment comes
    batch = _first_batch(state / "deskside.db")
    try:
        house.run_rollout.run_batch(batch)
    except BusyError as busy:
        print(f"  the second driver was turned away: {busy}", flush=True)


def _first_batch(path: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if path.exists():
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
                try:
                    row = connection.execute("SELECT text FROM log WHERE kind = 'phase' AND text LIKE 'lease %'").fetchone()
                except sqlite3.OperationalError:
                    row = None
            if row:
                return str(row[0]).split()[1]
        time.sleep(0.02)
    raise SystemExit("no lease was ever taken")


def main() -> int:
    """Take the protection out, then be the command line."""
    words = sys.argv[1:]
    if words[0] == "second-driver":
        if words[1] in FAULTS:
            FAULTS[words.pop(1)]()
        second_driver(Path(words[2]), Path(words[4]))
        return 0
    FAULTS[words[0]]()
    from orchestrator.entrypoints.cli import main as deskside

    sys.argv = ["deskside", *words[1:]]
    return int(deskside() or 0)


if __name__ == "__main__":
    sys.exit(main())
