"""Who may run together: at_once, one at a time, stay_up, and only what still fits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.waves import next_wave, seconds, waves

SERVERS = {"file_servers": ["fs-1", "fs-2"]}


def choose(candidates, **changes):
    settings = {
        "at_once": None,
        "groups": {},
        "stay_up": {},
        "busy": (),
        "p95": dict.fromkeys(candidates, 60.0),
        "seconds_left": 3600.0,
        "reserve": 0.0,
    }
    return next_wave(candidates, **(settings | changes))


def predict(candidates, **changes):
    settings = {"at_once": None, "groups": {}, "stay_up": {}, "p95": dict.fromkeys(candidates, 60.0)}
    return waves(candidates, **(settings | changes))


def test_everybody_runs_when_nothing_forbids_it_in_the_order_given():
    assert choose(["b", "a", "c", "a"]).devices == ("b", "a", "c")


def test_at_most_so_many_at_once_the_first_ones_first():
    found = choose(["c", "a", "b"], at_once=2)
    assert found.devices == ("c", "a")
    assert found.waiting == {"b": "at most 2 at once"}


def test_nothing_is_left_of_a_full_wave():
    assert choose(["a"], at_once=0).waiting == {"a": "at most 0 at once"}


def test_never_two_of_one_group():
    found = choose(["fs-2", "ws", "fs-1"], groups=SERVERS)
    assert found.devices == ("fs-2", "ws")
    assert found.waiting == {"fs-1": "one at a time of file_servers: fs-2 is in maintenance"}


def test_a_member_that_is_busy_with_other_work_counts():
    found = choose(["fs-1"], groups=SERVERS, busy=["fs-2"])
    assert found.waiting == {"fs-1": "one at a time of file_servers: fs-2 is in maintenance"}


def test_of_several_busy_members_the_first_by_name_is_named():
    found = choose(["fs-3"], groups={"fs": ["fs-3", "fs-2", "fs-1"]}, busy=["fs-2", "fs-1"])
    assert found.waiting == {"fs-3": "one at a time of fs: fs-1 is in maintenance"}


def test_a_busy_device_is_not_started_again():
    assert choose(["ws"], busy=["ws"]).waiting == {"ws": "is in maintenance already"}


def test_so_many_stay_up_counting_the_busy_ones():
    web = {"web": (["w1", "w2", "w3"], 2)}
    found = choose(["w1", "w2"], stay_up=web)
    assert (found.devices, found.waiting) == (("w1",), {"w2": "2 of web must stay up, and 2 are"})
    assert choose(["w1"], stay_up=web, busy=["w3"]).devices == ()


def test_a_group_that_may_never_lose_one_is_not_waited_for():
    found = choose(["w1"], stay_up={"web": (["w1", "w2"], 2)})
    assert found.misfits == {"w1": "2 of 2 web must stay up: none of them may ever be in maintenance"}


def test_devices_outside_a_group_do_not_care_about_it():
    assert choose(["ws"], groups=SERVERS, stay_up={"web": (["w1"], 1)}, busy=["fs-1"]).devices == ("ws",)


@pytest.mark.parametrize(("left", "runs"), [(690.0, True), (689.9, False)])
def test_a_device_starts_only_if_it_ends_in_time_with_the_restart_reserve(left, runs):
    found = choose(["ws"], p95={"ws": 90.0}, reserve=600.0, seconds_left=left)
    assert bool(found.devices) is runs
    if not runs:
        assert found.misfits == {"ws": "needs 2 min (p95) + 10 min restart reserve, but only 12 min are left"}


def test_a_short_device_still_runs_when_a_long_one_does_not_fit():
    found = choose(["long", "short"], p95={"long": 500.0, "short": 50.0}, seconds_left=100.0)
    assert (found.devices, set(found.misfits)) == (("short",), {"long"})


def test_without_a_prediction_nothing_starts():
    assert choose(["ws"], p95={}).misfits == {"ws": "nobody can say how long it takes"}


def test_a_prediction_of_waves_keeps_the_pair_apart():
    assert predict(["fs-1", "fs-2", "ws"], groups=SERVERS) == (("fs-1", "ws"), ("fs-2",))


def test_a_prediction_stops_where_the_window_does():
    assert predict(["a", "b", "c"], at_once=1, seconds_left=120.0) == (("a",), ("b",))
    assert predict(["a", "b", "c"], at_once=1) == (("a",), ("b",), ("c",))


def test_a_predicted_wave_is_as_long_as_its_slowest_device():
    times = {"a": 100.0, "b": 10.0, "c": 50.0}
    assert predict(["a", "b", "c"], p95=times, at_once=2, seconds_left=150.0) == (("a", "b"), ("c",))
    assert predict(["a", "b", "c"], p95=times, at_once=2, seconds_left=149.0) == (("a", "b"),)


def test_a_prediction_ends_when_a_busy_device_blocks_the_rest():
    assert predict(["fs-1", "ws"], groups=SERVERS, busy=["fs-2"]) == (("ws",),)


def test_waves_take_as_long_as_their_slowest_devices():
    assert seconds((("a", "b"), ("c",), ()), {"a": 10.0, "b": 30.0, "c": 5.0}) == 35.0


NAMES = [f"d{number}" for number in range(12)]
subsets = st.lists(st.sampled_from(NAMES), unique=True)
settings = st.fixed_dictionaries(
    {
        "at_once": st.none() | st.integers(1, 6),
        "groups": st.dictionaries(st.sampled_from("xyz"), subsets, max_size=3),
        "stay_up": st.dictionaries(st.sampled_from("uvw"), st.tuples(subsets, st.integers(0, 6)), max_size=3),
        "busy": subsets,
        "p95": st.dictionaries(st.sampled_from(NAMES), st.floats(1, 1000), min_size=8),
        "seconds_left": st.floats(0, 3000),
        "reserve": st.floats(0, 300),
    }
)


def assert_allowed(wave, situation):
    down = {*wave, *situation["busy"]}
    assert not set(wave) & set(situation["busy"])
    assert situation["at_once"] is None or len(wave) <= situation["at_once"]
    for members in situation["groups"].values():
        assert not set(wave) & set(members) or len(down & set(members)) == 1
    for members, floor in situation["stay_up"].values():
        assert not set(wave) & set(members) or len(set(members) - down) >= floor


@given(candidates=subsets, situation=settings)
def test_a_wave_never_breaks_a_limit_and_everybody_ends_in_exactly_one_bucket(candidates, situation):
    found = next_wave(candidates, **situation)
    buckets = [*found.devices, *found.waiting, *found.misfits]
    assert sorted(buckets) == sorted(candidates)
    assert_allowed(found.devices, situation)
    for device in found.devices:
        assert situation["p95"][device] + situation["reserve"] <= situation["seconds_left"]
    assert all({**found.waiting, **found.misfits}.values())


@given(candidates=subsets, situation=settings)
def test_predicted_waves_break_no_limit_start_nobody_twice_and_end_in_time(candidates, situation):
    planned = waves(candidates, **situation)
    everybody = [device for wave in planned for device in wave]
    assert len(everybody) == len(set(everybody))
    assert set(everybody) <= set(candidates)
    for wave in planned:
        assert wave
        assert_allowed(wave, situation)
    assert not planned or seconds(planned, situation["p95"]) <= situation["seconds_left"] + 1e-6


@given(candidates=subsets, situation=settings)
def test_what_waits_runs_in_the_end_when_time_allows_and_nobody_else_is_busy(candidates, situation):
    free = situation | {"busy": (), "seconds_left": math.inf, "p95": dict.fromkeys(NAMES, 60.0)}
    never = next_wave(candidates, **free).misfits
    done = {device for wave in waves(candidates, **free) for device in wave}
    assert done == set(candidates) - set(never)
