"""The planner's tick, the outbox, and a person at the wheel."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.application.errors import BadInputError, BusyError, NotAllowedError, NotFoundError, RefusedError
from orchestrator.application.keep_time import KeepTime
from orchestrator.application.list_patches import list_patches
from orchestrator.application.ports import Actor, Doubtful, ProbeResult, Rejected, Retryable
from orchestrator.application.run_playbook import RunPlaybook
from orchestrator.domain.notice import NoticeKind, NoticeState
from orchestrator.domain.outcome import RolloutState
from orchestrator.domain.window import Freeze
from orchestrator.testing import RecordingChannel
from tests.unit.application.conftest import ADA, OPEN, Night


class Ticker:
    """A planner on a night, with what it started and asked."""

    def __init__(self, night: Night) -> None:
        self.night = night
        self.started: list[str] = []
        self.asked: list[str] = []
        self.fresh()

    def fresh(self) -> None:
        """A new process: memory is gone, the store stays."""
        self.keep_time = KeepTime(
            office=self.night.office, store=self.night.store, open_occurrence=self.night.open_occurrence, deliver=self.night.deliver,
            start=self.started.append, readiness=self.asked.append, clock=self.night.clock,
        )  # fmt: skip


@pytest.fixture
def ticker(night: Night) -> Ticker:
    """Two days before the window opens."""
    night.clock.set(OPEN - timedelta(days=2))
    return Ticker(night)


def subjects(night: Night) -> list[str]:
    return sorted(f"{message.recipient.partition('@')[0]} {message.subject}" for message in night.channel.messages)


def test_an_occurrence_is_planned_ahead_and_everybody_is_invited_once(ticker: Ticker) -> None:
    ticker.night.clock.set(OPEN - timedelta(days=2) + timedelta(hours=-9))  # Monday noon in Berlin
    for _ in range(3):
        ticker.keep_time()
    ticker.fresh()
    ticker.keep_time()
    assert subjects(ticker.night) == ["ada invitation", "grace invitation", "linus invitation"]
    assert ticker.started == []


def test_the_window_is_started_when_it_opens_and_missed_after_its_cutoff(ticker: Ticker) -> None:
    ticker.keep_time()
    ticker.night.clock.set(OPEN)
    ticker.keep_time()
    assert ticker.started == ["night/2026-12-09"]
    ticker.night.clock.set(OPEN + timedelta(hours=5))
    ticker.keep_time()
    row = ticker.night.store.occurrence("night/2026-12-09")
    assert row is not None
    assert row.state is RolloutState.MISSED


def test_the_devices_are_asked_in_the_hours_before(ticker: Ticker) -> None:
    ticker.keep_time()
    assert ticker.asked == []
    ticker.night.clock.set(OPEN - timedelta(hours=3))
    ticker.keep_time()
    assert ticker.asked == ["night/2026-12-09"]


def test_one_window_that_cannot_be_planned_stops_no_other_and_is_said_once(ticker: Ticker) -> None:
    ticker.night.window = replace(ticker.night.window, devices_at_most=1)
    ticker.fresh()
    for _ in range(3):
        ticker.keep_time()
    refused = [entry for entry in ticker.night.store.log_entries(limit=50) if entry.kind == "refused"]
    assert len(refused) == 1
    assert "devices_at_most is 1" in refused[0].text


def test_who_was_killed_between_planning_and_telling_tells_after_the_restart(ticker: Ticker) -> None:
    night = ticker.night
    occurrence = night.planner.next_occurrence(night.window)
    night.store.save_plan(night.planner(night.window, occurrence), actor=ADA)
    ticker.keep_time()
    assert {row.notice.kind for row in night.store.rows(occurrence.id)} >= {NoticeKind.INVITATION}


def test_the_report_leaves_once_after_the_closing_notices(night: Night) -> None:
    occurrence = night.book()
    night.run(occurrence)
    ticker = Ticker(night)
    ticker.keep_time.close_books()
    assert not [row for row in night.store.rows(occurrence) if row.notice.kind is NoticeKind.REPORT], "closing notices first"
    night.deliver()
    for _ in range(2):
        ticker.keep_time.close_books()
        night.deliver()
    assert [who for who in subjects(night) if "report" in who] == ["lead report"]


def test_a_frozen_night_is_refused_with_the_reason(night: Night) -> None:
    night.clock.set(OPEN)
    planner = night.planner
    day = OPEN.date()
    planner._office = replace(night.office, freezes=(Freeze(title="Audit", first=day, last=day),))
    occurrence = night.planner.next_occurrence(night.window)
    with pytest.raises(RefusedError, match="Audit"):
        planner(night.window, occurrence)


def test_a_deferred_device_leaves_the_plan_and_its_person_is_uninvited(ticker: Ticker) -> None:
    night = ticker.night
    ticker.keep_time()
    ticker.night.clock.advance(timedelta(hours=14))
    night.deliver()
    steer = night.steer
    steer.defer("ws-ada", until=OPEN + timedelta(days=1), person="ada", reason="on a call", actor=ADA, known=list(night.devices))
    plan = night.open_occurrence.rebook(night.window, "night/2026-12-09", actor=ADA)
    assert plan is not None
    assert "ws-ada" in {left.name for left in plan.left_out}
    night.deliver()
    assert "ada cancelled" in subjects(night)
    assert "grace cancelled" not in subjects(night)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ({"device": "ws-adda"}, NotFoundError),
        ({"until": OPEN - timedelta(days=9)}, BadInputError),
        ({"reason": " "}, BadInputError),
        ({"actor": Actor("mallory", "web")}, NotAllowedError),
        ({"actor": Actor("", "cli")}, NotAllowedError),
    ],
)
def test_a_deferral_needs_a_device_a_future_a_reason_and_somebody_with_rights(
    night: Night, words: dict[str, object], error: type[Exception]
) -> None:
    asked = {"device": "ws-ada", "until": OPEN + timedelta(days=1), "reason": "busy", "actor": ADA, **words}
    with pytest.raises(error):
        night.steer.defer(asked.pop("device"), person="ada", known=list(night.devices), **asked)  # type: ignore[arg-type]


def test_pause_and_resume_are_refused_when_they_mean_nothing(night: Night) -> None:
    occurrence = night.book()
    with pytest.raises(RefusedError, match="only a running"):
        night.steer.pause(occurrence, actor=ADA)
    night.steps.open(occurrence)
    assert night.steer.pause("night", actor=ADA, reason="coffee").state is RolloutState.PAUSED
    assert night.steps.next_batch(occurrence, "canary") == {"wait": 2.0}
    assert night.steer.resume("last", actor=ADA).state is RolloutState.RUNNING


def test_a_skipped_device_is_left_out_of_a_running_night(night: Night) -> None:
    occurrence = night.book()
    night.steps.open(occurrence)
    night.steer.skip("dc-1", "night", actor=ADA)
    night.run(occurrence)
    assert night.outcomes(occurrence)["dc-1"] == "skipped"
    with pytest.raises(RefusedError):
        night.steer.skip("ws-ada", occurrence, actor=ADA)


def test_a_cancelled_plan_takes_its_invitations_back(ticker: Ticker) -> None:
    ticker.keep_time()
    ticker.night.clock.advance(timedelta(hours=14))
    ticker.night.deliver()
    ticker.night.steer.cancel("next", actor=ADA, reason="rain")
    ticker.night.deliver()
    assert [who for who in subjects(ticker.night) if "cancelled" in who] == ["ada cancelled", "grace cancelled", "linus cancelled"]


def test_a_channel_that_is_down_is_tried_again_later_and_a_refused_address_never(night: Night) -> None:
    night.channel = RecordingChannel(
        Retryable(reason="greylisted"), Rejected(reason="550 no such user"), Doubtful(reason="no answer"), name="mail"
    )
    occurrence = night.book()
    deliver = night.deliver
    deliver()
    states = {row.notice.person: row.state for row in night.store.rows(occurrence) if row.notice.kind is NoticeKind.INVITATION}
    assert sorted(states.values()) == [NoticeState.NEW, NoticeState.NEW, NoticeState.REJECTED]
    deliver()
    assert len(night.channel.messages) == 3, "not again before the pause is over"
    night.clock.advance(20)
    deliver()
    states = {row.notice.person: row.state for row in night.store.rows(occurrence) if row.notice.kind is NoticeKind.INVITATION}
    assert sorted(states.values()) == [NoticeState.REJECTED, NoticeState.SENT, NoticeState.SENT]


def test_one_notice_that_cannot_be_written_stops_no_other(night: Night) -> None:
    occurrence = night.book()
    deliver = night.deliver
    render = deliver._renderer.render

    def broken(notice: object) -> object:
        if notice.person == "ada":  # type: ignore[attr-defined]
            raise KeyError("devices")
        return render(notice)  # type: ignore[arg-type]

    deliver._renderer.render = broken  # type: ignore[assignment,method-assign]
    deliver()
    rows = {row.notice.person: row.state for row in night.store.rows(occurrence) if row.notice.kind is NoticeKind.INVITATION}
    assert rows == {"ada": NoticeState.REJECTED, "grace": NoticeState.SENT, "linus": NoticeState.SENT}


def by_hand(night: Night) -> RunPlaybook:
    return RunPlaybook(
        office=night.office, store=night.store, runner=night.runner, inventory=night.inventory, clock=night.clock, holder="hand",
        free=lambda: None,
    )  # fmt: skip


def test_a_playbook_by_hand_takes_the_file_servers_one_after_the_other(night: Night) -> None:
    done = by_hand(night)("x.yml", ["fs-1", "fs-2", "ws-ada"], options=(), actor=ADA)
    assert done.waves == (("fs-1", "ws-ada"), ("fs-2",))
    assert done.rc == 0
    assert night.store.locks() == []


def test_a_playbook_by_hand_is_refused_with_the_name_of_who_works_there_and_waits_when_asked(night: Night) -> None:
    night.store.lock_devices(["fs-1"], "other", "night/2026-12-09", groups={}, stay_up={}, now=night.clock.now(), ttl=60)
    with pytest.raises(BusyError, match="night/2026-12-09"):
        by_hand(night)("x.yml", ["fs-2"], options=(), actor=ADA)
    slept = night.clock.sleep

    def free(seconds: float) -> None:
        slept(seconds)
        night.store.unlock_devices(["fs-1"], "other")

    night.clock.sleep = free  # type: ignore[method-assign]
    assert by_hand(night)("x.yml", ["fs-2"], options=(), actor=ADA, wait=30).waves == (("fs-2",),)


def test_a_playbook_by_hand_touches_only_devices_of_the_office(night: Night) -> None:
    with pytest.raises(RefusedError, match="stranger"):
        by_hand(night)("x.yml", ["stranger"], options=(), actor=ADA)
    with pytest.raises(RefusedError, match="matches no device"):
        by_hand(night)("x.yml", [], options=(), actor=ADA)


def test_patches_say_what_is_pending_since_when_and_what_is_overdue(night: Night) -> None:
    row = {"name": "openssl", "from": "1", "to": "2", "class": "security", "held": False}
    night.store.put_health(ProbeResult(host="ws-ada", reachable=True, pending=(row,)), at=night.clock.now())
    night.clock.advance(timedelta(days=20))
    now = night.clock.now()
    (line,) = list_patches(night.store, now=now, limit=timedelta(days=14), overdue=True)
    assert line.device == "ws-ada"
    assert line.pending == {"security": 1}
    assert line.overdue
    assert list_patches(night.store, now=now, limit=timedelta(days=30), overdue=True) == []
    assert list_patches(night.store, now=now, limit=timedelta(days=14), package="bash") == []


def test_a_freeze_written_after_the_plan_wins_and_everybody_is_uninvited(night: Night) -> None:
    occurrence = night.book()
    night.deliver()
    steps = night.steps
    day = OPEN.date()
    steps._office = replace(night.office, freezes=(Freeze(title="Audit", first=day, last=day),))
    assert "Audit" in steps.open(occurrence)
    assert night.runner.jobs == []
    night.deliver()
    assert "ada cancelled" in subjects(night)
    row = night.store.occurrence(occurrence)
    assert row is not None
    assert row.state is RolloutState.CANCELLED
