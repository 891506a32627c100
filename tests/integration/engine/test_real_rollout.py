"""The engine and the real use case together: the answers of RunRollout are what the workflow understands, and pass through JSON."""

from __future__ import annotations

import time
from pathlib import Path

from orchestrator.adapters.engine import DbosEngine
from orchestrator.domain.outcome import RolloutState
from orchestrator.domain.window import Gate, Ring
from orchestrator.testing import HostScript
from tests.unit.application.conftest import Night, window

RINGS = (Ring(name="canary", devices="canary"), Ring(name="broad", rest=True, gate=Gate()), Ring(name="last", devices="critical"))


def carry_out(night: Night, state: Path) -> RolloutState:
    occurrence = night.book()
    engine = DbosEngine(state, night.steps, night.clock, poll=0.05, grace=5)
    engine.start_rollout(occurrence)
    deadline = time.monotonic() + 40

    def over() -> bool:
        row = night.store.occurrence(occurrence)
        return time.monotonic() > deadline or (row is not None and row.state.over)

    engine.run(over)
    row = night.store.occurrence(occurrence)
    assert row is not None
    log = state / "engine.log"
    assert row.state.over, log.read_text() if log.exists() else "no engine.log"
    return row.state


def test_a_good_night_changes_every_device_and_finishes(tmp_path: Path) -> None:
    night = Night(window=window(rings=RINGS))
    assert carry_out(night, tmp_path) is RolloutState.FINISHED
    (occurrence,) = night.store.occurrences()
    assert set(night.outcomes(occurrence.id).values()) == {"changed"}
    assert not [job.hosts for job in night.runner.jobs if {"fs-1", "fs-2"} <= set(job.hosts)]
    assert night.store.locks() == []
    night.store.close()


def test_a_red_canary_stops_the_night(tmp_path: Path) -> None:
    night = Night(window=window(rings=RINGS))
    night.runner.will("ws-ada", HostScript(ok=False, data={"state": "failed", "reason": "dpkg is broken"}))
    assert carry_out(night, tmp_path) is RolloutState.STOPPED
    (occurrence,) = night.store.occurrences()
    assert night.outcomes(occurrence.id)["ws-ada"] == "failed"
    assert night.outcomes(occurrence.id)["dc-1"] == "not-reached"
    night.store.close()


def test_a_runner_that_raises_stops_the_night_with_its_reason(tmp_path: Path) -> None:
    night = Night(window=window(rings=RINGS))

    def explode(_job: object) -> None:
        raise LookupError("the playbook has gone")

    night.runner._during = explode
    assert carry_out(night, tmp_path) is RolloutState.STOPPED
    (occurrence,) = night.store.occurrences()
    assert occurrence.note == "run_batch: LookupError: the playbook has gone"
    assert night.store.device_runs(occurrence.id)[0].reason
    night.store.close()
