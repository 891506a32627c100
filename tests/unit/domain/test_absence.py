"""Absent is not forgotten (window contract 4), and leads the next plan (fairness)."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.absence import asleep_likely, may_wait, may_wake, silent
from orchestrator.domain.device import Device
from orchestrator.domain.fairness import leads, order, waited
from orchestrator.domain.outcome import Outcome
from orchestrator.domain.verdict import Allow, Deny

MAC = "52:54:00:00:00:01"
WOKEN = datetime(2026, 12, 9, 21, tzinfo=UTC)
DEVICES = ["a", "b", "c", "d", "e"]


def test_who_does_not_answer_is_absent_before_we_touched_it_and_failed_afterwards():
    assert silent(touched=False) is Outcome.ABSENT
    assert silent(touched=True) is Outcome.FAILED


def test_who_was_absent_last_time_is_probably_asleep():
    last = {"a": Outcome.ABSENT, "b": Outcome.OK}
    assert [asleep_likely(device, last) for device in "abc"] == [True, False, False]


@pytest.mark.parametrize(
    ("device", "wake", "wakers", "reason"),
    [
        (Device(name="ws", mac=MAC, site="berlin"), False, {"berlin": "fs-1"}, "the window does not wake devices"),
        (Device(name="ws", site="berlin"), True, {"berlin": "fs-1"}, "ws has no deskside_mac"),
        (Device(name="ws", mac=MAC), True, {"berlin": "fs-1"}, "ws belongs to no site"),
        (Device(name="ws", mac=MAC, site="berlin"), True, {}, "site berlin has no waker"),
        (Device(name="fs-1", mac=MAC, site="berlin"), True, {"berlin": "fs-1"}, "fs-1 is the waker of its own site"),
    ],
)
def test_a_device_that_cannot_be_woken_says_why(device, wake, wakers, reason):
    assert may_wake(device, wake=wake, wakers=wakers) == Deny(rule="cannot-wake", reason=reason)


def test_a_device_with_a_mac_and_a_waker_can_be_woken():
    assert may_wake(Device(name="ws", mac=MAC, site="berlin"), wake=True, wakers={"berlin": "fs-1"}) == Allow()


@pytest.mark.parametrize(("waited", "goes_on"), [(0, True), (4.9, True), (5, False)])
def test_we_ask_a_woken_device_for_so_long(waited, goes_on):
    verdict = may_wait(
        WOKEN, WOKEN + timedelta(minutes=waited), patience=timedelta(minutes=5), cutoff_at=WOKEN + timedelta(hours=1)
    )
    assert isinstance(verdict, Allow) is goes_on


def test_nobody_is_waited_for_past_the_cutoff():
    verdict = may_wait(WOKEN, WOKEN + timedelta(minutes=3), patience=timedelta(minutes=5), cutoff_at=WOKEN + timedelta(minutes=3))
    assert verdict == Deny(rule="absent", reason="did not answer within 3 min of the magic packet; it leads the next plan")


def test_who_was_left_behind_goes_first_and_nobody_else_changes_places():
    last = {"a": Outcome.OK, "b": Outcome.NOT_REACHED, "c": Outcome.FAILED, "d": Outcome.ABSENT, "e": Outcome.SKIPPED}
    assert order(DEVICES, last) == ("b", "d", "a", "c", "e")


def test_a_device_without_history_does_not_lead():
    assert order(DEVICES, {}) == tuple(DEVICES)
    assert not leads("a", {})


def test_a_wait_that_nobody_counted_is_one_turn():
    last = dict.fromkeys(DEVICES, Outcome.ABSENT)
    assert order(DEVICES, last, {"b": 1, "c": 2}) == ("c", "a", "b", "d", "e")


@pytest.mark.parametrize("outcome", Outcome)
def test_exactly_what_was_left_undone_leads(outcome):
    undone = {Outcome.ABSENT, Outcome.NOT_REACHED, Outcome.REBOOT_PENDING, Outcome.UNKNOWN}
    assert leads("a", {"a": outcome}) is (outcome in undone)


@given(last=st.dictionaries(st.sampled_from(DEVICES), st.sampled_from(Outcome)))
def test_order_loses_nobody_and_is_stable(last):
    found = order(DEVICES, last)
    assert sorted(found) == DEVICES
    in_front = [device for device in DEVICES if leads(device, last)]
    assert list(found) == in_front + [device for device in DEVICES if device not in in_front]


def nights(reached_each_time, count, *, remember):
    """Play nights on which only so many devices are reached; return who was reached on each."""
    history = []
    for _ in range(count):
        last = {device: outcome for night in history for device, outcome in night.items()}
        queue = order(DEVICES, last, waited(history[::-1]) if remember else None)
        history.append(
            {device: Outcome.OK if place < reached_each_time else Outcome.NOT_REACHED for place, device in enumerate(queue)}
        )
    return [{device for device, outcome in night.items() if outcome is Outcome.OK} for night in history]


def test_with_two_places_a_night_five_devices_take_three_nights():
    assert nights(2, 3, remember=True) == [{"a", "b"}, {"c", "d"}, {"e", "a"}]


def test_the_last_outcome_alone_would_starve_the_fifth_device_for_ever():
    assert "e" not in set().union(*nights(2, 20, remember=False))


@given(reached_each_time=st.integers(1, 5))
def test_nobody_waits_longer_than_the_queue_is(reached_each_time):
    turn = math.ceil(len(DEVICES) / reached_each_time)
    played = nights(reached_each_time, 4 * turn, remember=True)
    for first in range(len(played) - turn + 1):
        assert set().union(*played[first : first + turn]) == set(DEVICES)


@pytest.mark.parametrize(
    ("newest_first", "turns"),
    [
        pytest.param([], 0, id="no history"),
        pytest.param([{"a": Outcome.OK}, {"a": Outcome.ABSENT}], 0, id="reached last time"),
        pytest.param(
            [{"a": Outcome.ABSENT}, {"a": Outcome.NOT_REACHED}, {"a": Outcome.OK}, {"a": Outcome.ABSENT}], 2, id="two in a row"
        ),
        pytest.param([{"a": Outcome.ABSENT}, {}, {"a": Outcome.UNKNOWN}], 2, id="not taking part does not end the wait"),
    ],
)
def test_a_wait_is_counted_in_occurrences(newest_first, turns):
    assert waited(newest_first).get("a", 0) == turns
