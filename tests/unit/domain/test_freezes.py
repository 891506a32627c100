"""Freezes win (window contract 6)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.freezes import frozen, frozen_devices
from orchestrator.domain.verdict import Allow, Deny
from orchestrator.domain.window import Freeze, Occurrence

CHRISTMAS = Freeze(title="Christmas", first=date(2026, 12, 23), last=date(2027, 1, 2))
FAIR = Freeze(title="Fair", first=date(2026, 12, 9), last=date(2026, 12, 9), devices="booth")


def occurrence(starts, hours, zone="Europe/Berlin"):
    starts_at = datetime.fromisoformat(starts).astimezone(UTC)
    ends_at = starts_at + timedelta(hours=hours)
    return Occurrence(
        id="patch-night/x", window="patch-night", starts_at=starts_at, ends_at=ends_at, cutoff_at=ends_at, zone=zone, wall=""
    )


@pytest.mark.parametrize(
    ("starts", "hours", "allowed"),
    [
        pytest.param("2026-12-22T18:00+01:00", 6, True, id="ends at midnight before the first day"),
        pytest.param("2026-12-22T22:00+01:00", 5, False, id="starts the evening before and runs into it"),
        pytest.param("2026-12-23T00:00+01:00", 1, False, id="starts with it"),
        pytest.param("2026-12-28T22:00+01:00", 5, False, id="in the middle"),
        pytest.param("2027-01-02T22:00+01:00", 5, False, id="starts on its last evening"),
        pytest.param("2027-01-03T00:00+01:00", 5, True, id="starts when it is over"),
    ],
)
def test_a_span_that_touches_a_frozen_date_is_frozen(starts, hours, allowed):
    assert isinstance(frozen([CHRISTMAS], occurrence(starts, hours)), Allow) is allowed


def test_the_refusal_names_the_freeze_and_its_end():
    verdict = frozen([CHRISTMAS], occurrence("2026-12-28T22:00+01:00", 5))
    assert verdict == Deny(
        rule="frozen",
        reason="patch-night/x is frozen: Christmas (Wed 23 Dec 2026 to Sat 2 Jan 2027)",
        until=datetime(2027, 1, 2, 23, tzinfo=UTC),
    )


def test_dates_are_those_of_the_occurrences_own_zone():
    instant = "2026-12-23T01:00+00:00"
    assert isinstance(frozen([CHRISTMAS], occurrence(instant, 1, "Europe/Berlin")), Deny)
    assert isinstance(frozen([CHRISTMAS], occurrence(instant, 1, "America/New_York")), Allow)


def test_a_freeze_for_some_devices_does_not_close_the_window():
    evening = occurrence("2026-12-09T22:00+01:00", 1)
    assert frozen([FAIR], evening) == Allow()
    assert frozen([FAIR], evening, "ws-ada", {"booth": ["ws-booth"]}) == Allow()
    verdict = frozen([FAIR], evening, "ws-booth", {"booth": ["ws-booth"]})
    assert isinstance(verdict, Deny)
    assert verdict.reason == "ws-booth is frozen: Fair (Wed 9 Dec 2026, booth)"


def test_a_pattern_that_nobody_could_resolve_freezes_because_doubt_means_no():
    assert isinstance(frozen([FAIR], occurrence("2026-12-09T22:00+01:00", 1), "ws-ada", {}), Deny)


def test_several_freezes_are_all_named_and_the_last_one_ends_it():
    longer = Freeze(title="Stocktaking", first=date(2026, 12, 30), last=date(2027, 1, 6))
    verdict = frozen([longer, CHRISTMAS], occurrence("2026-12-31T22:00+01:00", 1))
    assert isinstance(verdict, Deny)
    assert "Stocktaking" in verdict.reason
    assert "Christmas" in verdict.reason
    assert verdict.until == datetime(2027, 1, 6, 23, tzinfo=UTC)


def test_only_the_frozen_devices_are_listed_each_with_its_reason():
    found = frozen_devices([FAIR], occurrence("2026-12-09T22:00+01:00", 1), ["ws-ada", "ws-booth"], {"booth": ["ws-booth"]})
    assert set(found) == {"ws-booth"}


def test_a_frozen_date_whose_midnight_does_not_exist_begins_when_the_clock_has_jumped():
    # Cairo, 24 April 2026: 00:00 became 01:00 at 22:00 UTC.
    day = Freeze(title="Audit", first=date(2026, 4, 24), last=date(2026, 4, 24))
    assert isinstance(frozen([day], occurrence("2026-04-23T21:00+00:00", 1, "Africa/Cairo")), Allow)
    assert isinstance(frozen([day], occurrence("2026-04-23T21:00+00:00", 2, "Africa/Cairo")), Deny)


@given(
    start=st.integers(0, 37_000).map(lambda minute: datetime(2026, 12, 15, tzinfo=UTC) + timedelta(minutes=minute)),
    minutes=st.integers(1, 3000),
    zone=st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "America/Santiago"]),
)
def test_it_is_frozen_exactly_when_some_minute_of_it_has_a_frozen_date(start, minutes, zone):
    span = occurrence(start.isoformat(), minutes / 60, zone)
    here = ZoneInfo(zone)
    days = {(span.starts_at + timedelta(minutes=minute)).astimezone(here).date() for minute in range(minutes)}
    touched = any(CHRISTMAS.first <= day <= CHRISTMAS.last for day in days)
    assert isinstance(frozen([CHRISTMAS], span), Deny) is touched
