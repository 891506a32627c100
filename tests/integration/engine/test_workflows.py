"""What the workflows promise about the steps they drive: one executor in this process, one occurrence per test."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.engine import DbosEngine
from orchestrator.adapters.engine.database import FILE
from orchestrator.adapters.engine.workflows import Pauses
from orchestrator.application.errors import BusyError, StoreError
from orchestrator.testing import FakeClock

PAUSES = Pauses(retries=(0.05, 0.05, 0.05), round=0.3, again=0.02)


class Scripts:
    """RolloutSteps that do nothing but record, and answer per occurrence what a test wants."""

    def __init__(self) -> None:
        self.calls: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        self.answers: dict[tuple[str, ...], list[Any]] = {}
        self.done: set[str] = set()

    def will(self, *call: str, answers: list[Any]) -> None:
        self.answers[call] = answers

    def _call(self, occurrence: str, name: str, *arguments: str, default: Any = None) -> Any:
        self.calls[occurrence].append((name, *arguments))
        answers = self.answers.get((occurrence, name, *arguments), [])
        answer = answers.pop(0) if answers else default
        if isinstance(answer, Exception):
            raise answer
        return answer

    def names(self, occurrence: str) -> list[str]:
        return [call[0] for call in self.calls[occurrence]]

    def open(self, occurrence: str) -> str:
        return self._call(occurrence, "open", default="go")

    def rings(self, occurrence: str) -> list[str]:
        return self._call(occurrence, "rings", default=["canary", "broad"])

    def begin_ring(self, occurrence: str, ring: str) -> None:
        self._call(occurrence, "begin_ring", ring)

    def next_batch(self, occurrence: str, ring: str) -> dict[str, Any]:
        batch = f"{occurrence}/{ring}/w1"
        return self._call(occurrence, "next_batch", ring, default={"done": True} if batch in self.done else {"batch": batch})

    def run_batch(self, batch_id: str) -> None:
        occurrence = batch_id.rsplit("/", 2)[0]
        if self._call(occurrence, "run_batch", batch_id.removeprefix(f"{occurrence}/")) != "not finished":
            self.done.add(batch_id)

    def start_gate(self, occurrence: str, ring: str) -> None:
        self._call(occurrence, "start_gate", ring)

    def gate(self, occurrence: str, ring: str) -> dict[str, Any]:
        return self._call(occurrence, "gate", ring, default={"verdict": "green"})

    def finish(self, occurrence: str) -> None:
        self._call(occurrence, "finish")

    def fail(self, occurrence: str, reason: str) -> None:
        self._call(occurrence, "fail", reason)


class House:
    """The engine under test with its scripts and a clock for its retention."""

    def __init__(self, state: Path) -> None:
        self.scripts = Scripts()
        self.clock = FakeClock(datetime.now(UTC))
        self.state = state
        self.engine = DbosEngine(state, self.scripts, self.clock, poll=0.05, grace=5, housekeeping=0.2, pauses=PAUSES)

    def run(self, occurrence: str, until: str = "finish") -> list[str]:
        self.engine.start_rollout(occurrence)
        wait(lambda: until in self.scripts.names(occurrence))
        return self.scripts.names(occurrence)


def wait(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("state"))
    with made.engine:
        yield made


def test_the_steps_are_driven_in_order_and_a_wait_is_asked_again(house: House) -> None:
    house.scripts.will("a/1", "next_batch", "canary", answers=[{"wait": 0.05}, {"wait": 0.05}])
    house.scripts.will("a/1", "gate", "broad", answers=[{"wait": 0.05}])
    house.run("a/1")
    one = ["begin_ring", "next_batch", "run_batch", "next_batch", "start_gate", "gate"]
    assert house.scripts.names("a/1") == [
        "open",
        "rings",
        "begin_ring",
        "next_batch",
        "next_batch",
        *one[1:],
        *one,
        "gate",
        "finish",
    ]


def test_a_wait_longer_than_a_round_goes_on_in_the_next_one(house: House) -> None:
    house.scripts.will("a/2", "gate", "canary", answers=[{"wait": 0.1}] * 8)
    assert house.run("a/2").count("gate") == 10


def test_a_red_gate_stops_the_next_ring_and_still_finishes(house: House) -> None:
    house.scripts.will("a/3", "gate", "canary", answers=[{"verdict": "red"}])
    house.run("a/3")
    assert ("begin_ring", "broad") not in house.scripts.calls["a/3"]


def test_a_step_that_raises_ends_the_rollout_with_its_reason(house: House) -> None:
    house.scripts.will("a/4", "begin_ring", "canary", answers=[RuntimeError("the inventory has gone")])
    house.run("a/4", "fail")
    assert house.scripts.calls["a/4"][-1] == ("fail", "begin_ring: RuntimeError: the inventory has gone")
    assert "finish" not in house.scripts.names("a/4")


def test_a_batch_that_raises_ends_the_rollout_with_its_reason(house: House) -> None:
    house.scripts.will("a/5", "run_batch", "canary/w1", answers=[LookupError("a/5 has no plan")])
    house.run("a/5", "fail")
    assert house.scripts.calls["a/5"][-1] == ("fail", "run_batch: LookupError: a/5 has no plan")


def test_a_busy_store_is_tried_again(house: House) -> None:
    house.scripts.will("a/6", "begin_ring", "canary", answers=[StoreError("the disk is full"), BusyError("somebody writes")])
    assert house.run("a/6").count("begin_ring") == 4
    assert "fail" not in house.scripts.names("a/6")


def test_a_store_that_stays_unusable_ends_the_rollout_with_its_reason(house: House) -> None:
    house.scripts.will("a/7", "begin_ring", "canary", answers=[StoreError("the disk is full")] * 20)
    assert house.run("a/7", "fail").count("begin_ring") == 4
    assert house.scripts.calls["a/7"][-1] == ("fail", "the disk is full")


def test_a_failure_that_cannot_be_recorded_is_told_again_until_it_is(house: House) -> None:
    """Even `fail` fails: the workflow is broken, and the housekeeping tells the store as soon as it answers."""
    house.scripts.will("a/8", "open", answers=[RuntimeError("gone")])
    reason = "open: RuntimeError: gone"
    house.scripts.will("a/8", "fail", reason, answers=[StoreError("the disk is full")] * 4)
    house.engine.start_rollout("a/8")
    wait(lambda: house.scripts.names("a/8").count("fail") >= 5)
    assert "the disk is full" in house.scripts.calls["a/8"][-1][1]
    told = len(house.scripts.calls["a/8"])
    time.sleep(0.6)
    assert len(house.scripts.calls["a/8"]) == told, "told once, it is not told again by this process"


def test_a_declined_rollout_can_be_started_again_and_one_that_ran_cannot(house: House) -> None:
    house.scripts.will("a/9", "open", answers=["its window is not open yet"])
    house.run("a/9", "open")
    wait(lambda: [house.engine.start_rollout("a/9"), "finish" in house.scripts.names("a/9")][1])
    calls = house.scripts.names("a/9")
    assert calls.count("open") == 2
    for _ in range(3):
        house.engine.start_rollout("a/9")
    time.sleep(0.3)
    assert house.scripts.names("a/9") == calls


def test_starting_from_several_threads_at_once_is_one_workflow(house: House) -> None:
    threads = [threading.Thread(target=house.engine.start_rollout, args=("a/10",)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    wait(lambda: "finish" in house.scripts.names("a/10"))
    assert house.scripts.names("a/10").count("open") == 1


def test_a_batch_that_somebody_else_held_is_run_again(house: House) -> None:
    house.scripts.will("a/11", "run_batch", "canary/w1", answers=["not finished", "not finished"])
    house.run("a/11")
    assert house.scripts.calls["a/11"].count(("run_batch", "canary/w1")) == 3


def test_a_batch_that_never_ends_ends_the_rollout(house: House) -> None:
    house.scripts.will("a/12", "run_batch", "canary/w1", answers=["not finished"] * 50)
    house.run("a/12", "fail")
    assert house.scripts.calls["a/12"][-1] == ("fail", "batch a/12/canary/w1 was run 13 times and is still not finished")


def test_rows_older_than_ninety_days_are_purged_and_younger_ones_stay(house: House) -> None:
    house.run("a/13")
    rows = lambda: {row.workflow_id for row in workflow_rows(house)}  # noqa: E731
    wait(lambda: "a/13:run" in rows())
    time.sleep(0.5)
    assert "a/13:run" in rows()
    house.clock.advance(timedelta(days=91))
    wait(lambda: not rows())


def workflow_rows(house: House) -> list[Any]:
    with house.engine._client() as client:
        return client.list_workflows(status="SUCCESS")


def test_the_database_is_safe_and_holds_json_and_no_pickle(house: House) -> None:
    import sqlite3

    house.run("a/14")
    with sqlite3.connect(house.state / FILE) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        formats = {row[0] for row in connection.execute("SELECT DISTINCT serialization FROM workflow_status")}
        versions = {row[0] for row in connection.execute("SELECT DISTINCT application_version FROM workflow_status")}
    connection.close()
    assert formats == {"portable_json"}
    assert versions == {"wf1"}
    assert (house.state / FILE).stat().st_mode & 0o077 == 0
