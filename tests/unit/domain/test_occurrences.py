"""Windows become dated occurrences."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.occurrences import emergency, next_opening, occurrence_at, occurrences, open_at, sites_of, zones
from orchestrator.domain.verdict import Allow, Deny
from orchestrator.domain.window import Freeze, StartRule, Window

PATCH_WEDNESDAY = StartRule(rrule="FREQ=MONTHLY;BYDAY=2TU", plus_days=1, at=time(22), since=date(2026, 1, 1))
FRIDAY_NIGHT = StartRule(rrule="FREQ=WEEKLY;BYDAY=FR", at=time(22), since=date(2026, 1, 1))
SITES = {"berlin": "Europe/Berlin", "munich": "Europe/Berlin", "boston": "America/New_York", "sydney": "Australia/Sydney"}


def window(*rules, **changes):
    return Window(
        **{
            "name": "patch-night",
            "title": "Patch night",
            "devices": "all",
            "starts": rules or (PATCH_WEDNESDAY,),
            "zone": "Europe/Berlin",
            "lasts": timedelta(hours=5),
            "cutoff": timedelta(minutes=45),
        }
        | changes
    )


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def of_2026(a_window, sites=SITES):
    return occurrences(a_window, sites=sites, after=utc(2026, 1, 1), before=utc(2027, 1, 1))


def ids(found):
    return [occurrence.id for occurrence in found]


def test_an_occurrence_has_a_span_a_cutoff_and_an_id_with_its_date():
    found = of_2026(window())[-1]
    assert found.id == "patch-night/2026-12-09"
    assert (found.starts_at, found.cutoff_at, found.ends_at) == (
        utc(2026, 12, 9, 21),
        utc(2026, 12, 10, 1, 15),
        utc(2026, 12, 10, 2),
    )
    assert (found.window, found.zone, found.site, found.emergency_reason) == ("patch-night", "Europe/Berlin", None, None)
    assert found.wall == "Wed 9 Dec 2026 22:00 Europe/Berlin"


def test_zone_site_makes_one_occurrence_per_zone_named_by_its_first_site():
    assert ids(of_2026(window(zone="site")))[-3:] == [
        "patch-night/2026-12-09/sydney",
        "patch-night/2026-12-09/berlin",
        "patch-night/2026-12-09/boston",
    ]


def test_two_zones_are_enough_to_need_the_site():
    found = of_2026(window(zone="site"), {"berlin": "Europe/Berlin", "boston": "America/New_York"})
    assert ids(found)[-2:] == ["patch-night/2026-12-09/berlin", "patch-night/2026-12-09/boston"]


def test_the_span_asked_for_holds_its_first_instant_and_not_its_last():
    start = utc(2026, 12, 9, 21)
    assert len(occurrences(window(), sites={}, after=start, before=start + timedelta(seconds=1))) == 1
    assert occurrences(window(), sites={}, after=start - timedelta(seconds=1), before=start) == ()


def test_zone_site_with_one_zone_needs_no_site_in_the_id():
    found = of_2026(window(zone="site"), {"berlin": "Europe/Berlin", "munich": "Europe/Berlin"})
    assert ids(found)[-1] == "patch-night/2026-12-09"
    assert found[-1].site is None


def test_zone_site_without_sites_never_opens():
    assert of_2026(window(zone="site"), {}) == ()


def test_the_sites_of_an_occurrence_are_those_that_share_its_zone():
    per_site = window(zone="site")
    by_id = {occurrence.id: occurrence for occurrence in of_2026(per_site)}
    assert sites_of(by_id["patch-night/2026-12-09/berlin"], per_site, SITES) == ("berlin", "munich")
    assert sites_of(by_id["patch-night/2026-12-09/boston"], per_site, SITES) == ("boston",)
    assert sites_of(of_2026(window())[0], window(), SITES) == tuple(SITES)


def test_a_window_with_a_zone_of_its_own_ignores_the_sites():
    assert zones(window(), SITES) == (("Europe/Berlin", None),)


def test_a_second_start_on_one_date_carries_its_time():
    noon = StartRule(rrule="FREQ=WEEKLY;BYDAY=FR", at=time(12), since=date(2026, 12, 1))
    found = occurrences(window(FRIDAY_NIGHT, noon), sites={}, after=utc(2026, 12, 4), before=utc(2026, 12, 6))
    assert ids(found) == ["patch-night/2026-12-04", "patch-night/2026-12-04/at-2200"]


def test_the_id_does_not_depend_on_the_span_that_is_asked_for():
    noon = StartRule(rrule="FREQ=WEEKLY;BYDAY=FR", at=time(12), since=date(2026, 12, 1))
    late = occurrences(window(FRIDAY_NIGHT, noon), sites={}, after=utc(2026, 12, 4, 15), before=utc(2026, 12, 6))
    assert ids(late) == ["patch-night/2026-12-04/at-2200"]


def test_two_rules_that_name_one_instant_open_the_window_once():
    first_friday = StartRule(rrule="FREQ=MONTHLY;BYDAY=1FR", at=time(22), since=date(2026, 1, 1))
    assert len(of_2026(window(FRIDAY_NIGHT, first_friday))) == len(of_2026(window(FRIDAY_NIGHT))) == 52


@pytest.mark.parametrize(
    ("now", "open_then"),
    [
        pytest.param(utc(2026, 12, 4, 20, 59, 59), False, id="friday a second too early"),
        pytest.param(utc(2026, 12, 4, 21), True, id="friday at the start"),
        pytest.param(utc(2026, 12, 5, 1, 59, 59), True, id="saturday before the end: it belongs to friday"),
        pytest.param(utc(2026, 12, 5, 2), False, id="saturday at the end"),
        pytest.param(utc(2026, 12, 4, 0, 30), False, id="friday 01:30, which belongs to thursday night"),
        pytest.param(utc(2026, 12, 6, 0, 30), False, id="sunday"),
    ],
)
def test_friday_night_is_open_into_saturday_and_never_on_friday_morning(now, open_then):
    found = occurrence_at(window(FRIDAY_NIGHT), {}, now)
    assert (found is not None) is open_then
    assert found is None or found.id == "patch-night/2026-12-04"


def test_a_window_over_the_end_of_the_week_and_of_the_year_stays_open():
    sunday = StartRule(rrule="FREQ=WEEKLY;BYDAY=SU", at=time(23), since=date(2026, 1, 1))
    assert occurrence_at(window(sunday), {}, utc(2026, 12, 7, 1)).id == "patch-night/2026-12-06"
    eve = StartRule(rrule="FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=31", at=time(23), since=date(2026, 1, 1))
    assert occurrence_at(window(eve), {}, utc(2027, 1, 1, 2)).id == "patch-night/2026-12-31"


def test_several_zones_can_be_open_at_once():
    per_site = window(zone="site", lasts=timedelta(hours=12))
    assert ids(open_at(per_site, SITES, utc(2026, 12, 10, 4))) == ["patch-night/2026-12-09/berlin", "patch-night/2026-12-09/boston"]
    assert occurrence_at(per_site, SITES, utc(2026, 12, 10, 4)).id == "patch-night/2026-12-09/berlin"


def test_the_next_opening_is_strictly_later_than_now():
    at_the_start = utc(2026, 12, 9, 21)
    assert next_opening(window(), {}, (), at_the_start - timedelta(seconds=1)).id == "patch-night/2026-12-09"
    assert next_opening(window(), {}, (), at_the_start).id == "patch-night/2027-01-13"


def test_the_next_opening_jumps_over_a_freeze_for_everything_but_not_over_one_for_some():
    december = Freeze(title="Christmas", first=date(2026, 12, 1), last=date(2026, 12, 31))
    some = Freeze(title="Fair", first=date(2027, 1, 1), last=date(2027, 1, 31), devices="booth")
    assert next_opening(window(), {}, (december, some), utc(2026, 11, 22)).id == "patch-night/2027-01-13"


def test_a_window_that_is_over_for_good_has_no_next_opening():
    once = StartRule(rrule="FREQ=DAILY;COUNT=1", at=time(22), since=date(2026, 1, 1))
    assert next_opening(window(once), {}, (), utc(2026, 11, 22)) is None


def test_an_emergency_opens_now_with_the_windows_own_limits():
    now = utc(2026, 12, 9, 23, 30)
    found = emergency(window(), now, "CVE-2026-1234 is exploited", 2, "Europe/Berlin")
    assert found.id == "patch-night/2026-12-10/emergency-2"
    assert (found.starts_at, found.ends_at, found.cutoff_at) == (
        now,
        now + timedelta(hours=5),
        now + timedelta(hours=4, minutes=15),
    )
    assert found.emergency_reason == "CVE-2026-1234 is exploited"
    assert found.wall == "Thu 10 Dec 2026 00:30 Europe/Berlin"
    assert found.may_start(now) == Allow()


@pytest.mark.parametrize(
    ("now", "rule", "reason"),
    [
        (utc(2026, 12, 9, 20, 59), "window-closed", "patch-night/2026-12-09 opens at Wed 9 Dec 2026 22:00 Europe/Berlin"),
        (utc(2026, 12, 10, 1, 15), "cutoff", "patch-night/2026-12-09 is past its cutoff: nothing new starts"),
        (utc(2026, 12, 10, 2), "window-closed", "patch-night/2026-12-09 has ended"),
    ],
)
def test_nothing_starts_outside_or_after_the_cutoff(now, rule, reason):
    verdict = of_2026(window())[-1].may_start(now)
    assert isinstance(verdict, Deny)
    assert (verdict.rule, verdict.reason) == (rule, reason)


def test_work_may_start_from_the_start_up_to_the_cutoff():
    found = of_2026(window())[-1]
    assert found.may_start(found.starts_at) == Allow()
    assert found.may_start(found.cutoff_at - timedelta(seconds=1)) == Allow()


@given(
    now=st.integers(0, 1_000_000).map(lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)),
    rrule=st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SU,WE", "FREQ=MONTHLY;BYMONTHDAY=-1"]),
    hour=st.integers(0, 23),
    lasts=st.integers(1, 24),
    zone=st.sampled_from(["site", "Africa/Cairo", "Australia/Lord_Howe"]),
)
def test_what_is_open_contains_now_and_what_is_next_does_not(now, rrule, hour, lasts, zone):
    a_window = window(StartRule(rrule=rrule, at=time(hour), since=date(2026, 1, 1)), zone=zone, lasts=timedelta(hours=lasts))
    around = occurrences(a_window, sites=SITES, after=now - timedelta(days=3), before=now + timedelta(days=70))
    assert len({occurrence.id for occurrence in around}) == len(around)
    assert open_at(a_window, SITES, now) == tuple(found for found in around if found.starts_at <= now < found.ends_at)
    later = next_opening(a_window, SITES, (), now)
    assert later == next(found for found in around if found.starts_at > now)
