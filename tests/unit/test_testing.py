"""The public fakes keep the promises of the ports, so that a test that passes with them means something."""

from __future__ import annotations

import gc
import inspect
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.application.ports import (
    Channel,
    Clock,
    InventorySnapshot,
    InventorySource,
    Job,
    Message,
    Prober,
    ProbeResult,
    Rejected,
    RunEvent,
    Runner,
    RunStatus,
    Sent,
    Store,
)
from orchestrator.domain.window import HealthProbe
from orchestrator.testing import (
    FakeClock,
    FixedInventory,
    HostScript,
    MemoryStore,
    RecordingChannel,
    ScriptedProber,
    ScriptedRunner,
)


def members(protocol: type) -> set[str]:
    return {name for cls in protocol.__mro__ for name in vars(cls) if not name.startswith("_")} | set(
        getattr(protocol, "__annotations__", {})
    )


@pytest.mark.parametrize(
    ("fake", "protocol"),
    [
        (FakeClock, Clock),
        (ScriptedRunner, Runner),
        (ScriptedProber, Prober),
        (FixedInventory, InventorySource),
        (MemoryStore, Store),
        (RecordingChannel, Channel),
    ],
)
def test_every_fake_has_what_its_port_has_with_the_same_parameters(fake: type, protocol: type) -> None:
    for name in members(protocol) - {"name"}:
        wanted, found = (inspect.signature(getattr(cls, name)) for cls in (protocol, fake))
        assert list(found.parameters.values()) == list(wanted.parameters.values()), name


# -- clock -----------------------------------------------------------------------------------------------------------


def test_the_clock_moves_only_when_told() -> None:
    clock = FakeClock(datetime(2026, 12, 9, 21, tzinfo=UTC))
    assert (clock.now(), clock.monotonic()) == (datetime(2026, 12, 9, 21, tzinfo=UTC), 0.0)
    clock.sleep(90)
    clock.advance(timedelta(hours=1))
    assert clock.now() == datetime(2026, 12, 9, 22, 1, 30, tzinfo=UTC)
    assert clock.monotonic() == 3690.0
    assert clock.slept == [90]


def test_a_corrected_clock_goes_back_but_monotonic_does_not() -> None:
    clock = FakeClock(datetime(2026, 12, 9, 21, tzinfo=UTC))
    clock.set(datetime(2026, 12, 9, 22, tzinfo=UTC))
    assert clock.monotonic() == 3600.0
    clock.set(datetime(2026, 12, 9, 20, tzinfo=UTC))
    assert (clock.now().hour, clock.monotonic()) == (20, 3600.0)
    clock.advance(60)
    assert (clock.now().minute, clock.monotonic()) == (1, 3660.0)


def test_a_naive_start_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        FakeClock(datetime(2026, 12, 9).replace(tzinfo=None))  # noqa: DTZ001


# -- runner ----------------------------------------------------------------------------------------------------------


def job(*hosts: str) -> Job:
    return Job(id="j", playbook="apply_os_updates", hosts=hosts)


def test_a_host_without_a_script_changes_and_one_with_a_script_follows_it_once() -> None:
    clock = FakeClock()
    runner = ScriptedRunner(clock=clock, seconds=30)
    runner.will("ws-1", HostScript(ok=False, reason="dpkg is broken", lines=("E: x",)), HostScript(changed=False))
    runner.will("ws-2", HostScript(unreachable=True))
    events: list[RunEvent] = []
    first = runner.run(job("ws-1", "ws-2", "ws-3"), on_event=events.append, cancelled=lambda: False)
    assert (first.status, first.rc, first.complete, first.seconds) == (RunStatus.FAILED, 2, True, 30)
    assert [event.kind for event in events] == ["failed", "unreachable", "changed"]
    broken, lost, changed = (first.hosts[name] for name in ("ws-1", "ws-2", "ws-3"))
    assert (broken.ok, broken.changed, broken.touched, broken.reason) == (False, False, True, "dpkg is broken")
    assert (lost.ok, lost.unreachable, lost.touched) == (False, True, False)
    assert (changed.ok, changed.changed) == (True, True)
    second = runner.run(job("ws-1"), on_event=events.append, cancelled=lambda: False)
    assert (second.status, second.hosts["ws-1"].changed) == (RunStatus.SUCCESSFUL, False)
    assert (len(runner.jobs), clock.monotonic()) == (2, 60)


def test_a_cancelled_or_broken_run_knows_nothing_about_any_host() -> None:
    asked: list[str] = []
    runner = ScriptedRunner(during=lambda running: asked.append(running.id))
    result = runner.run(job("ws-1"), on_event=lambda _event: None, cancelled=lambda: bool(asked))
    assert (result.status, result.complete, result.hosts) == (RunStatus.CANCELED, False, {})
    runner = ScriptedRunner()
    runner.will_end(RunStatus.TIMEOUT, complete=False)
    result = runner.run(job("ws-1"), on_event=lambda _event: None, cancelled=lambda: False)
    assert (result.status, result.complete, result.hosts) == (RunStatus.TIMEOUT, False, {})


# -- prober ----------------------------------------------------------------------------------------------------------


def test_every_host_asked_is_in_the_answer() -> None:
    prober = ScriptedProber()
    prober.absent("ws-6")
    prober.then(ProbeResult(host="ws-1", reachable=False))
    answers = [{host: result.reachable for host, result in prober.probe(["ws-1", "ws-6"]).items()} for _ in range(2)]
    assert answers == [{"ws-1": False, "ws-6": False}, {"ws-1": True, "ws-6": False}]
    assert prober.asked == [("ws-1", "ws-6")] * 2


def test_a_sleeper_wakes_and_the_one_that_is_off_does_not() -> None:
    prober = ScriptedProber()
    prober.wakes_up("ws-5")
    prober.absent("ws-6")
    assert prober.wake("fs-1", {"ws-5": "aa", "ws-6": "bb"}) == {"ws-5": "", "ws-6": ""}
    assert {host: result.reachable for host, result in prober.probe(["ws-5", "ws-6"]).items()} == {"ws-5": True, "ws-6": False}
    assert prober.woken == ["ws-5", "ws-6"]


def test_health_is_well_until_it_is_said_to_be_sick() -> None:
    prober, page = ScriptedProber(), HealthProbe(kind="http", target="https://intra")
    command = HealthProbe(kind="command", target="true")
    assert prober.health(page, ["ws-1"]) == {"controller": ""}
    prober.sick(page, {"controller": "503"})
    prober.sick(command, {"ws-1": "exit 1"})
    assert prober.health(page, ["ws-1"]) == {"controller": "503"}
    assert prober.health(command, ["ws-1", "ws-2"]) == {"ws-1": "exit 1", "ws-2": ""}


def test_stopping_a_unit_needs_the_host() -> None:
    prober = ScriptedProber()
    prober.absent("ws-6")
    assert prober.stop_unit("ws-1", "o")
    assert not prober.stop_unit("ws-6", "o")
    assert prober.stopped == [("ws-1", "o"), ("ws-6", "o")]


# -- channel, inventory, store ---------------------------------------------------------------------------------------


def test_a_channel_answers_from_its_script_and_then_takes_everything() -> None:
    channel = RecordingChannel(Rejected(reason="550 no such user"))
    message = Message(message_id="a@b", sender="it@x", recipient="ada@x", subject="s", text="t", html="h")
    assert channel.send(message) == Rejected(reason="550 no such user")
    assert isinstance(channel.send(message), Sent)
    assert channel.messages == [message, message]


def test_the_inventory_is_what_it_was_made_with() -> None:
    inventory = FixedInventory(InventorySnapshot(devices={}, groups={"all": ()}, matches={}))
    assert inventory.load(["all"]).groups == {"all": ()}
    assert inventory.asked == [("all",)]


def test_memory_stores_do_not_share_and_leave_nothing_behind() -> None:
    one, two = MemoryStore(), MemoryStore()
    now = FakeClock().now()
    lease = one.acquire_lease("batch", "ada", now=now, ttl=1, dead=lambda _holder: False)
    assert lease is not None
    one.finish_lease(lease)
    assert one.lease_finished("batch")
    assert not two.lease_finished("batch")
    folders = [Path(one.path).parent, Path(two.path).parent]
    one.close()
    del two
    gc.collect()
    assert [folder for folder in folders if folder.exists()] == []
