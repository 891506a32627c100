"""The values themselves: states and their moves, notices, plans, devices."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.device import Device
from orchestrator.domain.notice import Notice, NoticeKind, calendar_uid, named_address, one_line, printable
from orchestrator.domain.outcome import (
    MOVES,
    ROLLOUT_MOVES,
    DeviceState,
    IllegalMoveError,
    Outcome,
    RolloutState,
    move_device,
    move_rollout,
)
from orchestrator.domain.plan import Plan, PlannedDevice, PlannedRing
from orchestrator.domain.source import NOWHERE, Source
from orchestrator.domain.window import Gate, HealthProbe, Occurrence

NOON = datetime(2026, 12, 9, 12, tzinfo=UTC)


def notice(**changes):
    return Notice(
        **{
            "occurrence": "patch-night/2026-12-09",
            "kind": NoticeKind.INVITATION,
            "person": "ada",
            "address": "ada@example.org",
            "channel": "mail",
            "due": NOON,
        }
        | changes
    )


# -- outcomes and moves ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_is_never_good_and_bad_at_once(outcome):
    assert not (outcome.good and outcome.bad)


def test_what_nobody_can_vouch_for_is_bad_and_a_pending_restart_is_never_ok():
    assert {outcome for outcome in Outcome if outcome.good} == {Outcome.OK, Outcome.CHANGED}
    assert {outcome for outcome in Outcome if outcome.bad} == {
        Outcome.FAILED,
        Outcome.UNKNOWN,
        Outcome.REBOOT_PENDING,
        Outcome.ROLLED_BACK,
    }


@pytest.mark.parametrize("now", DeviceState)
@pytest.mark.parametrize("then", DeviceState)
def test_a_device_makes_exactly_the_moves_of_the_table(now, then):
    if then in MOVES[now]:
        assert move_device(now, then) is then
    else:
        with pytest.raises(IllegalMoveError, match=f"a device that is {now} cannot become {then}"):
            move_device(now, then)


@pytest.mark.parametrize("now", RolloutState)
@pytest.mark.parametrize("then", RolloutState)
def test_an_occurrence_makes_exactly_the_moves_of_the_table(now, then):
    if then in ROLLOUT_MOVES[now]:
        assert move_rollout(now, then) is then
    else:
        with pytest.raises(IllegalMoveError, match=f"an occurrence that is {now} cannot become {then}"):
            move_rollout(now, then)


def test_every_state_has_its_row_and_can_be_reached():
    assert set(MOVES) == set(DeviceState)
    assert set(ROLLOUT_MOVES) == set(RolloutState)
    assert set().union({DeviceState.PLANNED}, *MOVES.values()) == set(DeviceState)
    assert set().union({RolloutState.PLANNED}, *ROLLOUT_MOVES.values()) == set(RolloutState)


@given(steps=st.lists(st.sampled_from(DeviceState), max_size=20))
def test_a_settled_device_never_moves_again(steps):
    state, settled = DeviceState.PLANNED, False
    for step in steps:
        try:
            state = move_device(state, step)
        except IllegalMoveError:
            continue
        assert not settled
        settled = state is DeviceState.SETTLED


@pytest.mark.parametrize("state", DeviceState)
def test_from_every_state_a_device_can_settle(state):
    assert state is DeviceState.SETTLED or DeviceState.SETTLED in MOVES[state]


def test_an_occurrence_is_over_exactly_when_nothing_can_follow():
    over = {state for state in RolloutState if state.over}
    assert over == {RolloutState.FINISHED, RolloutState.CANCELLED, RolloutState.STOPPED, RolloutState.MISSED}


# -- notices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NoticeKind)
def test_after_a_crash_what_must_arrive_is_sent_again_and_what_would_annoy_is_not(kind):
    again = {NoticeKind.INVITATION, NoticeKind.CANCELLED, NoticeKind.CLOSING, NoticeKind.REPORT}
    assert kind.resend_after_crash is (kind in again)


@pytest.mark.parametrize("kind", NoticeKind)
def test_only_invitation_and_cancellation_carry_a_calendar_part(kind):
    assert kind.method == {NoticeKind.INVITATION: "REQUEST", NoticeKind.CANCELLED: "CANCEL"}.get(kind)


def test_the_same_notice_planned_twice_is_one_notice():
    assert notice().id == notice(due=NOON + timedelta(hours=1), facts='{"devices": 2}', address="ada@new.example.org").id
    assert notice().message_id("example.org") == f"{notice().id}@deskside.example.org"


@pytest.mark.parametrize(
    "change",
    [
        {"occurrence": "patch-night/2027-01-13"},
        {"kind": NoticeKind.CANCELLED},
        {"key": "1d"},
        {"person": "linus"},
        {"channel": "files"},
        {"sequence": 1},
    ],
)
def test_whatever_makes_it_another_notice_changes_its_id(change):
    assert notice(**change).id != notice().id


def test_a_person_has_one_calendar_event_per_occurrence():
    uid = calendar_uid("patch-night/2026-12-09", "ada", "example.org")
    assert uid == calendar_uid("patch-night/2026-12-09", "ada", "example.org")
    assert uid.endswith("@deskside.example.org")
    assert uid != calendar_uid("patch-night/2026-12-09", "linus", "example.org")
    assert uid != calendar_uid("patch-night/2027-01-13", "ada", "example.org")


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("Ada\r\nBcc: everybody@example.org", "Ada Bcc: everybody@example.org"),
        ("  two\twords\n", "two words"),
        ("bell\a", "bell"),
        ("half \ud83d", "half \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_no_text_can_start_a_header_of_its_own(text, header):
    assert one_line(text) == header


def test_the_body_of_a_mail_keeps_its_lines_and_loses_what_no_mail_may_carry():
    assert printable("a\n\tb\x00") == "a\n\tb\N{REPLACEMENT CHARACTER}"


@given(text=st.text(st.characters(exclude_categories=())))
def test_a_header_is_one_line_that_can_be_encoded(text):
    assert len(one_line(text).splitlines()) <= 1
    assert one_line(text).encode().decode() == one_line(text)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("ada@example.org", ("", "ada@example.org")),
        ("IT maintenance <it@example.org>", ("IT maintenance", "it@example.org")),
        ("=?utf-8?q?J=C3=BCrgen?= <j@example.org>", ("J\N{LATIN SMALL LETTER U WITH DIAERESIS}rgen", "j@example.org")),
        ("=?x-nobody-knows?q?Ada?= <ada@example.org>", ("=?x-nobody-knows?q?Ada?=", "ada@example.org")),
        ("Ada\r\n\tLovelace <ada@example.org>", ("Ada Lovelace", "ada@example.org")),
    ],
)
def test_an_address_is_read_with_its_name_and_without_surprises(written, read):
    assert named_address(written) == read


# -- the others ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (Device(name="ws", groups=frozenset({"workstations", "berlin"}), vars={"deskside_class": "laptop"}), "laptop"),
        (Device(name="ws", groups=frozenset({"workstations", "berlin"})), "berlin"),
        (Device(name="ws"), "device"),
    ],
)
def test_the_class_of_a_device_is_named_or_its_first_group(device, expected):
    assert device.device_class == expected


def test_the_devices_of_a_plan_are_those_of_its_rings_in_order():
    def planned(name):
        return PlannedDevice(name=name, users=(), groups=(), device_class="device", p95=60.0)

    def ring(name, *devices):
        return PlannedRing(
            name=name,
            devices=tuple(planned(device) for device in devices),
            waves=(devices,),
            at_once=None,
            gate=Gate(),
            starts_at=NOON,
            p95=60.0,
        )

    occurrence = Occurrence(id="n/1", window="n", starts_at=NOON, ends_at=NOON, cutoff_at=NOON, zone="UTC", wall="")
    plan = Plan(
        occurrence=occurrence,
        title="",
        work=(),
        rings=(ring("canary", "b"), ring("broad", "a", "c")),
        left_out=(),
        told=(),
        one_at_a_time=(),
        stay_up={},
        expected_end=NOON,
    )
    assert [device.name for device in plan.devices] == ["b", "a", "c"]


def test_a_place_in_a_file_reads_like_an_editor_link():
    assert str(Source("maintenance.yml", 12, 3)) == "maintenance.yml:12"
    assert str(NOWHERE) == "(built in)"


def test_a_health_probe_reads_like_it_is_written():
    assert str(HealthProbe(kind="tcp", target="mail:25")) == "tcp mail:25"
