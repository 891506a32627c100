"""A whole night played with the rules alone: rings, waves, fit, gates and order together keep the promises."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.fairness import order, waited
from orchestrator.domain.fit import fits, no_reboot_after
from orchestrator.domain.gates import judge
from orchestrator.domain.outcome import Outcome
from orchestrator.domain.rings import assign
from orchestrator.domain.verdict import Allow
from orchestrator.domain.waves import next_wave
from orchestrator.domain.window import Gate, Ring

START = datetime(2026, 12, 9, 21, tzinfo=UTC)
PAIR = ("d0", "d1")
TRIPLE = ("d2", "d3", "d4")
RINGS = (
    Ring(name="canary", share=Fraction(1, 5), at_once=2, gate=Gate(ok=Fraction(1, 2))),
    Ring(name="broad", rest=True, at_once=3, gate=Gate(ok=Fraction(1, 2))),
)
ONE_RING = (Ring(name="all", rest=True, at_once=3),)
few = settings(max_examples=40)


@dataclass
class Night:
    """What happened: device → (from, to), its outcome, and the rings that ran."""

    ends_at: datetime
    ran: dict = field(default_factory=dict)
    outcomes: dict = field(default_factory=dict)
    rings: list = field(default_factory=list)


def play(devices, p95, truth, *, length, reserve, history=(), rings=RINGS):
    """One occurrence. ``truth``: device → (share of its p95 it really takes, outcome)."""
    night = Night(START + timedelta(seconds=length))
    cutoff = night.ends_at - timedelta(seconds=length // 6)
    now = START
    for ring in rings:
        members = assign(rings, devices, {}, {}).rings[ring.name]
        left = order(members, history[0] if history else {}, waited(history))
        night.rings.append(ring.name)
        while left and isinstance(fits(now, night.ends_at, cutoff, 0.0, 0.0), Allow):
            choice = next_wave(
                left,
                at_once=ring.at_once,
                groups={"pair": PAIR},
                stay_up={"triple": (TRIPLE, 2)},
                busy=(),
                p95=p95,
                seconds_left=(night.ends_at - now).total_seconds(),
                reserve=reserve,
            )
            longest = timedelta()
            for device in choice.devices:
                took = timedelta(seconds=p95[device] * truth[device][0])
                longest = max(longest, took)
                night.ran[device] = (now, now + took)
                night.outcomes[device] = truth[device][1]
            night.outcomes |= dict.fromkeys(choice.misfits, Outcome.NOT_REACHED)
            left = tuple(choice.waiting)
            now += longest
        night.outcomes |= dict.fromkeys(left, Outcome.NOT_REACHED)
        if not isinstance(judge(ring.gate, {device: night.outcomes[device] for device in members}, {}), Allow):
            break
    night.outcomes |= {device: Outcome.NOT_REACHED for device in devices if device not in night.outcomes}
    return night


NAMES = [f"d{number}" for number in range(9)]
offices = st.fixed_dictionaries(
    {
        "devices": st.permutations(NAMES).flatmap(lambda names: st.integers(1, 5).map(lambda leave: names[leave - 1 :])),
        "p95": st.fixed_dictionaries({name: st.integers(1, 1200) for name in NAMES}),
        "truth": st.fixed_dictionaries(
            {name: st.tuples(st.floats(0.1, 1), st.sampled_from([Outcome.CHANGED, Outcome.OK, Outcome.FAILED])) for name in NAMES}
        ),
        "length": st.integers(60, 7200),
        "reserve": st.integers(0, 600),
    }
)


def overlaps(one, other):
    return one[0] < other[1] and other[0] < one[1]


@few
@given(office=offices)
def test_nothing_runs_outside_the_window_and_a_restart_always_has_its_reserve(office):
    night = play(**office)
    for start, end in night.ran.values():
        assert start >= START
        assert end <= no_reboot_after(night.ends_at, office["reserve"])


@few
@given(office=offices)
def test_the_pair_is_never_down_together_and_two_of_the_triple_are_always_up(office):
    night = play(**office, rings=ONE_RING)
    for group in (PAIR, TRIPLE):
        down = [night.ran[device] for device in group if device in night.ran]
        assert not any(overlaps(one, other) for place, one in enumerate(down) for other in down[place + 1 :])


@few
@given(office=offices)
def test_every_device_has_exactly_one_outcome_and_only_what_ran_is_done(office):
    night = play(**office)
    assert set(night.outcomes) == set(office["devices"])
    assert {device for device, outcome in night.outcomes.items() if outcome is not Outcome.NOT_REACHED} == set(night.ran)


@few
@given(office=offices)
def test_a_ring_of_failures_is_the_last_ring(office):
    office["truth"] = {name: (share, Outcome.FAILED) for name, (share, _) in office["truth"].items()}
    assert play(**office).rings == ["canary"]


@few
@given(office=offices)
def test_night_after_night_everybody_who_fits_at_all_is_reached(office):
    office["truth"] = dict.fromkeys(NAMES, (1.0, Outcome.CHANGED))
    fitting = {name for name in office["devices"] if office["p95"][name] + office["reserve"] <= office["length"]}
    history, reached = [], set()
    office["devices"] = [name for name in office["devices"] if name in fitting]
    if not fitting:
        return
    for _ in range(len(fitting) + 1):
        night = play(**office, history=tuple(history[::-1]), rings=ONE_RING)
        history.append(night.outcomes)
        reached |= set(night.ran)
    assert reached == fitting
