"""A stored plan is the plan: no field, no instant, no fraction is lost."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.application.plan_json import plan_from_json, plan_to_json
from orchestrator.domain.plan import LeftOut, Plan, PlannedDevice, PlannedRing, Told
from orchestrator.domain.source import Source
from orchestrator.domain.window import Gate, HealthProbe, Occurrence, RebootPolicy, Work

text = st.text(max_size=8)
texts = st.lists(text, max_size=3).map(tuple)
instants = st.datetimes(
    datetime.fromisoformat("2000-01-01"),
    datetime.fromisoformat("2100-01-01"),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
)
spans = st.timedeltas(timedelta(0), timedelta(days=400))
floats = st.floats(0, 1e9)
fractions = st.fractions(0, 1, max_denominator=1000)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
variables = st.dictionaries(text, json_values, max_size=3)
sources = st.builds(Source, text, st.integers(0, 999), st.integers(0, 99))
probes = st.builds(HealthProbe, kind=st.sampled_from(["http", "tcp", "command"]), target=text, timeout=spans, source=sources)
gates = st.builds(
    Gate,
    ok=fractions,
    failed_at_most=st.none() | st.integers(0, 9),
    soak=spans,
    probes=st.lists(probes, max_size=2).map(tuple),
    present_at_least=fractions,
)
occurrences = st.builds(
    Occurrence,
    id=text,
    window=text,
    starts_at=instants,
    ends_at=instants,
    cutoff_at=instants,
    zone=text,
    wall=text,
    site=st.none() | text,
    note=text,
    emergency_reason=st.none() | text,
)
devices = st.builds(
    PlannedDevice,
    name=text,
    users=texts,
    groups=texts,
    device_class=text,
    p95=floats,
    leads=st.booleans(),
    asleep_likely=st.booleans(),
    can_wake=st.booleans(),
    reasons=texts,
)
rings = st.builds(
    PlannedRing,
    name=text,
    devices=st.lists(devices, max_size=2).map(tuple),
    waves=st.lists(texts, max_size=2).map(tuple),
    at_once=st.none() | st.integers(1, 9),
    gate=gates,
    starts_at=instants,
    p95=floats,
)
works = st.builds(Work, playbook=text, vars=variables, reboot=st.sampled_from(RebootPolicy), source=sources)
plans = st.builds(
    Plan,
    occurrence=occurrences,
    title=text,
    work=st.lists(works, max_size=2).map(tuple),
    rings=st.lists(rings, max_size=2).map(tuple),
    left_out=st.lists(st.builds(LeftOut, name=text, rule=text, reason=text), max_size=2).map(tuple),
    told=st.lists(st.builds(Told, person=text, name=text, address=text, zone=text, devices=texts), max_size=2).map(tuple),
    one_at_a_time=texts,
    stay_up=st.dictionaries(text, text, max_size=2),
    expected_end=instants,
    added=texts,
    removed=texts,
    overridden=texts,
    tzdata=text,
    hash=text,
    made_at=st.none() | instants,
    facts=variables,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plans)
def test_a_plan_survives_the_round_trip_and_so_does_its_text(plan: Plan) -> None:
    stored = plan_to_json(plan)
    back = plan_from_json(stored)
    assert back == plan
    assert plan_to_json(back) == stored
    assert [ring.starts_at.tzinfo for ring in back.rings] == [UTC] * len(plan.rings)


def test_the_shapes_a_reader_of_the_database_sees(make_plan) -> None:
    plan = json.loads(plan_to_json(make_plan()))
    assert plan["occurrence"]["starts_at"] == "2026-12-09T21:00:00+00:00"
    assert plan["rings"][0]["gate"] == {"ok": "1", "failed_at_most": None, "soak": 0, "probes": [], "present_at_least": "1/2"}


def test_a_variable_that_json_cannot_carry_is_refused_with_its_place(make_plan) -> None:
    from dataclasses import replace

    plan = replace(make_plan(), work=(Work(playbook="apply_os_updates", vars={"since": [date(2026, 12, 9)]}),))
    with pytest.raises(TypeError, match=r"plan\.work\[0\]\.vars\.since\[0\]: datetime.date\(2026, 12, 9\) \(date\) .* in quotes"):
        plan_to_json(plan)
    with pytest.raises(TypeError, match=r"vars: the key 1 \(int\) cannot be kept"):
        plan_to_json(replace(plan, work=(Work(playbook="x", vars={1: "one"}),)))  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="in quotes"):
        plan_to_json(replace(plan, work=(Work(playbook="x", vars={"at": datetime(2026, 1, 1, tzinfo=UTC)}),)))


def test_a_field_added_later_takes_its_default_and_an_unknown_one_is_an_error(make_plan) -> None:
    stored = json.loads(plan_to_json(make_plan()))
    del stored["tzdata"]
    assert plan_from_json(json.dumps(stored)).tzdata == ""
    stored["moon_phase"] = "full"
    with pytest.raises(ValueError, match="plan: unknown field moon_phase: it was written by a newer deskside"):
        plan_from_json(json.dumps(stored))


@pytest.mark.parametrize("broken", ["{}", "[]", "null", '{"occurrence": 3}', "nonsense"])
def test_text_that_is_no_plan_is_a_value_error(broken: str) -> None:
    with pytest.raises(ValueError):
        plan_from_json(broken)


def test_a_value_of_the_wrong_type_is_a_value_error(make_plan) -> None:
    stored = json.loads(plan_to_json(make_plan()))
    stored["title"] = 7
    with pytest.raises(ValueError, match=r"plan\.title: 7 is not str"):
        plan_from_json(json.dumps(stored))


def test_fractions_stay_exact(make_plan) -> None:
    from dataclasses import replace

    plan = make_plan()
    ring = replace(plan.rings[0], gate=Gate(ok=Fraction(1, 3)))
    assert plan_from_json(plan_to_json(replace(plan, rings=(ring,)))).rings[0].gate.ok == Fraction(1, 3)


def test_whole_seconds_come_back_as_the_float_they_were(make_plan) -> None:
    stored = json.loads(plan_to_json(make_plan()))
    stored["rings"][0]["p95"] = 60
    p95 = plan_from_json(json.dumps(stored)).rings[0].p95
    assert (p95, type(p95)) == (60.0, float)
