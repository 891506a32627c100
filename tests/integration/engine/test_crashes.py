"""The contract of the port Engine under kill -9, SIGSTOP, SIGTERM and a second executor. Real processes, real files."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.engine.dbos_engine import DbosEngine
from orchestrator.adapters.store import open_store
from orchestrator.testing import FakeClock

ROOT = Path(__file__).resolve().parents[3]
OCCURRENCE = "patch-night/2026-12-09"
BATCHES = [f"{OCCURRENCE}/{ring}/w{n}" for ring, count in (("canary", 2), ("broad", 3)) for n in range(1, count + 1)]


class Office:
    """A state directory and the executor processes that were started on it."""

    def __init__(self, state: Path, zygote: subprocess.Popen[str]) -> None:
        self.state = state
        self.zygote = zygote
        self.pids: list[int] = []

    def start(self, executor: str = "local", **settings: object) -> int:
        order = {"state": str(self.state), "executor": executor, "settings": {key: str(value) for key, value in settings.items()}}
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.zygote.stdin.write(json.dumps(order) + "\n")
        self.zygote.stdin.flush()
        self.pids.append(int(self.zygote.stdout.readline()))
        return self.pids[-1]

    def journal(self, kind: str = "", pid: int | None = None) -> list[dict[str, Any]]:
        path = self.state / "journal"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [line for line in lines if kind in {"", line["kind"]} and pid in {None, line["pid"]}]

    def until(self, condition: Callable[[], object], seconds: float = 25.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not in {seconds} s; journal:\n{self.told()}")
            time.sleep(0.02)

    def gone(self, pid: int) -> None:
        self.until(lambda: not Path(f"/proc/{pid}").exists(), 15)

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self.gone(pid)

    def stop(self, pid: int) -> None:
        """SIGTERM, and it ends by itself."""
        os.kill(pid, signal.SIGTERM)
        self.gone(pid)
        assert self.journal("exit", pid), self.told()

    def told(self) -> str:
        log = self.state / "engine.log"
        return "\n".join(map(str, self.journal())) + "\n" + (log.read_text() if log.exists() else "")

    def close(self) -> None:
        for pid in self.pids:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGCONT)
                self.kill(pid)


@pytest.fixture(scope="module")
def zygote() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("worker.py"))],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    assert process.wait(10) == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with both databases made, to be copied."""
    state = tmp_path_factory.mktemp("fresh")
    open_store(state).close()
    engine = DbosEngine(state, None, FakeClock())  # type: ignore[arg-type]
    with engine._client():
        pass
    return state


@pytest.fixture
def office(tmp_path: Path, zygote: subprocess.Popen[str], fresh: Path) -> Iterator[Office]:
    state = Path(shutil.copytree(fresh, tmp_path / "state"))
    made = Office(state, zygote)
    yield made
    made.close()


def assert_each_batch_once(office: Office) -> None:
    """Every batch had its effect, once; nothing began after it was committed; every new body of it had a higher fence.

    A kill can fall between a thing and its line in the journal, so the files and the store say what was done, the lines what was
    done twice.
    """
    store = open_store(office.state)
    for batch in BATCHES:
        lines = [line for line in office.journal() if line["thing"] == batch]
        kinds = [line["kind"] for line in lines]
        assert (office.state / f"effect-{batch}".replace("/", "_")).exists(), office.told()
        assert store.lease_finished(batch), office.told()
        assert kinds.count("effect") <= 1, office.told()
        assert kinds.count("commit") <= 1, office.told()
        assert "start" not in kinds[kinds.index("commit") if "commit" in kinds else len(kinds) :], office.told()
        fences = [line["fence"] for line in lines if line["kind"] == "start"]
        assert fences == sorted(set(fences)), office.told()
    store.close()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_rollout_survives_nine_kills_at_seeded_moments_and_every_batch_happens_once(office: Office) -> None:
    moments = random.Random(20261122)
    pid = office.start(start=OCCURRENCE, work=0.3)
    kills = 0
    while kills < 9 and not office.journal("finish"):
        seen = len(office.journal())
        office.until(lambda seen=seen: len(office.journal()) > seen + 1 or office.journal("finish"))
        time.sleep(moments.uniform(0.0, 0.5))
        office.kill(pid)
        kills += 1
        pid = office.start(start=OCCURRENCE, work=0.3)
    office.until(lambda: office.journal("finish"), 40)
    assert kills >= 5, "the rollout was over before it was killed often enough"
    assert_each_batch_once(office)
    assert not office.journal("fail")
    office.stop(pid)


@pytest.mark.timeout(60)
def test_a_second_process_with_the_same_executor_id_is_refused_and_names_the_first(office: Office) -> None:
    first = office.start(start=OCCURRENCE, work=0.1)
    office.until(lambda: office.journal("start"))
    second = office.start(start=OCCURRENCE)
    office.gone(second)
    assert f"process {first} is carrying out rollouts" in office.journal("exit", second)[0]["reason"]
    office.until(lambda: office.journal("finish"))
    assert len(office.journal("open")) == 1, "starting it again from another process made a second workflow"
    assert_each_batch_once(office)


@pytest.mark.timeout(60)
def test_another_executor_adopts_what_a_killed_one_left(office: Office) -> None:
    """`deskside run` in a terminal was killed; the daemon, another executor, goes on."""
    first = office.start("terminal", start=OCCURRENCE, work=0.3)
    office.until(lambda: office.journal("start"))
    office.kill(first)
    second = office.start("daemon", work=0.1)
    office.until(lambda: office.journal("finish"))
    assert {line["pid"] for line in office.journal("commit")} == {second}
    assert_each_batch_once(office)


@pytest.mark.timeout(60)
def test_a_living_executor_is_not_robbed_by_another_one(office: Office) -> None:
    first = office.start("terminal", start=OCCURRENCE, work=1.5)
    office.until(lambda: office.journal("start"))
    office.start("daemon", work=0.1)
    office.until(lambda: office.journal("commit"))
    assert office.journal("commit")[0]["pid"] == first
    assert len([line for line in office.journal("start") if line["thing"] == BATCHES[0]]) == 1


@pytest.mark.timeout(60)
def test_a_stopped_worker_that_wakes_up_is_fenced_off(office: Office) -> None:
    """SIGSTOP past the lease: the batch is done by somebody else with a higher fence; the zombie commits nothing."""
    zombie = office.start("terminal", start=OCCURRENCE, work=0.8, ttl=1.5)
    office.until(lambda: office.journal("start"))
    os.kill(zombie, signal.SIGSTOP)
    office.start("daemon", work=0.1, ttl=1.5, rob="terminal")
    office.until(lambda: office.journal("finish"))
    os.kill(zombie, signal.SIGCONT)
    office.until(lambda: office.journal("lost", zombie) or office.journal("fenced", zombie))
    assert not office.journal("commit", zombie)
    assert not office.journal("effect", zombie)
    assert_each_batch_once(office)


@pytest.mark.timeout(60)
def test_a_step_that_does_not_end_is_left_behind_at_the_stop_and_driven_again(office: Office) -> None:
    first = office.start(start=OCCURRENCE, work=30, grace=0.3)
    office.until(lambda: office.journal("start"))
    office.stop(first)
    assert office.journal("exit", first)[0]["left_behind"] is True
    office.start(work=0.05)
    office.until(lambda: office.journal("finish"))
    assert not office.journal("effect", first)
    assert_each_batch_once(office)


@pytest.mark.timeout(60)
def test_a_stop_in_the_middle_leaves_nothing_half_recorded_and_the_next_start_goes_on(office: Office) -> None:
    first = office.start(start=OCCURRENCE, work=0.3)
    office.until(lambda: office.journal("commit"))
    office.stop(first)
    assert not office.journal("finish")
    office.start(work=0.05)
    office.until(lambda: office.journal("finish"))
    assert not office.journal("fail")
    assert_each_batch_once(office)
    assert "Traceback" not in office.told()
