"""One night on fakes and the real store: what happens to whom, and what people are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from orchestrator.application.ports import Job, ProbeResult, RunStatus
from orchestrator.domain.outcome import RolloutState
from orchestrator.domain.window import Gate, HealthProbe, RebootPolicy, Ring, Work
from orchestrator.testing import HostScript
from tests.unit.application.conftest import ADA, Night


def test_a_good_night_changes_every_device_and_finishes(night: Night) -> None:
    occurrence = night.book()
    assert night.run(occurrence) == "go"
    assert set(night.outcomes(occurrence).values()) == {"changed"}
    assert "ws-lost" not in night.outcomes(occurrence)
    row = night.store.occurrence(occurrence)
    assert row is not None
    assert row.state is RolloutState.FINISHED
    assert night.store.locks() == []


def test_the_canary_runs_alone_and_the_critical_device_last(night: Night) -> None:
    occurrence = night.book()
    night.run(occurrence)
    order = [job.hosts for job in night.runner.jobs]
    assert order[0] == ("ws-ada",)
    assert order[-1] == ("dc-1",)


def test_the_two_file_servers_are_never_in_one_wave(night: Night) -> None:
    occurrence = night.book()
    night.run(occurrence)
    assert not [job.hosts for job in night.runner.jobs if {"fs-1", "fs-2"} <= set(job.hosts)]
    assert {host for job in night.runner.jobs for host in job.hosts} >= {"fs-1", "fs-2"}


def test_a_red_canary_stops_the_next_ring_and_says_why(night: Night) -> None:
    night.runner.will("ws-ada", HostScript(ok=False, data={"state": "failed", "reason": "lab-badpost: database is locked"}))
    occurrence = night.book()
    night.run(occurrence)
    assert night.outcomes(occurrence)["ws-ada"] == "failed"
    assert night.outcomes(occurrence)["dc-1"] == "not-reached"
    assert "gate of ring canary was red" in night.reasons(occurrence)["dc-1"]
    assert night.reasons(occurrence)["ws-ada"] == "lab-badpost: database is locked"
    row = night.store.occurrence(occurrence)
    assert row is not None
    assert row.state is RolloutState.STOPPED
    assert len(night.runner.jobs) == 1


def test_a_device_that_needs_nothing_is_ok_without_a_run(night: Night) -> None:
    night.prober.will(ProbeResult(host="ws-ada", reachable=True, needs_run=False, pending=()))
    occurrence = night.book()
    night.run(occurrence)
    assert night.outcomes(occurrence)["ws-ada"] == "ok"
    assert not [job for job in night.runner.jobs if "ws-ada" in job.hosts]


def test_the_probe_may_not_speak_for_a_playbook_that_did_not_say_so(night: Night) -> None:
    night.probed = False
    night.prober.will(ProbeResult(host="ws-ada", reachable=True, needs_run=False, pending=()))
    occurrence = night.book()
    night.run(occurrence)
    assert [job for job in night.runner.jobs if "ws-ada" in job.hosts]


def test_a_sleeping_device_is_woken_and_one_that_stays_off_is_absent(night: Night) -> None:
    night.prober.wakes_up("ws-grace")
    night.prober.absent("ws-pool")
    occurrence = night.book()
    night.run(occurrence)
    assert night.outcomes(occurrence)["ws-grace"] == "changed"
    assert night.outcomes(occurrence)["ws-pool"] == "absent"
    row = night.store.occurrence(occurrence)
    assert row is not None
    assert row.state is RolloutState.FINISHED, "an absent device does not redden the gate"


def test_who_was_absent_leads_the_next_plan(night: Night) -> None:
    night.prober.absent("ws-pool")
    occurrence = night.book()
    night.run(occurrence)
    night.clock.advance(timedelta(days=7))
    plan = night.open_occurrence.open_now(night.window, actor=ADA).plan
    broad = next(ring for ring in plan.rings if ring.name == "broad")
    assert broad.devices[0].name == "ws-pool"
    assert broad.devices[0].leads


def test_a_window_too_short_for_all_starts_nobody_who_cannot_finish(night: Night) -> None:
    occurrence = night.book()
    night.clock.advance(timedelta(hours=3))  # 55 minutes left, 25 to the cutoff; 10 minutes p95 + 15 reserve
    night.run(occurrence)
    outcomes = night.outcomes(occurrence)
    assert outcomes["ws-ada"] == "changed"
    late = [device for device, outcome in outcomes.items() if outcome == "not-reached"]
    assert late
    ends = night.store.occurrence(occurrence)
    assert ends is not None
    assert all(run.finished_at is None or run.finished_at < ends.ends_at for run in night.store.device_runs(occurrence))


def test_a_rollout_that_starts_after_its_window_touches_nothing(night: Night) -> None:
    occurrence = night.book()
    night.clock.advance(timedelta(hours=8))
    assert night.run(occurrence) != "go"
    assert night.runner.jobs == []
    row = night.store.occurrence(occurrence)
    assert row is not None
    assert row.state is RolloutState.MISSED


def test_a_restart_that_comes_too_late_is_reboot_pending(night: Night) -> None:
    data = {"state": "done", "packages": [{"name": "k"}], "reboot_required": True, "reason": "too late: 00:10 is after 00:05"}
    night.runner.will("ws-ada", HostScript(data=data))
    occurrence = night.book()
    night.run(occurrence)
    assert night.outcomes(occurrence)["ws-ada"] == "reboot-pending"
    assert night.reasons(occurrence)["ws-ada"].startswith("too late")


def test_a_broken_event_stream_is_settled_by_what_the_device_says(night: Night) -> None:
    night.runner.will_end(RunStatus.FAILED, complete=False)
    done = {
        "1-apply_os_updates": {"state": "done", "result": {"state": "done", "packages": [{"name": "a", "from": "1", "to": "2"}]}}
    }
    night.prober.then(ProbeResult(host="ws-ada", reachable=True), ProbeResult(host="ws-ada", reachable=True))
    night.prober.then(ProbeResult(host="ws-ada", reachable=True, guard=done))
    occurrence = night.book()
    night.run(occurrence)
    assert night.outcomes(occurrence)["ws-ada"] == "changed"


def test_a_device_that_goes_away_for_good_in_the_middle_is_unknown(night: Night) -> None:
    night.runner.will("ws-ada", HostScript(unreachable=True, reason="connection reset"))

    def vanish(job: Job) -> None:
        if "ws-ada" in job.hosts:
            night.prober.absent("ws-ada")

    night.runner._during = vanish
    occurrence = night.book()
    night.run(occurrence)
    assert night.outcomes(occurrence)["ws-ada"] == "unknown"
    assert "lost in the middle: connection reset" in night.reasons(occurrence)["ws-ada"]


def test_cancel_lets_the_running_wave_end_and_starts_nothing_new(night: Night) -> None:
    occurrence = night.book()
    night.runner._during = lambda _: night.steer.cancel(occurrence, actor=ADA, reason="fire drill")
    night.run(occurrence)
    assert night.outcomes(occurrence)["ws-ada"] == "changed"
    assert night.outcomes(occurrence)["dc-1"] == "not-reached"
    assert "fire drill" in night.reasons(occurrence)["dc-1"]
    row = night.store.occurrence(occurrence)
    assert row is not None
    assert row.state is RolloutState.CANCELLED


def test_cancel_now_stops_the_work_on_the_device_and_asks_it_what_is_true(night: Night) -> None:
    occurrence = night.book()
    night.runner._during = lambda _: night.steer.cancel(occurrence, actor=ADA, reason="wrong fix", at_once=True)
    night.run(occurrence)
    assert night.prober.stopped == [("ws-ada", occurrence)]
    assert night.outcomes(occurrence)["ws-ada"] == "failed"
    assert night.reasons(occurrence)["ws-ada"] == "cancelled; nothing was changed on the device"


def test_a_health_probe_on_the_device_fails_that_device(night: Night) -> None:
    probe = HealthProbe(kind="command", target="systemctl is-active labsvc")
    night.window = replace(night.window, rings=(Ring(name="all", rest=True, gate=Gate(probes=(probe,))),))
    night.prober.sick(probe, {"ws-ada": "labsvc is failed"})
    occurrence = night.book()
    night.run(occurrence)
    assert night.outcomes(occurrence)["ws-ada"] == "failed"
    assert night.outcomes(occurrence)["ws-grace"] == "changed"
    assert "labsvc is failed" in night.reasons(occurrence)["ws-ada"]


def test_a_device_that_fails_a_step_skips_the_rest(night: Night) -> None:
    night.window = replace(
        night.window, work=(Work(playbook="apply_os_updates"), Work(playbook="second", reboot=RebootPolicy.NEVER))
    )
    night.runner.will("ws-grace", HostScript(ok=False, reason="boom"))
    occurrence = night.book()
    night.run(occurrence)
    second = {host for job in night.runner.jobs if job.playbook == "second" for host in job.hosts}
    assert "ws-grace" not in second
    assert "ws-pool" in second


def test_a_device_somebody_works_on_waits_and_is_reached_when_it_is_free(night: Night) -> None:
    night.store.lock_devices(["ws-ada"], "hand", "run-playbook x by linus", groups={}, stay_up={}, now=night.clock.now(), ttl=60)
    occurrence = night.book()
    slept = night.clock.sleep

    def free_after_a_while(seconds: float) -> None:
        slept(seconds)
        if len(night.clock.slept) == 5:
            night.store.unlock_devices(["ws-ada"], "hand")

    night.clock.sleep = free_after_a_while  # type: ignore[method-assign]
    night.run(occurrence)
    assert night.outcomes(occurrence)["ws-ada"] == "changed"
    assert len(night.clock.slept) >= 5


def test_a_batch_that_was_done_is_not_done_again(night: Night) -> None:
    occurrence = night.book()
    night.run(occurrence)
    jobs = len(night.runner.jobs)
    night.steps.run_batch(f"{occurrence}/canary/w1")
    assert len(night.runner.jobs) == jobs


def test_a_drive_after_a_crash_adopts_what_the_device_says_is_done(night: Night) -> None:
    occurrence = night.book()
    steps = night.steps
    steps.open(occurrence)
    steps.begin_ring(occurrence, "canary")
    batch = steps.next_batch(occurrence, "canary")["batch"]
    night.runner._during = _die
    try:
        steps.run_batch(batch)
    except _CrashError:
        night.dead.add("me")
    night.runner._during = None
    done = {
        "1-apply_os_updates": {"state": "done", "result": {"state": "done", "packages": [{"name": "a", "from": "1", "to": "2"}]}}
    }
    night.prober.will(ProbeResult(host="ws-ada", reachable=True, guard=done))
    jobs = len(night.runner.jobs)
    night.steps.run_batch(batch)
    assert len(night.runner.jobs) == jobs, "no second run: the device's own guard says it is done"
    assert night.outcomes(occurrence)["ws-ada"] == "changed"
    assert night.store.locks() == []


class _CrashError(Exception):
    """The process is gone."""


def _die(job: Job) -> None:
    del job
    raise _CrashError


def test_everybody_gets_one_invitation_and_one_closing_notice(night: Night) -> None:
    occurrence = night.book()
    night.deliver()
    night.run(occurrence)
    night.deliver()
    sent = [(message.recipient, message.subject) for message in night.channel.messages]
    people = {"ada@example.org", "grace@example.org", "linus@example.org"}
    assert sorted(who for who, what in sent if what == "invitation") == sorted(people)
    assert sorted(who for who, what in sent if what == "closing") == sorted(people)
