"""Dates of a rule: RFC 5545, then ours (plus_days, until, except_dates)."""

import calendar
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.recurrence import check, expand, skipped
from orchestrator.domain.window import StartRule


def rule(rrule, **changes):
    return StartRule(**{"rrule": rrule, "at": time(22), "since": date(2026, 1, 1)} | changes)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def dates(a_rule, *, first=(2026, 1, 1), last=(2027, 1, 1), zone="UTC"):
    return [start.local_date for start in expand(a_rule, zone, after=utc(*first), before=utc(*last))]


def short(days):
    return " ".join(f"{day:%m-%d}" for day in days)


@pytest.mark.parametrize(
    ("rrule", "changes", "expected"),
    [
        pytest.param(
            "FREQ=MONTHLY;BYDAY=2TU",
            {},
            "01-13 02-10 03-10 04-14 05-12 06-09 07-14 08-11 09-08 10-13 11-10 12-08",
            id="patch tuesday",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYDAY=2TU",
            {"plus_days": 4},
            "01-17 02-14 03-14 04-18 05-16 06-13 07-18 08-15 09-12 10-17 11-14 12-12",
            id="saturday after patch tuesday",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYDAY=2SA",
            {},
            "01-10 02-14 03-14 04-11 05-09 06-13 07-11 08-08 09-12 10-10 11-14 12-12",
            id="second saturday is another day",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYMONTHDAY=31", {}, "01-31 03-31 05-31 07-31 08-31 10-31 12-31", id="the 31st exists in seven months"
        ),
        pytest.param(
            "FREQ=MONTHLY;BYMONTHDAY=30",
            {"until": date(2026, 6, 1)},
            "01-30 03-30 04-30 05-30",
            id="30 february is ignored, april is not",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYMONTHDAY=-1",
            {},
            "01-31 02-28 03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-31",
            id="last day of each month",
        ),
        pytest.param(
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            {},
            "01-30 02-27 03-31 04-30 05-29 06-30 07-31 08-31 09-30 10-30 11-30 12-31",
            id="last working day of each month",
        ),
        pytest.param("FREQ=MONTHLY;BYDAY=-1FR", {"until": date(2026, 4, 1)}, "01-30 02-27 03-27", id="last friday"),
        pytest.param("FREQ=MONTHLY;BYDAY=5TH", {}, "01-29 04-30 07-30 10-29 12-31", id="a fifth thursday is rare"),
        pytest.param(
            "FREQ=WEEKLY;BYDAY=SA;INTERVAL=2", {"until": date(2026, 2, 20)}, "01-03 01-17 01-31 02-14", id="every other saturday"
        ),
        pytest.param("FREQ=YEARLY;BYMONTH=2,3;BYMONTHDAY=31", {}, "03-31", id="one of the months has such a day"),
        pytest.param("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,30", {}, "02-28", id="one of the days is in that month"),
        pytest.param("FREQ=MONTHLY;BYDAY=2TU", {"plus_days": 1, "until": date(2026, 1, 14)}, "01-14", id="until its only start"),
        pytest.param("FREQ=WEEKLY;BYDAY=SU;COUNT=3", {}, "01-04 01-11 01-18", id="three times only"),
        pytest.param("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=31", {}, "12-31", id="new year's eve"),
        pytest.param("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", {"since": date(2025, 12, 1)}, "", id="week 1 of 2026 begins in 2025"),
        pytest.param(
            "FREQ=MONTHLY;BYMONTHDAY=1", {"plus_days": -1, "until": date(2026, 3, 1)}, "01-31 02-28", id="the day before the first"
        ),
        pytest.param(
            "freq=weekly;byday=mo;", {"until": date(2026, 1, 12)}, "01-05 01-12", id="lower case and a closing semicolon are fine"
        ),
    ],
)
def test_a_rule_opens_on_these_dates_of_2026(rrule, changes, expected):
    assert short(dates(rule(rrule, **changes))) == expected
    assert check(rule(rrule, **changes)) is None


def test_29_february_comes_only_in_leap_years():
    found = dates(rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"), last=(2037, 1, 1))
    assert found == [date(2028, 2, 29), date(2032, 2, 29), date(2036, 2, 29)]


def test_2100_is_no_leap_year():
    found = dates(rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", since=date(2090, 1, 1)), first=(2090, 1, 1), last=(2105, 1, 1))
    assert found == [date(2092, 2, 29), date(2096, 2, 29), date(2104, 2, 29)]


def test_a_day_after_the_last_of_december_is_in_the_next_year():
    assert dates(rule("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=31", plus_days=1), last=(2028, 1, 1)) == [date(2027, 1, 1)]


def test_a_rule_that_closes_one_december_night_is_asked_for_by_its_start():
    at_ten = rule("FREQ=DAILY")
    inside = list(expand(at_ten, "UTC", after=utc(2026, 12, 31, 22), before=utc(2027, 1, 1, 22)))
    assert [start.starts_at for start in inside] == [utc(2026, 12, 31, 22)]


def test_the_span_asked_for_is_half_open():
    daily = rule("FREQ=DAILY")
    assert not list(expand(daily, "UTC", after=utc(2026, 5, 1, 22, 1), before=utc(2026, 5, 2, 22)))
    assert len(list(expand(daily, "UTC", after=utc(2026, 5, 1, 22), before=utc(2026, 5, 2, 22)))) == 1


def test_excepted_dates_do_not_open_and_say_so():
    weekly = rule("FREQ=WEEKLY;BYDAY=MO", except_dates=frozenset({date(2026, 1, 12)}), until=date(2026, 1, 19))
    assert short(dates(weekly)) == "01-05 01-19"
    (left_out,) = skipped(weekly, "UTC", after=utc(2026, 1, 1), before=utc(2027, 1, 1))
    assert (left_out.local_date, left_out.reason) == (date(2026, 1, 12), "Mon 12 Jan 2026 is an excepted date")


def test_left_out_dates_are_asked_for_by_a_half_open_span_too():
    weekly = rule("FREQ=WEEKLY;BYDAY=MO", except_dates=frozenset({date(2026, 1, 12)}))
    assert len(list(skipped(weekly, "UTC", after=utc(2026, 1, 12), before=utc(2026, 1, 13)))) == 1
    assert not list(skipped(weekly, "UTC", after=utc(2026, 1, 13), before=utc(2026, 2, 1)))
    assert not list(skipped(weekly, "UTC", after=utc(2026, 1, 1), before=utc(2026, 1, 12)))


def test_an_excepted_date_counts_for_count_as_in_the_rfc():
    assert short(dates(rule("FREQ=WEEKLY;BYDAY=MO;COUNT=2", except_dates=frozenset({date(2026, 1, 5)})))) == "01-12"


def test_until_is_the_last_start_after_plus_days():
    patch_wednesday = rule("FREQ=MONTHLY;BYDAY=2TU", plus_days=1, until=date(2026, 2, 10))
    assert short(dates(patch_wednesday)) == "01-14"


def test_a_start_names_its_wall_time_in_english():
    (start,) = expand(rule("FREQ=MONTHLY;BYDAY=2TU", plus_days=1), "Europe/Berlin", after=utc(2026, 12, 1), before=utc(2027, 1, 1))
    assert (start.wall, start.starts_at, start.note) == ("Wed 9 Dec 2026 22:00 Europe/Berlin", utc(2026, 12, 9, 21), "")


@pytest.mark.parametrize(
    ("rrule", "changes", "error"),
    [
        ("", {}, '"" is no part of a recurrence rule: write it like FREQ=MONTHLY;BYDAY=2TU'),
        ("every tuesday", {}, '"EVERY TUESDAY" is no part of a recurrence rule: write it like FREQ=MONTHLY;BYDAY=2TU'),
        ("BYDAY=TU", {}, "FREQ is missing: begin with FREQ=DAILY, FREQ=WEEKLY, FREQ=MONTHLY or FREQ=YEARLY"),
        ("FREQ=HOURLY", {}, "FREQ=HOURLY is not possible for a window: DAILY is the finest, then WEEKLY, MONTHLY, YEARLY"),
        (
            "FREQ=FORTNIGHTLY",
            {},
            "FREQ=FORTNIGHTLY is not possible for a window: DAILY is the finest, then WEEKLY, MONTHLY, YEARLY",
        ),
        ("FREQ=DAILY;FREQ=WEEKLY", {}, '"FREQ" is there twice: keep one'),
        ("FREQ=DAILY;BYHOUR=3", {}, '"BYHOUR" does not belong into rrule: write the time under the key `at`'),
        ("FREQ=DAILY;UNTIL=20261231T000000Z", {}, '"UNTIL" does not belong into rrule: write the last date under the key `until`'),
        ("FREQ=DAILY;INTERVAL=0", {}, '"0" is no value for INTERVAL in a recurrence rule'),
        ("FREQ=MONTHLY;BYDAY=2XX", {}, '"2XX" is no value for BYDAY in a recurrence rule'),
        ("FREQ=MONTHLY;BYMONTHDAY=32", {}, '"32" is no value for BYMONTHDAY in a recurrence rule'),
        ("FREQ=MONTHLY;BYEASTER=1", {}, '"BYEASTER=1" is no part of a recurrence rule: write it like FREQ=MONTHLY;BYDAY=2TU'),
        (
            "FREQ=WEEKLY;BYDAY=2TU",
            {},
            "a numbered weekday (2TU) does not go with FREQ=WEEKLY: use FREQ=MONTHLY, or leave the number out",
        ),
        (
            "FREQ=YEARLY;BYWEEKNO=3;BYDAY=1MO",
            {},
            "a numbered weekday (1MO) does not go with BYWEEKNO: use FREQ=MONTHLY, or leave the number out",
        ),
        ("FREQ=MONTHLY;BYWEEKNO=3", {}, "BYWEEKNO does not go with FREQ=MONTHLY: use FREQ=YEARLY"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", {}, "BYMONTHDAY does not go with FREQ=WEEKLY: use FREQ=MONTHLY"),
        (
            "FREQ=MONTHLY;BYSETPOS=-1",
            {},
            "BYSETPOS chooses from another BY part, and there is none: add one, for example BYDAY=MO,TU,WE,TH,FR",
        ),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", {}, "it never opens: BYMONTH=2 has no day 30"),
        ("FREQ=DAILY;BYMONTH=4,6;BYMONTHDAY=31,-31", {}, "it never opens: BYMONTH=4,6 has no day 31,-31"),
        ("FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=2", {}, "BYSETPOS does not go with FREQ=WEEKLY: use FREQ=MONTHLY"),
        ("FREQ=YEARLY;BYMONTH=1;BYDAY=MO;BYSETPOS=6", {}, "it never opens: no date fits all its parts; loosen one of them"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=MO", {}, "it never opens: no date fits all its parts; loosen one of them"),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", {}, "it never opens: no date fits all its parts; loosen one of them"),
        (
            "FREQ=WEEKLY;BYDAY=MO",
            {"until": date(2026, 1, 2)},
            "it never opens: its first start would be Mon 5 Jan 2026, after until 2026-01-02",
        ),
        (
            "FREQ=MONTHLY;BYDAY=2TU",
            {"plus_days": 1, "until": date(2026, 1, 13)},
            "it never opens: its first start would be Wed 14 Jan 2026, after until 2026-01-13",
        ),
        (
            "FREQ=WEEKLY;BYDAY=MO;COUNT=1",
            {"except_dates": frozenset({date(2026, 1, 5)})},
            "it never opens: no date fits all its parts; loosen one of them",
        ),
        ("FREQ=DAILY", {"plus_days": 9_999_999}, "plus_days 9999999 leads out of the calendar: make it smaller"),
    ],
)
def test_a_bad_rule_says_what_is_wrong_and_what_to_do(rrule, changes, error):
    assert check(rule(rrule, **changes)) == error


def test_an_unreadable_rule_cannot_be_expanded():
    with pytest.raises(ValueError, match="no part of a recurrence rule"):
        list(expand(rule("nonsense"), "UTC", after=utc(2026, 1, 1), before=utc(2027, 1, 1)))


@given(text=st.text(alphabet="FREQ=MONTHLYDAIWBS;+-,0123456789", max_size=40))
def test_no_text_makes_the_check_raise(text):
    assert check(rule(text)) is None or isinstance(check(rule(text)), str)


@given(
    number=st.sampled_from([1, 2, 3, 4, 5, -1, -2]),
    weekday=st.integers(0, 6),
    plus_days=st.integers(-10, 40),
    year=st.integers(1995, 2060),
)
def test_a_numbered_weekday_plus_days_is_what_counting_on_the_calendar_gives(number, weekday, plus_days, year):
    name = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"][weekday]
    counted = []
    for month in range(1, 13):
        all_of_them = [day for week in calendar.monthcalendar(year, month) if (day := week[weekday])]
        place = number - 1 if number > 0 else number
        if -len(all_of_them) <= place < len(all_of_them):
            counted.append(date(year, month, all_of_them[place]) + timedelta(days=plus_days))
    a_rule = rule(f"FREQ=MONTHLY;BYDAY={number}{name}", plus_days=plus_days, since=date(year, 1, 1))
    found = dates(a_rule, first=(year - 1, 6, 1), last=(year + 1, 6, 1))
    assert found[: len(counted)] == counted


@given(
    since=st.dates(date(2000, 1, 1), date(2030, 1, 1)),
    ask=st.integers(0, 900),
    length=st.integers(0, 60),
    interval=st.integers(1, 9),
)
def test_daily_starts_are_evenly_spaced_and_inside_the_span(since, ask, length, interval):
    after = datetime.combine(since, time(), UTC) + timedelta(days=ask)
    before = after + timedelta(days=length)
    found = [
        start.starts_at for start in expand(rule(f"FREQ=DAILY;INTERVAL={interval}", since=since), "UTC", after=after, before=before)
    ]
    assert all(after <= start < before for start in found)
    expected = [day for day in range(ask, ask + length) if day % interval == 0]
    assert [(start.date() - since).days for start in found] == expected
