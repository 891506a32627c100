"""It fits, or it does not start (window contract 2)."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.fit import ENOUGH_SAMPLES, fits, minutes, no_reboot_after, p95, stay_up_floor
from orchestrator.domain.verdict import Allow, Deny

END = datetime(2026, 12, 10, 2, tzinfo=UTC)
CUTOFF = END - timedelta(minutes=45)
DURATIONS = st.floats(0, 10_000)


def asked(minutes_left, p95_seconds=60.0, reserve=0.0, cutoff_at=END):
    return fits(END - timedelta(minutes=minutes_left), END, cutoff_at, p95_seconds, reserve)


def test_without_history_the_prior_speaks():
    assert p95([], 300.0) == 300.0


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param([100.0], 290.0, id="one fast sample hardly changes the prior of 300"),
        pytest.param([100.0] * 10, 200.0, id="half of the samples, half of the way"),
        pytest.param([100.0] * 20, 100.0, id="enough samples speak alone"),
        pytest.param([900.0], 900.0, id="what was seen once can happen again"),
        pytest.param([100.0] * 19 + [900.0], 100.0, id="one outlier of twenty is above the 95th percentile"),
        pytest.param([100.0] * 18 + [900.0] * 2, 900.0, id="two outliers of twenty are not"),
        pytest.param([float(number) for number in range(1, 101)], 95.0, id="nearest rank"),
    ],
)
def test_history_replaces_the_prior_of_five_minutes(history, expected):
    assert p95(history, 300.0) == pytest.approx(expected)


@given(history=st.lists(DURATIONS, max_size=40), prior=DURATIONS)
def test_a_prediction_lies_between_what_is_known(history, prior):
    predicted = p95(history, prior)
    known = [*history, prior]
    assert min(known) - 1e-6 <= predicted <= max(known) + 1e-6
    if 0 < len(history) < ENOUGH_SAMPLES:
        assert predicted >= max(history)


@given(history=st.lists(DURATIONS, min_size=1, max_size=40), prior=DURATIONS, data=st.data())
def test_the_order_of_history_does_not_matter(history, prior, data):
    assert p95(data.draw(st.permutations(history)), prior) == p95(history, prior)


def test_work_that_ends_exactly_with_the_window_fits():
    assert asked(11, 60, 600) == Allow()


def test_work_that_would_end_a_second_later_does_not_and_says_the_numbers():
    assert asked(11, 61, 600) == Deny(
        rule="does-not-fit", reason="needs 2 min (p95) + 10 min restart reserve, but only 11 min are left"
    )


def test_without_a_restart_no_reserve_is_named():
    verdict = asked(1, 61)
    assert isinstance(verdict, Deny)
    assert verdict.reason == "needs 2 min (p95), but only 1 min are left"


def test_nothing_starts_at_the_cutoff_or_at_the_end():
    assert asked(45, cutoff_at=CUTOFF) == Deny(rule="cutoff", reason="the cutoff has passed: nothing new starts")
    assert asked(45.1, cutoff_at=CUTOFF) == Allow()
    assert asked(0) == Deny(rule="window-closed", reason="the window has ended")


@given(left=st.integers(-1000, 20_000), needed=st.integers(0, 20_000), reserve=st.integers(0, 2000), cutoff=st.integers(0, 5000))
def test_whatever_may_start_ends_inside_the_window(left, needed, reserve, cutoff):
    now = END - timedelta(seconds=left)
    cutoff_at = END - timedelta(seconds=cutoff)
    if isinstance(fits(now, END, cutoff_at, needed, reserve), Allow):
        assert now < cutoff_at
        assert now + timedelta(seconds=needed) <= no_reboot_after(END, reserve) <= END


def test_the_last_restart_keeps_its_reserve():
    assert no_reboot_after(END, 600.0) == datetime(2026, 12, 10, 1, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "size", "floor"),
    [
        (2, 5, 2),
        (2, 1, 2),
        (0, 5, 0),
        (Fraction(3, 4), 4, 3),
        (Fraction(3, 4), 5, 4),
        (Fraction(1), 5, 5),
        (Fraction(1, 100), 3, 1),
    ],
)
def test_a_share_that_stays_up_is_rounded_up(value, size, floor):
    assert stay_up_floor(value, size) == floor


@pytest.mark.parametrize(("value", "text"), [(0, "0 s"), (-5, "0 s"), (59.2, "1 min"), (40, "40 s"), (60, "1 min"), (61, "2 min")])
def test_a_length_is_rounded_up_for_people(value, text):
    assert minutes(value) == text
