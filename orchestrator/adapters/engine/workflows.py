"""The two durable workflows. What a step answered is kept, so a workflow that is driven again goes on where it was.

Waiting happens inside a step: what is waited for stands in the store, a kill in the middle only asks again. A step never raises
into the engine's records: a failure is an answer too, so that a replay sees exactly what the first run saw.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orchestrator.application.errors import BusyError, DesksideError, StoreError
from orchestrator.application.rollout_steps import GO, RolloutSteps

log = logging.getLogger("dbos.deskside")
"""Beneath DBOS's own logger, so that both stories stand in one file, engine.log, in order."""

ROLLOUTS = "rollouts"
BATCHES = "batches"
DECLINED = "declined"

_AGAIN = 12
_DEATHS = 100
_LOST = {"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """How patient the workflows are, in seconds.

    Attributes:
        retries: Before a busy or unusable store is tried again; after the last one the rollout ends with the reason.
        slice: The longest pause between two questions while something is waited for: so soon a cancel is seen.
        round: How long one recorded step waits; so many times fewer rows, and so short a replay.
        again: Before a batch is run again that its steps did not finish; it grows with every time, up to 30.
    """

    retries: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
    slice: float = 5.0
    round: float = 60.0
    again: float = 5.0


class EngineStopping(BaseException):
    """The executor ends: leave the workflow as it is, the next start goes on. No `except Exception` may swallow it."""


class StepFailedError(Exception):
    """A step has given up; its text is the reason."""


class Workflows:
    """The workflows of one executor.

    Args:
        steps: What is driven.
        poll: Seconds between two looks at a batch that runs.
        pauses: How patient they are.
    """

    def __init__(self, steps: RolloutSteps, *, poll: float, pauses: Pauses) -> None:
        self._steps = steps
        self._poll = poll
        self._pauses = pauses
        self.stopping = threading.Event()
        self._start_batch: Callable[[str], dict[str, str]] | None = None
        self._active = 0
        self._guard = threading.Lock()

    def register(self) -> None:
        """Make both known to DBOS under names that never change: they stand in its rows."""
        from dbos import DBOS

        def rollout(occurrence: str) -> dict[str, str]:
            return self._rollout(occurrence)

        def batch(batch_id: str) -> dict[str, str]:
            return self._batch(batch_id)

        DBOS.workflow(name="rollout", max_recovery_attempts=_DEATHS)(rollout)
        self._start_batch = DBOS.workflow(name="batch", max_recovery_attempts=_DEATHS)(batch)

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no workflow of ours runs; False = one still does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with self._guard:
                if not self._active:
                    return True
            time.sleep(0.05)
        return False

    # -- rollout -------------------------------------------------------------------------------------------------

    def _rollout(self, occurrence: str) -> dict[str, str]:
        with self._working():
            try:
                reason = self._step("open", occurrence)
                if reason != GO:
                    return {DECLINED: str(reason)}
                self._drive(occurrence)
            except StepFailedError as error:
                self._step("fail", occurrence, str(error))
                return {"failed": str(error)}
            return {"finished": occurrence}

    def _drive(self, occurrence: str) -> None:
        for ring in self._step("rings", occurrence):
            self._step("begin_ring", occurrence, ring)
            self._run_batches(occurrence, ring)
            self._step("start_gate", occurrence, ring)
            if self._ask("gate", occurrence, ring)["verdict"] != "green":
                break
        self._step("finish", occurrence)

    def _run_batches(self, occurrence: str, ring: str) -> None:
        seen: dict[str, int] = {}
        while "batch" in (answer := self._ask("next_batch", occurrence, ring)):
            batch = answer["batch"]
            seen[batch] = seen.get(batch, 0) + 1
            again = seen[batch] - 1
            if again > _AGAIN:
                raise StepFailedError(f"batch {batch} was run {again} times and is still not finished")
            if again:  # somebody else holds its lease: give that time to run out
                self._rest(self._pauses.again * again)
            self._run_batch(batch, f"{batch}~{again}" if again else batch)

    def _run_batch(self, batch: str, workflow_id: str) -> None:
        from dbos import DBOS, SetWorkflowID

        self._go_on()
        if self._start_batch is None:
            raise RuntimeError("register() comes first")
        with SetWorkflowID(workflow_id):
            DBOS.enqueue_workflow(BATCHES, self._start_batch, batch)
        failure = self._recorded("await_batch", lambda: self._await(workflow_id))
        if failure:
            raise StepFailedError(failure)

    def _await(self, workflow_id: str) -> str:
        from dbos import DBOS

        while True:
            status = DBOS.get_workflow_status(workflow_id)
            if status is not None and status.status == "SUCCESS":
                return str((status.output or {}).get("failed", ""))
            if status is None or status.status in _LOST:
                return f"the engine lost batch {workflow_id}: {status.status if status else 'no such workflow'}"
            self._pause(self._poll)

    # -- batch ---------------------------------------------------------------------------------------------------

    def _batch(self, batch: str) -> dict[str, str]:
        with self._working():
            try:
                self._step("run_batch", batch)
            except StepFailedError as error:
                return {"failed": str(error)}
            return {"finished": batch}

    # -- steps ---------------------------------------------------------------------------------------------------

    def _step(self, name: str, *arguments: str) -> Any:
        return self._recorded(name, lambda: self._patiently(name, arguments))

    def _ask(self, name: str, occurrence: str, ring: str) -> dict[str, Any]:
        """Ask until the answer is something else than ``wait``. Every minute one answer is recorded, so that a replay is short."""
        while "wait" in (answer := self._recorded(name, lambda: self._wait_for(name, (occurrence, ring)))):
            continue
        return dict(answer)

    def _wait_for(self, name: str, arguments: tuple[str, ...]) -> Any:
        deadline = time.monotonic() + self._pauses.round
        while "wait" in (answer := self._patiently(name, arguments)):
            self._pause(min(max(float(answer["wait"]), 0.05), self._pauses.slice))
            if time.monotonic() > deadline:
                break
        return answer

    def _rest(self, seconds: float) -> None:
        self._recorded("rest", lambda: self._pause(min(seconds, 30.0)))

    def _recorded(self, name: str, call: Callable[[], Any]) -> Any:
        from dbos import DBOS

        self._go_on()
        answer = DBOS.run_step({"name": name}, self._answer, name, call)
        if "failed" in answer:
            raise StepFailedError(answer["failed"])
        return answer["value"]

    def _answer(self, name: str, call: Callable[[], Any]) -> dict[str, Any]:
        try:
            return {"value": call()}
        except DesksideError as error:
            log.warning("step %s has given up: %s", name, error)
            return {"failed": str(error)}
        except Exception as error:  # whatever it is, it must end this rollout with a reason and not hang it
            log.exception("step %s failed", name)
            return {"failed": f"{name}: {type(error).__name__}: {error}"}

    def _patiently(self, name: str, arguments: tuple[str, ...]) -> Any:
        for pause in self._pauses.retries:
            try:
                return getattr(self._steps, name)(*arguments)
            except (StoreError, BusyError) as error:
                log.warning("step %s will be tried again in %s s: %s", name, pause, error)
            self._pause(pause)
        return getattr(self._steps, name)(*arguments)

    # -- ending --------------------------------------------------------------------------------------------------

    def _pause(self, seconds: float) -> None:
        self.stopping.wait(seconds)
        self._go_on()

    def _go_on(self) -> None:
        if self.stopping.is_set():
            raise EngineStopping

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._guard:
            self._active += 1
        try:
            yield
        finally:
            with self._guard:
                self._active -= 1
