"""Executor processes over a scripted rollout, to be killed. Orders come as JSON lines: `{"state", "executor", "settings"}`.

Its memory is the real store (leases) and a journal file: one line per thing done, written with O_APPEND.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.adapters.engine import DbosEngine, is_dead, process_identity
from orchestrator.adapters.engine.dbos_engine import recover
from orchestrator.adapters.store import open_store
from orchestrator.application.errors import BusyError
from orchestrator.application.lease_keeper import LeaseKeeper

RINGS = {"canary": 2, "broad": 3}


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ScriptedSteps:
    """Rings of batches; a batch is `work` seconds long. Obeys the contract of RolloutSteps: the store is its only memory."""

    def __init__(self, state: Path, executor: str, settings: dict[str, str]) -> None:
        self.store = open_store(state)
        self.state = state
        self.me = process_identity(executor)
        self.work = float(settings.get("work", "0.2"))
        self.ttl = float(settings.get("ttl", "3"))

    def journal(self, kind: str, thing: str = "", **more: object) -> None:
        line = json.dumps({"kind": kind, "thing": thing, "pid": os.getpid(), "t": time.time(), **more}) + "\n"
        descriptor = os.open(self.state / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, line.encode())
        os.close(descriptor)

    def once(self, name: str) -> bool:
        """The device's own guard: True for the first caller ever."""
        try:
            os.close(os.open(self.state / name.replace("/", "_"), os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        return True

    def open(self, occurrence: str) -> str:
        self.journal("open", occurrence)
        return "go"

    def rings(self, occurrence: str) -> list[str]:
        return list(RINGS)

    def begin_ring(self, occurrence: str, ring: str) -> None:
        self.journal("begin", ring)

    def next_batch(self, occurrence: str, ring: str) -> dict[str, object]:
        for number in range(1, RINGS[ring] + 1):
            if not self.store.lease_finished(f"{occurrence}/{ring}/w{number}"):
                if self.once(f"waited-{ring}-{number}"):
                    return {"wait": 0.1}
                return {"batch": f"{occurrence}/{ring}/w{number}"}
        return {"done": True}

    def run_batch(self, batch_id: str) -> None:
        lease = None
        for _ in range(200):
            lease = self.store.acquire_lease(batch_id, self.me, now=datetime.now(UTC), ttl=self.ttl, dead=is_dead)
            if lease is not None or self.store.lease_finished(batch_id):
                break
            time.sleep(0.1)
        if lease is None:
            return
        lost: list[str] = []
        with LeaseKeeper(self.store, lease, self.ttl, lost.append, clock=RealClock(), margin=0.5):
            self.journal("start", batch_id, fence=lease.fence)
            end = time.monotonic() + self.work
            while time.monotonic() < end and not lost:
                time.sleep(0.02)
            if lost:
                self.journal("lost", batch_id, fence=lease.fence, reason=lost[0])
                return
            self.journal("effect" if self.once(f"effect-{batch_id}") else "adopted", batch_id, fence=lease.fence)
        self.journal("commit" if self.store.finish_lease(lease) else "fenced", batch_id, fence=lease.fence)

    def start_gate(self, occurrence: str, ring: str) -> None:
        self.once(f"gate-{ring}")

    def gate(self, occurrence: str, ring: str) -> dict[str, object]:
        if self.once(f"soaked-{ring}"):
            return {"wait": 0.2}
        return {"verdict": "green"}

    def finish(self, occurrence: str) -> None:
        self.journal("finish", occurrence)

    def fail(self, occurrence: str, reason: str) -> None:
        self.journal("fail", occurrence, reason=reason)


def rob(executor: str) -> None:
    """Treat a living executor as dead, as a coordinator does that has not heard of another machine."""
    for _ in range(100):
        time.sleep(0.1)
        with contextlib.suppress(Exception):
            recover(executor)
            return


def execute(state: Path, executor: str, settings: dict[str, str]) -> None:
    steps = ScriptedSteps(state, executor, settings)
    engine = DbosEngine(state, steps, RealClock(), executor_id=executor, poll=0.1, grace=float(settings.get("grace", "5")))
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    for occurrence in settings.get("start", "").split(",") if settings.get("start") else []:
        engine.start_rollout(occurrence)
    steps.journal("up")
    if "rob" in settings:
        threading.Thread(target=rob, args=(settings["rob"],), daemon=True).start()
    until = time.monotonic() + 60
    reason = ""
    try:
        engine.run(lambda: bool(stopped) or time.monotonic() > until)
    except BusyError as error:
        reason = str(error)
    steps.journal("exit", reason=reason, left_behind=engine.left_behind)


def main() -> None:
    """Read one JSON order a line, fork an executor for it, answer with its pid: the imports are paid once."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the dead
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                execute(Path(order["state"]), order["executor"], order["settings"])
            except BaseException:  # noqa: BLE001 - a forked child must not go on as its parent
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    import dbos  # noqa: F401 - before the first fork

    main()
