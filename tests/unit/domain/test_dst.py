"""DST is decided, not discovered (window contract 5)."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.occurrences import occurrences
from orchestrator.domain.recurrence import expand, skipped
from orchestrator.domain.window import DstPolicy, StartRule, Window

ZONES = [
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Santiago",
    "America/Nuuk",
    "America/Havana",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Asia/Beirut",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Pacific/Apia",
    "Pacific/Chatham",
    "UTC",
]


def daily(at, dst=DstPolicy.SHIFT, since=date(2011, 1, 1)):
    return StartRule(rrule="FREQ=DAILY", at=time.fromisoformat(at), since=since, dst=dst)


def on(day, at, zone, dst=DstPolicy.SHIFT):
    """The start that the rule names for one local date."""
    noon = datetime.combine(day, time(12), UTC)
    rule = daily(at, dst, day - timedelta(days=5))
    found = expand(rule, zone, after=noon - timedelta(days=3), before=noon + timedelta(days=3))
    return [start for start in found if start.local_date == day]


@pytest.mark.parametrize(
    ("zone", "day", "at", "instant", "shown"),
    [
        pytest.param("Europe/Berlin", "2026-03-28", "02:30", "2026-03-28T01:30Z", "02:30", id="berlin the night before"),
        pytest.param("Europe/Berlin", "2026-03-29", "01:59", "2026-03-29T00:59Z", "01:59", id="berlin last minute before the gap"),
        pytest.param("Europe/Berlin", "2026-03-29", "02:00", "2026-03-29T01:00Z", "03:00", id="berlin first minute of the gap"),
        pytest.param("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:30Z", "03:30", id="berlin in the gap"),
        pytest.param("Europe/Berlin", "2026-03-29", "03:00", "2026-03-29T01:00Z", "03:00", id="berlin first minute after the gap"),
        pytest.param(
            "Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30Z", "02:30", id="berlin twice: the first, in summer time"
        ),
        pytest.param("Europe/Berlin", "2026-10-25", "03:00", "2026-10-25T02:00Z", "03:00", id="berlin after the overlap"),
        pytest.param("America/New_York", "2026-03-08", "02:30", "2026-03-08T07:30Z", "03:30", id="new york gap"),
        pytest.param("America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30Z", "01:30", id="new york overlap"),
        pytest.param("Australia/Sydney", "2026-10-04", "02:30", "2026-10-03T16:30Z", "03:30", id="sydney gap in october"),
        pytest.param("Australia/Sydney", "2026-04-05", "02:30", "2026-04-04T15:30Z", "02:30", id="sydney overlap in april"),
        pytest.param(
            "Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:45Z", "02:45", id="lord howe gap of half an hour"
        ),
        pytest.param(
            "Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45Z", "01:45", id="lord howe overlap of half an hour"
        ),
        pytest.param("Asia/Kolkata", "2026-03-29", "02:30", "2026-03-28T21:00Z", "02:30", id="kolkata knows no dst"),
        pytest.param("America/Santiago", "2026-09-06", "00:30", "2026-09-06T04:30Z", "01:30", id="santiago gap at midnight"),
        pytest.param(
            "America/Santiago", "2026-04-04", "23:30", "2026-04-05T02:30Z", "23:30", id="santiago overlap before midnight"
        ),
        pytest.param("Africa/Cairo", "2026-04-24", "00:00", "2026-04-23T22:00Z", "01:00", id="cairo gap at midnight"),
        pytest.param("Africa/Cairo", "2026-10-29", "23:30", "2026-10-29T20:30Z", "23:30", id="cairo overlap before midnight"),
        pytest.param("America/Nuuk", "2026-03-28", "23:30", "2026-03-29T01:30Z", "00:30", id="nuuk shifts over midnight"),
    ],
)
def test_a_local_start_is_this_instant(zone, day, at, instant, shown):
    (start,) = on(date.fromisoformat(day), at, zone)
    assert start.starts_at == datetime.fromisoformat(instant)
    assert f"{start.starts_at.astimezone(ZoneInfo(zone)):%H:%M}" == shown
    assert shown in start.wall


def test_a_shifted_start_says_why():
    (start,) = on(date(2026, 3, 29), "02:30", "Europe/Berlin")
    assert start.note == "02:30 does not exist on Sun 29 Mar 2026 in Europe/Berlin: the clock jumps over it, so it opens at 03:30"


def test_a_doubled_start_says_which_one_counts():
    (start,) = on(date(2026, 10, 25), "02:30", "Europe/Berlin")
    assert start.note == "02:30 comes twice on Sun 25 Oct 2026 in Europe/Berlin: the first one counts"


def test_an_ordinary_start_says_nothing():
    assert [start.note for start in on(date(2026, 7, 1), "02:30", "Europe/Berlin")] == [""]


def test_skip_leaves_out_exactly_the_night_that_has_no_such_time_and_says_so():
    rule = daily("02:30", DstPolicy.SKIP)
    span = {"after": datetime(2026, 1, 1, tzinfo=UTC), "before": datetime(2027, 1, 1, tzinfo=UTC)}
    assert len(list(expand(rule, "Europe/Berlin", **span))) == 364
    (left_out,) = skipped(rule, "Europe/Berlin", **span)
    assert left_out.local_date == date(2026, 3, 29)
    assert left_out.reason == "02:30 does not exist on Sun 29 Mar 2026 in Europe/Berlin: the clock jumps over it"


def test_shift_skips_no_night_of_the_year():
    span = {"after": datetime(2026, 1, 1, tzinfo=UTC), "before": datetime(2027, 1, 1, tzinfo=UTC)}
    assert len(list(expand(daily("02:30"), "Europe/Berlin", **span))) == 365
    assert not list(skipped(daily("02:30"), "Europe/Berlin", **span))


def test_a_start_that_is_shifted_over_midnight_keeps_the_date_of_its_rule():
    (start,) = on(date(2026, 3, 28), "23:30", "America/Nuuk")
    assert (start.local_date, start.wall) == (date(2026, 3, 28), "Sun 29 Mar 2026 00:30 America/Nuuk")


def test_a_day_that_a_zone_left_out_opens_the_window_once_not_twice():
    # Samoa went from 29 to 31 December 2011: the start of the 30th and that of the 31st are one instant.
    found = list(
        expand(daily("22:00"), "Pacific/Apia", after=datetime(2011, 12, 28, tzinfo=UTC), before=datetime(2012, 1, 2, tzinfo=UTC))
    )
    assert [start.starts_at.day for start in found] == [28, 29, 30, 31, 1]
    assert len({start.starts_at for start in found}) == 5


@pytest.mark.parametrize(
    ("day", "ends", "note"),
    [
        ("2026-03-28", "04:00", "the clock goes forward by 60 min meanwhile: it ends at 04:00, the length stays the same"),
        ("2026-10-24", "02:00", "the clock goes back by 60 min meanwhile: it ends at 02:00, the length stays the same"),
        ("2026-07-01", "03:00", ""),
    ],
)
def test_five_hours_are_five_hours_also_on_dst_nights(day, ends, note):
    window = Window(
        name="night", title="Night", devices="all", starts=(daily("22:00"),), zone="Europe/Berlin", lasts=timedelta(hours=5)
    )
    noon = datetime.fromisoformat(f"{day}T12:00Z")
    (found,) = occurrences(window, sites={}, after=noon, before=noon + timedelta(hours=12))
    assert found.ends_at - found.starts_at == timedelta(hours=5)
    assert f"{found.ends_at.astimezone(ZoneInfo('Europe/Berlin')):%H:%M}" == ends
    assert found.note == note


def readings(wall, zone):
    """All instants at which a clock in ``zone`` shows ``wall``, found without fold: by trying every offset of those days."""
    around = wall.replace(tzinfo=UTC)
    offsets = {(around + timedelta(hours=hours)).astimezone(ZoneInfo(zone)).utcoffset() for hours in range(-30, 31, 3)}
    instants = sorted(around - offset for offset in offsets)
    return [instant for instant in instants if instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall]


@given(zone=st.sampled_from(ZONES), day=st.dates(date(2015, 1, 1), date(2037, 12, 1)), minute=st.integers(0, 1439))
def test_on_any_day_in_any_zone_a_start_is_its_first_reading_or_shifted_forward(zone, day, minute):
    at = time(minute // 60, minute % 60)
    (start,) = on(day, f"{at:%H:%M}", zone)
    wall = datetime.combine(day, at)
    if found := readings(wall, zone):
        assert start.starts_at == found[0]
        assert bool(start.note) == (len(found) > 1)
        return
    shown = start.starts_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    before_the_gap = (start.starts_at - timedelta(hours=24)).astimezone(ZoneInfo(zone)).utcoffset()
    assert start.starts_at == wall.replace(tzinfo=UTC) - before_the_gap
    assert timedelta() < shown - wall <= timedelta(hours=24)
    assert start.note
    assert not on(day, f"{at:%H:%M}", zone, DstPolicy.SKIP)


@pytest.mark.parametrize("zone", ZONES)
def test_every_night_of_three_years_opens_exactly_once_and_in_order(zone):
    for at in ("00:00", "02:30", "23:30"):
        found = list(
            expand(
                daily(at, since=date(2025, 1, 1)),
                zone,
                after=datetime(2025, 1, 1, tzinfo=UTC),
                before=datetime(2028, 1, 1, tzinfo=UTC),
            )
        )
        instants = [start.starts_at for start in found]
        assert instants == sorted(set(instants))
        steps = {later.local_date - earlier.local_date for earlier, later in pairwise(found)}
        assert steps == {timedelta(days=1)}
