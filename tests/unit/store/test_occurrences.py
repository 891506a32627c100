"""Occurrences, device runs, gates and the log."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest
from sqlalchemy.exc import StatementError

from orchestrator.application.errors import NotFoundError, RefusedError
from orchestrator.application.ports import DeviceRun, GateRow, LogEntry
from orchestrator.domain.outcome import MOVES, ROLLOUT_MOVES, DeviceState, IllegalMoveError, Outcome, RolloutState

NIGHT = "patch-night/2026-12-09"


@pytest.fixture
def planned(store, make_plan, ada):
    store.save_plan(make_plan(), actor=ada)
    return store


def run_of(store, device="ws-1") -> DeviceRun:
    return next(run for run in store.device_runs(NIGHT) if run.device == device)


def test_a_saved_plan_is_found_again_with_one_planned_run_per_device_in_its_order(planned, make_plan, now) -> None:
    assert planned.plan(NIGHT) == make_plan()
    row = planned.occurrence(NIGHT)
    assert (row.state, row.actor, row.starts_at, row.window) == (RolloutState.PLANNED, "ada", now, "patch-night")
    assert [(run.device, run.ring, run.state) for run in planned.device_runs(NIGHT)] == [
        ("ws-2", "canary", DeviceState.PLANNED),
        ("ws-1", "canary", DeviceState.PLANNED),
        ("ws-3", "broad", DeviceState.PLANNED),
    ]


def test_what_is_not_there_is_none_or_empty(store) -> None:
    assert store.plan("no/such") is None
    assert store.occurrence("no/such") is None
    assert store.device_runs("no/such") == []
    with pytest.raises(NotFoundError, match="no/such: there is no such occurrence"):
        store.move("no/such", RolloutState.RUNNING, now=None)


def test_a_plan_is_replaced_until_it_has_started(planned, make_plan, ada, now) -> None:
    planned.save_plan(make_plan(canary=["ws-9"]), actor=ada)
    assert [run.device for run in planned.device_runs(NIGHT)] == ["ws-9"]
    planned.move(NIGHT, RolloutState.RUNNING, now=now)
    with pytest.raises(RefusedError, match=r"patch-night/2026-12-09 is running: its plan cannot be changed any more"):
        planned.save_plan(make_plan(), actor=ada)
    assert [run.device for run in planned.device_runs(NIGHT)] == ["ws-9"]


def test_a_plan_without_devices_can_be_saved(store, make_plan, ada) -> None:
    store.save_plan(make_plan(canary=[]), actor=ada)
    assert store.device_runs(NIGHT) == []


def test_occurrences_come_newest_first_and_by_window_and_prefix(store, make_plan, ada, now) -> None:
    for day in (9, 11, 10):
        store.save_plan(make_plan(f"patch-night/2026-12-{day:02}", now + timedelta(days=day)), actor=ada)
    store.save_plan(make_plan("office_hours/2026-12-12", now + timedelta(days=12)), actor=ada)
    assert [row.id[-5:] for row in store.occurrences()] == ["12-12", "12-11", "12-10", "12-09"]
    assert [row.id[-5:] for row in store.occurrences(window="patch-night", limit=2)] == ["12-11", "12-10"]
    assert [row.id for row in store.occurrences(prefix="patch-night/2026-12-1")] == [
        "patch-night/2026-12-11",
        "patch-night/2026-12-10",
    ]
    assert store.occurrences(prefix="%") == []
    assert store.occurrences(prefix="office-hours") == []


@pytest.mark.parametrize(("start", "to"), list(itertools.product(RolloutState, RolloutState)))
def test_an_occurrence_moves_only_as_the_table_says(planned, now, start, to) -> None:
    with planned._database.write() as connection:
        connection.exec_driver_sql("UPDATE occurrence SET state = ?", (start.value,))
    after = planned.move(NIGHT, to, note="why", now=now)
    allowed = to in ROLLOUT_MOVES[start]
    assert after == planned.occurrence(NIGHT).state == (to if allowed else start)
    changed = allowed and to is not start
    assert planned.occurrence(NIGHT).note == ("why" if changed else "")


def test_opening_and_ending_are_dated_once(planned, now) -> None:
    planned.move(NIGHT, RolloutState.RUNNING, now=now)
    planned.move(NIGHT, RolloutState.PAUSED, note="lunch", now=now + timedelta(minutes=1))
    planned.move(NIGHT, RolloutState.RUNNING, now=now + timedelta(minutes=2))
    assert planned.occurrence(NIGHT).opened_at == now
    assert planned.occurrence(NIGHT).finished_at is None
    planned.move(NIGHT, RolloutState.FINISHED, now=now + timedelta(minutes=3))
    planned.move(NIGHT, RolloutState.FINISHED, note="again", now=now + timedelta(minutes=4))
    row = planned.occurrence(NIGHT)
    assert (row.opened_at, row.finished_at, row.note) == (now, now + timedelta(minutes=3), "")


def test_a_device_run_keeps_every_field(planned, now) -> None:
    run = replace(
        run_of(planned),
        state=DeviceState.SETTLED,
        outcome=Outcome.FAILED,
        reason="dpkg: half-configured",
        lines=("E: Sub-process", "exit 1"),
        wave=2,
        batch=f"{NIGHT}/canary/w2",
        fence=3,
        touched=True,
        started_at=now,
        finished_at=now + timedelta(microseconds=1),
        detail={"packages": [{"name": "openssl"}], "seconds": 1.5},
    )
    assert planned.put_device_run(run)
    assert run_of(planned) == run


def test_detail_may_be_any_mapping_and_sequence_and_nothing_else(planned) -> None:
    detail = MappingProxyType({"by": MappingProxyType({"openssl": ("1", "2")}), "held": frozenset({"linux"})})
    planned.put_device_run(replace(run_of(planned), state=DeviceState.QUEUED, detail=detail))
    assert run_of(planned).detail == {"by": {"openssl": ["1", "2"]}, "held": ["linux"]}
    with pytest.raises(StatementError, match=r"datetime.timedelta\(0\) \(timedelta\) cannot be kept as JSON"):
        planned.put_device_run(replace(run_of(planned), state=DeviceState.QUEUED, detail={"x": timedelta(0)}))


@pytest.mark.parametrize(("start", "to"), list(itertools.product(DeviceState, DeviceState)))
def test_a_device_moves_only_as_the_table_says(planned, start, to) -> None:
    with planned._database.write() as connection:
        connection.exec_driver_sql("UPDATE device_run SET state = ?, outcome = 'ok' WHERE device = 'ws-1'", (start.value,))
    run = replace(run_of(planned), state=to, outcome=None)
    if start is DeviceState.SETTLED:
        assert planned.put_device_run(run) is False
        assert run_of(planned).state is start
    elif to in MOVES[start]:
        assert planned.put_device_run(run) is True
        assert run_of(planned).state is to
    else:
        with pytest.raises(IllegalMoveError, match=f"a device that is {start} cannot become {to}"):
            planned.put_device_run(run)
        assert run_of(planned).state is start


def test_a_settled_row_is_never_changed_back_and_settling_it_again_is_fine(planned) -> None:
    run = replace(run_of(planned), state=DeviceState.SETTLED, outcome=Outcome.CHANGED, reason="first")
    assert planned.put_device_run(run)
    assert planned.put_device_run(replace(run, reason="second"))
    assert run_of(planned).reason == "first"
    assert not planned.put_device_run(replace(run, outcome=Outcome.FAILED))
    assert not planned.put_device_run(replace(run, state=DeviceState.RUNNING, outcome=None))
    assert run_of(planned) == run


def test_unknown_is_settled_as_what_a_probe_has_proved_and_then_stays(planned) -> None:
    run = replace(run_of(planned), state=DeviceState.SETTLED, outcome=Outcome.UNKNOWN)
    planned.put_device_run(run)
    assert not planned.put_device_run(replace(run, state=DeviceState.QUEUED, outcome=None))
    assert planned.put_device_run(replace(run, outcome=Outcome.CHANGED))
    assert not planned.put_device_run(run)
    assert run_of(planned).outcome is Outcome.CHANGED


def test_an_older_fence_writes_nothing(planned) -> None:
    queued = replace(run_of(planned), state=DeviceState.QUEUED)
    assert planned.put_device_run(queued, fence=4)
    assert not planned.put_device_run(replace(queued, state=DeviceState.RUNNING), fence=3)
    assert run_of(planned).state is DeviceState.QUEUED
    assert planned.put_device_run(replace(queued, state=DeviceState.RUNNING), fence=4)
    assert planned.put_device_run(replace(queued, state=DeviceState.CHECKING)), "without a fence the row is written"
    assert run_of(planned).fence == 4, "and its fence stays the newest that wrote it"


def test_a_device_that_was_not_planned_is_inserted(planned) -> None:
    run = DeviceRun(occurrence=NIGHT, device="ws-7", ring="broad", state=DeviceState.QUEUED)
    assert planned.put_device_run(run, fence=2)
    assert run_of(planned, "ws-7").fence == 2


def test_a_decided_gate_stays_as_it_was_decided(planned, now) -> None:
    soaking = GateRow(occurrence=NIGHT, ring="canary", verdict="", reason="", started_at=now, soak_until=now + timedelta(hours=1))
    planned.put_gate(soaking)
    red = replace(soaking, verdict="red", reason="2 of 3 failed", decided_at=now)
    planned.put_gate(red)
    planned.put_gate(replace(soaking, verdict="green", decided_at=now))
    planned.put_gate(replace(soaking, ring="broad", started_at=now - timedelta(hours=1)))
    assert [gate.ring for gate in planned.gates(NIGHT)] == ["broad", "canary"]
    assert planned.gates(NIGHT)[1] == red


def test_the_log_gives_the_newest_lines_oldest_first(store, now) -> None:
    for number in range(5):
        store.log(LogEntry(at=now, kind="phase", text=str(number), occurrence="o" if number % 2 else "", device="d", actor="ada"))
    assert [line.text for line in store.log_entries(limit=3)] == ["2", "3", "4"]
    assert [line.text for line in store.log_entries(occurrence="o")] == ["1", "3"]
    assert store.log_entries(device="other") == []
    assert store.log_entries(limit=1)[0] == LogEntry(at=now, kind="phase", text="4", device="d", actor="ada")


def test_an_instant_without_a_zone_is_refused(store, now) -> None:
    with pytest.raises((ValueError, StatementError), match="has no time zone"):
        store.log(LogEntry(at=now.replace(tzinfo=None), kind="x", text="y"))
