"""People are told in their own working hours, and in time (window contract 11)."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.person import WorkingHours
from orchestrator.domain.schedule import (
    invite_time,
    lead_key,
    next_working,
    previous_working,
    reminder_times,
    within_hours,
)
from orchestrator.domain.window import Occurrence, PeopleRule

LONDON = "Europe/London"
OFFICE = WorkingHours()
NIGHTS = WorkingHours(start=time(22), end=time(6), days=frozenset({0, 1, 2, 3, 4}))
NEVER = WorkingHours(days=frozenset())
EARLY = datetime(2026, 11, 22, tzinfo=UTC)


def at(text):
    """`Wed 9 Dec 16:00` as `09 16:00` of December 2026, London time = UTC."""
    return datetime.strptime(f"2026-12-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def night(start="09 22:00"):
    starts_at = at(start)
    ends_at = starts_at + timedelta(hours=5)
    return Occurrence(id="n", window="n", starts_at=starts_at, ends_at=ends_at, cutoff_at=ends_at, zone=LONDON, wall="")


def rule(*remind, invite=3, before_leaving=True):
    days = None if invite is None else timedelta(days=invite)
    return PeopleRule(invite=days, remind=tuple(timedelta(hours=hours) for hours in remind), before_leaving=before_leaving)


@pytest.mark.parametrize(
    ("instant", "works"),
    [("09 08:59", False), ("09 09:00", True), ("09 16:59", True), ("09 17:00", False), ("12 12:00", False), ("13 12:00", False)],
)
def test_working_hours_are_half_open_and_know_the_weekend(instant, works):
    assert within_hours(at(instant), LONDON, OFFICE) is works


@pytest.mark.parametrize(
    ("instant", "works"),
    [
        pytest.param("11 23:00", True, id="friday night"),
        pytest.param("12 05:59", True, id="saturday morning belongs to friday night"),
        pytest.param("12 23:00", False, id="saturday night"),
        pytest.param("14 05:00", False, id="monday morning would belong to sunday night"),
    ],
)
def test_a_night_shift_belongs_to_the_day_it_begins(instant, works):
    assert within_hours(at(instant), LONDON, NIGHTS) is works


def test_hours_are_those_of_the_persons_own_zone():
    assert within_hours(at("09 03:30"), "Asia/Kolkata", OFFICE)
    assert not within_hours(at("09 03:29"), "Asia/Kolkata", OFFICE)


def test_hours_follow_the_clock_over_a_dst_night():
    # Monday after the change in Berlin: 09:00 is 08:00 UTC in winter and 07:00 UTC in summer.
    assert next_working(
        datetime(2026, 3, 27, 20, tzinfo=UTC), "Europe/Berlin", OFFICE, datetime.max.replace(tzinfo=UTC)
    ) == datetime(2026, 3, 30, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        pytest.param("09 10:00", "09 10:00", id="working already"),
        pytest.param("09 05:00", "09 09:00", id="this morning"),
        pytest.param("09 17:00", "10 09:00", id="tomorrow"),
        pytest.param("11 18:00", "14 09:00", id="after the weekend"),
    ],
)
def test_the_next_working_time(instant, expected):
    assert next_working(at(instant), LONDON, OFFICE, at("30 00:00")) == at(expected)


def test_when_work_begins_too_late_it_is_now():
    assert next_working(at("09 05:00"), LONDON, OFFICE, at("09 09:00")) == at("09 05:00")
    assert next_working(at("09 05:00"), LONDON, NEVER, at("30 00:00")) == at("09 05:00")


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        pytest.param("09 10:00", "09 10:00", id="working then"),
        pytest.param("09 09:00", "09 09:00", id="just begun"),
        pytest.param("09 21:00", "09 16:00", id="evening: an hour before they leave"),
        pytest.param("09 17:00", "09 16:00", id="just left"),
        pytest.param("09 08:00", "08 16:00", id="morning: the evening before"),
        pytest.param("13 12:00", "11 16:00", id="sunday: friday"),
        pytest.param("14 08:00", "11 16:00", id="monday morning: friday"),
    ],
)
def test_the_working_time_before(instant, expected):
    assert previous_working(at(instant), LONDON, OFFICE) == at(expected)


def test_somebody_who_works_half_an_hour_is_told_when_that_begins():
    short = WorkingHours(start=time(9), end=time(9, 30))
    assert previous_working(at("09 21:00"), LONDON, short) == at("09 09:00")


def test_somebody_who_never_works_is_told_at_the_time_itself():
    assert previous_working(at("09 21:00"), LONDON, NEVER) == at("09 21:00")


def test_the_invitation_three_days_before_a_wednesday_comes_on_friday():
    assert invite_time(rule(), night(), LONDON, OFFICE, EARLY) == at("04 16:00")


def test_a_late_invitation_goes_out_when_work_begins_or_at_once_if_that_is_too_late():
    assert invite_time(rule(), night(), LONDON, OFFICE, at("09 03:00")) == at("09 09:00")
    assert invite_time(rule(), night(), LONDON, OFFICE, at("09 20:00")) == at("09 20:00")


def test_no_invitation_when_none_is_wanted_or_the_window_is_open():
    assert invite_time(rule(invite=None), night(), LONDON, OFFICE, EARLY) is None
    assert invite_time(rule(), night(), LONDON, OFFICE, at("09 22:00")) is None


def reminders(now=EARLY, a_rule=None, start="09 22:00", hours=OFFICE):
    found = reminder_times(a_rule or rule(24), night(start), LONDON, hours, now)
    return [(key, f"{due:%d %H:%M}") for key, due in found]


def test_a_day_before_and_before_leaving():
    assert reminders() == [("1d", "08 16:00"), ("before_leaving", "09 16:00")]


def test_a_window_in_working_hours_is_announced_an_hour_before():
    assert reminders(start="09 12:00") == [("1d", "08 12:00"), ("before_leaving", "09 11:00")]


def test_a_window_at_the_start_of_work_is_announced_the_evening_before():
    assert reminders(start="09 09:30", a_rule=rule()) == [("before_leaving", "08 16:00")]


def test_a_sunday_window_is_announced_on_friday_once():
    assert reminders(start="13 20:00") == [("before_leaving", "11 16:00")]


def test_an_overdue_reminder_comes_when_work_begins():
    assert reminders(now=at("09 03:00")) == [("1d", "09 09:00"), ("before_leaving", "09 16:00")]


def test_all_overdue_reminders_become_the_latest_one():
    assert reminders(now=at("09 17:30"), a_rule=rule(48, 24)) == [("before_leaving", "09 17:30")]


def test_an_overdue_reminder_gives_way_to_one_that_comes_by_then():
    assert reminders(now=at("11 18:00"), a_rule=rule(72, 13), start="14 22:00") == [
        ("13h", "14 09:00"),
        ("before_leaving", "14 16:00"),
    ]


def test_a_reminder_that_is_due_this_instant_is_sent():
    assert reminders(now=at("09 16:00")) == [("before_leaving", "09 16:00")]


def test_of_reminders_that_fall_together_the_one_nearest_to_the_start_is_sent():
    assert reminders(a_rule=rule(24, 29, before_leaving=False)) == [("1d", "08 16:00")]


def test_reminders_are_in_order_also_where_moving_back_overtakes():
    both = rule(24, 23, before_leaving=False)
    assert reminders(a_rule=both, start="10 16:30") == [("23h", "09 16:00"), ("1d", "09 16:30")]


def test_nothing_is_announced_once_the_window_is_open():
    assert reminders(now=at("09 22:00")) == []


def test_a_reminder_that_falls_on_the_start_is_dropped():
    assert reminders(a_rule=PeopleRule(remind=(timedelta(0),)), hours=NEVER) == []


def test_no_reminders_when_none_are_wanted():
    assert reminders(a_rule=PeopleRule()) == []


@pytest.mark.parametrize(
    ("lead", "key"),
    [(timedelta(days=1), "1d"), (timedelta(hours=36), "36h"), (timedelta(minutes=90), "90m"), (timedelta(0), "0m")],
)
def test_a_lead_time_is_named_by_its_largest_whole_unit(lead, key):
    assert lead_key(lead) == key


HOURS = st.builds(
    WorkingHours,
    start=st.times().map(lambda found: found.replace(second=0, microsecond=0)),
    end=st.times().map(lambda found: found.replace(second=0, microsecond=0)),
    days=st.frozensets(st.integers(0, 6)),
)
ZONES = st.sampled_from(["Europe/London", "Africa/Cairo", "Australia/Lord_Howe", "America/Santiago"])
INSTANTS = st.integers(0, 525_600).map(lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute))


@given(instant=INSTANTS, zone=ZONES, hours=HOURS)
def test_forward_or_back_we_land_in_working_hours_or_stay(instant, zone, hours):
    ahead = next_working(instant, zone, hours, instant + timedelta(days=40))
    behind = previous_working(instant, zone, hours)
    assert ahead >= instant >= behind
    for found in (ahead, behind):
        assert found == instant or within_hours(found, zone, hours)
    if within_hours(instant, zone, hours):
        assert ahead == behind == instant


@given(
    start=INSTANTS,
    early=st.timedeltas(timedelta(0), timedelta(days=9)),
    zone=ZONES,
    hours=HOURS,
    remind=st.lists(st.timedeltas(timedelta(minutes=1), timedelta(days=6)), max_size=4),
    before_leaving=st.booleans(),
)
def test_reminders_lie_between_now_and_the_start_in_order_each_key_once(**drawn):
    start, early, zone, hours, remind, before_leaving = drawn.values()
    now = start - early
    occurrence = Occurrence(
        id="n", window="n", starts_at=start, ends_at=start + timedelta(hours=1), cutoff_at=start, zone=zone, wall=""
    )
    found = reminder_times(PeopleRule(remind=tuple(remind), before_leaving=before_leaving), occurrence, zone, hours, now)
    dues = [due for _, due in found]
    assert dues == sorted(set(dues))
    assert len({key for key, _ in found}) == len(found)
    assert all(now <= due < start for due in dues)
    invite = invite_time(PeopleRule(), occurrence, zone, hours, now)
    assert invite is None or now <= invite < start


def test_the_zone_of_a_result_is_utc():
    local = at("09 10:00").astimezone(ZoneInfo("Asia/Kolkata"))
    assert next_working(local, "Asia/Kolkata", OFFICE, at("30 00:00")).tzinfo is UTC
    assert previous_working(local, "Asia/Kolkata", OFFICE).tzinfo is UTC
