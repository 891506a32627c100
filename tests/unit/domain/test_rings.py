"""Ring assignment: patterns claim, shares draw, the rest takes the others; nobody is moved without need."""

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.rings import assign
from orchestrator.domain.source import Source
from orchestrator.domain.window import Ring

CANARY = Ring(name="canary", devices="ring_canary", source=Source("maintenance.yml", 18))
EARLY = Ring(name="early", share=Fraction(1, 10))
BROAD = Ring(name="broad", rest=True)
LAST = Ring(name="last", devices="domain_controllers")
OFFICE = [f"ws-{number:02}" for number in range(20)] + ["dc-1", "dc-2"]
MATCHES = {"ring_canary": ["ws-03", "ws-07"], "domain_controllers": ["dc-1", "dc-2"]}
NAMES = st.lists(st.from_regex(r"ws-[a-f0-9]{1,3}", fullmatch=True), unique=True, max_size=40)


def office(sticky=None, devices=OFFICE):
    return assign([CANARY, EARLY, BROAD, LAST], devices, MATCHES, sticky or {})


def test_without_rings_there_is_one_called_all():
    found = assign([], ["b", "a", "b"], {}, {})
    assert found.rings == {"all": ("b", "a")}
    assert found.reasons["a"] == "ring all: the window has no rings"


def test_patterns_claim_before_shares_and_the_rest_takes_the_others():
    found = office()
    assert found.rings["canary"] == ("ws-03", "ws-07")
    assert found.rings["last"] == ("dc-1", "dc-2")
    assert len(found.rings["early"]) == 2
    assert len(found.rings["broad"]) == 16
    assert list(found.rings) == ["canary", "early", "broad", "last"]
    assert found.problems == ()


def test_every_device_has_a_reason_with_its_place_in_the_file():
    reasons = office().reasons
    assert set(reasons) == set(OFFICE)
    assert reasons["ws-03"] == 'ring canary: it matches "ring_canary" (maintenance.yml:18)'
    assert reasons[office().rings["early"][0]] == "ring early: drawn by a stable hash, 2 of 18 devices"
    assert reasons[office().rings["broad"][0]] == "ring broad: the rest"


def test_who_is_drawn_is_the_same_on_every_machine_and_in_every_order():
    assert set(office().rings["early"]) == {"ws-00", "ws-17"}
    assert set(office(devices=OFFICE[::-1]).rings["early"]) == {"ws-00", "ws-17"}


def test_a_share_is_of_the_remainder_rounded_up_and_at_least_one():
    for size, share, expected in ((1, "1/100", 1), (10, "1/10", 1), (11, "1/10", 2), (3, "1/2", 2), (0, "1/2", 0)):
        found = assign([Ring(name="some", share=Fraction(share)), BROAD], OFFICE[:size], {}, {})
        assert len(found.rings["some"]) == expected


def test_a_device_claimed_twice_is_a_problem_and_stays_in_the_first_ring():
    both = {"ring_canary": ["ws-03"], "domain_controllers": ["ws-03"]}
    found = assign([CANARY, BROAD, LAST], OFFICE, both, {})
    assert found.problems == ("ws-03 is claimed by two rings, canary and last: make their patterns disjoint",)
    assert found.rings["canary"] == ("ws-03",)
    assert found.rings["last"] == ()


def test_a_pattern_nobody_resolved_is_a_problem_not_an_empty_ring():
    found = assign([CANARY, BROAD], ["ws-01"], {}, {})
    assert found.problems == ('ring canary: nobody could say what "ring_canary" matches (maintenance.yml:18)',)


def test_a_device_that_no_ring_takes_is_a_problem():
    found = assign([CANARY, LAST], ["ws-03", "ws-05", "ws-06"], MATCHES, {})
    assert found.problems == ("no ring takes ws-05, ws-06: add a ring with `rest: true`",)
    assert "ws-05" not in found.members


def test_two_rests_are_a_problem():
    found = assign([BROAD, Ring(name="other", rest=True)], ["ws-01"], {}, {})
    assert found.problems == ("only one ring can be the rest, not broad and other",)
    assert found.members == {"ws-01": "broad"}


def test_without_a_rest_the_last_share_takes_new_devices():
    halves = [Ring(name="one", share=Fraction(1, 2)), Ring(name="two", share=Fraction(1, 2))]
    before = assign(halves, ["a", "b", "c", "d"], {}, {})
    assert assign(halves, ["a", "b", "c", "d", "e"], {}, before.members).members == before.members | {"e": "two"}


def test_a_new_device_joins_the_rest_however_early_its_hash_is():
    before = office().members
    newcomers = [f"new-{number}" for number in range(50)]
    after = office(before, OFFICE + newcomers)
    assert {after.members[name] for name in newcomers} == {"broad"}
    assert after.reasons["ws-00"] == "ring early: it was in it before"


def test_a_share_that_lost_all_its_members_draws_again_because_an_empty_ring_would_stop_everything():
    before = office().members
    left = [name for name in OFFICE if before[name] != "early"]
    after = office(before, left)
    assert len(after.rings["early"]) == 2
    assert {name for name in left if after.members[name] != before[name]} == set(after.rings["early"])


def test_a_share_that_lost_one_of_two_members_keeps_the_other_and_moves_nobody():
    before = office().members
    left = [name for name in OFFICE if name != "ws-00"]
    after = office(before, left)
    assert after.rings["early"] == ("ws-17",)
    assert all(after.members[name] == before[name] for name in left)


def test_a_claim_by_pattern_wins_over_what_was_before():
    before = office().members
    after = assign([CANARY, EARLY, BROAD, LAST], OFFICE, MATCHES | {"ring_canary": ["ws-00"]}, before)
    assert after.members["ws-00"] == "canary"


def test_membership_of_a_ring_that_is_gone_means_the_rest():
    assert assign([BROAD], ["a"], {}, {"a": "early"}).members == {"a": "broad"}


RINGS = st.lists(st.sampled_from(["1/10", "1/4", "1/2", "1"]), max_size=3).map(
    lambda shares: [CANARY, *(Ring(name=f"share-{index}", share=Fraction(share)) for index, share in enumerate(shares)), BROAD]
)


@given(rings=RINGS, names=NAMES, data=st.data())
def test_an_assignment_is_a_partition_in_the_order_given(rings, names, data):
    claimed = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    found = assign(rings, names, {"ring_canary": claimed}, {})
    everybody = [name for devices in found.rings.values() for name in devices]
    assert sorted(everybody) == sorted(names)
    assert set(found.reasons) == set(names)
    for devices in found.rings.values():
        assert list(devices) == [name for name in names if name in devices]


@given(rings=RINGS, names=NAMES, newcomers=NAMES)
def test_adding_devices_never_moves_another(rings, names, newcomers):
    before = assign(rings, names, {"ring_canary": names[:1]}, {}).members
    after = assign(rings, list(dict.fromkeys(newcomers + names)), {"ring_canary": names[:1]}, before).members
    assert {name: after[name] for name in names} == before


@given(rings=RINGS, names=NAMES)
def test_asking_again_changes_nothing(rings, names):
    first = assign(rings, names, {"ring_canary": []}, {})
    assert assign(rings, names, {"ring_canary": []}, first.members).rings == first.rings


@given(share=st.fractions(Fraction(1, 100), 1), names=NAMES)
def test_a_share_is_never_smaller_than_asked(share, names):
    found = assign([Ring(name="some", share=share), BROAD], names, {}, {})
    assert len(found.rings["some"]) == min(len(names), max(1, math.ceil(share * len(names))))
