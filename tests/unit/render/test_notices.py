"""What every notice holds to, whatever its words."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from orchestrator.adapters.channels.mime import build_mail
from orchestrator.adapters.render import JinjaNoticeRenderer
from orchestrator.domain.notice import NoticeKind, NoticeState
from tests.unit.render.samples import changed, kinds, of, renderer
from tests.unit.report import night

PLAN = night.plan()
NOTICES = kinds(PLAN)
WITH_CALENDAR = [name for name, notice in NOTICES.items() if notice.kind.method]
NAMES = st.text(st.characters(), min_size=1, max_size=80)


class Visible(HTMLParser):
    """The text a reader sees, and every tag and address in the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self._hidden = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self._hidden = tag in {"title", "style"}
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "background", "action"}]

    def handle_endtag(self, tag):
        self._hidden = False

    def handle_data(self, data):
        if not self._hidden:
            self.words += data.split()


def event(message):
    [found] = Calendar.from_ical(message.calendar).walk("VEVENT")
    return found


@pytest.mark.parametrize("name", NOTICES)
def test_text_and_page_say_the_same_words(name):
    message = renderer().render(NOTICES[name])
    text = [word for word in re.sub(r"^(- |-- )", "", message.text, flags=re.MULTILINE).split() if word != "--"]
    page = Visible(message.html).words
    title = page[: len(page) - len(text)]
    assert page[len(title) :] == text
    assert " ".join(title) in message.html


@pytest.mark.parametrize("name", NOTICES)
def test_a_page_needs_nothing_from_elsewhere(name):
    seen = Visible(renderer().render(NOTICES[name]).html)
    assert seen.addresses == []
    assert not seen.tags & {"script", "img", "link", "iframe", "form", "object", "video"}


@pytest.mark.parametrize("name", NOTICES)
def test_rendered_twice_it_is_the_same_mail(name):
    first, second = (build_mail(renderer().render(NOTICES[name])).as_bytes() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", NOTICES)
def test_lines_of_text_fit_a_narrow_window(name):
    assert max(map(len, renderer().render(NOTICES[name]).text.splitlines())) <= 72


@pytest.mark.parametrize("name", NOTICES)
def test_only_invitation_and_cancellation_carry_a_calendar(name):
    notice = NOTICES[name]
    message = renderer().render(notice)
    assert message.method == notice.kind.method
    assert (message.calendar is not None) == (notice.kind in {NoticeKind.INVITATION, NoticeKind.CANCELLED})


@pytest.mark.parametrize("name", WITH_CALENDAR)
def test_the_entry_is_free_without_alarm_and_in_utc(name):
    notice = NOTICES[name]
    found = event(renderer().render(notice))
    assert (str(found["UID"]), found["SEQUENCE"]) == (notice.uid, notice.sequence)
    assert (found.decoded("DTSTART"), found.decoded("DTEND")) == (night.START, night.END)
    assert found["DTSTART"].to_ical().endswith(b"Z")
    assert str(found["TRANSP"]) == "TRANSPARENT"
    assert str(found["ATTENDEE"]) == f"mailto:{notice.address}"
    assert dict(found["ATTENDEE"].params)["PARTSTAT"] == "NEEDS-ACTION"
    assert str(found["ORGANIZER"]) == "mailto:it@example.org"
    assert found.subcomponents == []


def test_a_cancellation_takes_back_the_same_entry():
    before, after = (event(renderer().render(NOTICES[name])) for name in ("invitation", "cancelled"))
    assert before["UID"] == after["UID"]
    assert (before["SEQUENCE"], after["SEQUENCE"]) == (0, 1)
    assert (str(before["STATUS"]), str(after["STATUS"])) == ("CONFIRMED", "CANCELLED")
    assert after.decoded("DTSTAMP") > before.decoded("DTSTAMP")


def test_the_stamp_is_that_of_the_plan_not_of_the_sending():
    assert event(renderer().render(NOTICES["invitation"])).decoded("DTSTAMP") == night.MADE


def test_dates_and_threads_never_change_with_a_resend():
    first = renderer().render(NOTICES["invitation"])
    reminder = renderer().render(NOTICES["reminder"])
    cancelled = renderer().render(NOTICES["cancelled"])
    assert parsedate_to_datetime(first.headers["Date"]) == NOTICES["invitation"].due
    assert "References" not in first.headers
    assert reminder.headers["References"] == cancelled.headers["References"] == f"<{first.message_id}>"
    assert first.headers["X-Deskside-Kind"] == "invitation"
    assert first.headers["X-Deskside-Occurrence"] == night.ID


def test_a_notice_planned_late_is_dated_when_it_was_made():
    late = replace(NOTICES["invitation"], due=night.MADE - timedelta(days=2))
    assert parsedate_to_datetime(renderer().render(late).headers["Date"]) == night.MADE


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Berlin", "between 22:00 and 03:00 the next morning (Europe/Berlin, CET)"),
        ("America/New_York", "between 16:00 and 21:00 (America/New_York, EST)"),
        ("Pacific/Auckland", "Thursday 10 December 2026, between 10:00 and 15:00 (Pacific/Auckland, NZDT)"),
        ("Asia/Kathmandu", "between 02:45 and 07:45 (Asia/Kathmandu)"),
        ("No/Such_Zone", "between 21:00 and 02:00 the next morning (UTC)"),
    ],
)
def test_times_are_the_readers_own(zone, words):
    notice = NOTICES["invitation"]
    notice = changed(notice, to=json.loads(notice.facts)["to"] | {"zone": zone})
    assert words in " ".join(renderer().render(notice).text.split())


def test_markup_in_a_name_or_reason_is_text():
    failed = NOTICES["closing-failed"]
    facts = json.loads(failed.facts)
    facts["to"]["name"] = "<img src=x onerror=alert(1)>"
    facts["devices"][0]["reason"] = "<script>alert('x')</script> & \x1b[31mred"
    message = renderer().render(changed(failed, **facts))
    seen = Visible(message.html)
    assert not seen.tags & {"img", "script"}
    assert "<script>alert('x')</script>" in " ".join(seen.words)
    assert "\x1b" not in message.html + message.text


@settings(max_examples=120, deadline=None)
@given(name=NAMES, device=NAMES)
def test_any_name_makes_an_entry_that_can_be_read_back(name, device):
    notice = NOTICES["invitation"]
    facts = json.loads(notice.facts)
    facts["to"]["name"] = name
    facts["devices"][0]["name"] = device
    message = renderer().render(replace(notice, facts=json.dumps(facts)))
    build_mail(message).as_bytes()
    found = event(message)
    assert found.errors == []
    assert str(found["ATTENDEE"]) == "mailto:ada@example.org"
    assert str(found["UID"]) == notice.uid
    assert (found.decoded("DTSTART"), found.decoded("DTEND")) == (night.START, night.END)
    assert all(len(line) <= 75 for line in message.calendar.encode().split(b"\r\n"))


def test_a_quoted_nickname_needs_no_escape_that_old_clients_show():
    """RFC 6868 would write ^' for a double quote; Outlook shows that as it stands."""
    notice = NOTICES["invitation"]
    message = renderer().render(changed(notice, to=json.loads(notice.facts)["to"] | {"name": 'Thomas "Tip" O Neill'}))
    assert "^" not in message.calendar
    assert dict(event(message)["ATTENDEE"].params)["CN"] == "Thomas 'Tip' O Neill"


def test_without_a_contact_the_senders_address_is_named():
    message = JinjaNoticeRenderer(sender="=?utf-8?q?IT_M=C3=BCnchen?= <it@example.org>", domain="example.org").render(
        NOTICES["invitation"]
    )
    assert "Tell IT before Wednesday 9 December, 21:00: it@example.org" in " ".join(message.text.split())
    assert dict(event(message)["ORGANIZER"].params)["CN"] == "IT München"


@pytest.mark.parametrize(
    ("device", "subject"),
    [
        (
            {"outcome": "changed", "updates": 22, "restarted_at": "2026-12-09T21:21:00+00:00", "restarted": True},
            "done, 22 updates, restarted 21:21",
        ),
        ({"outcome": "changed", "updates": 1, "restarted": True}, "done, 1 update, restarted"),
        ({"outcome": "changed"}, "done, brought up to date"),
        ({"outcome": "ok"}, "done, nothing was missing"),
        ({"outcome": "failed"}, "not done, it failed"),
        ({"outcome": "rolled-back"}, "not done, it failed and was put back as it was"),
        ({"outcome": "absent"}, "not done, the computer did not answer"),
        ({"outcome": "not-reached"}, "not done, its turn did not come"),
        ({"outcome": "reboot-pending", "updates": 3}, "a restart is still needed"),
        ({"outcome": "deferred"}, "not done, postponed as asked"),
        ({"outcome": "skipped"}, "not done, left out by IT"),
        ({"outcome": "unknown"}, "not certain that it was done"),
        ({"outcome": "of a later version"}, "not certain that it was done"),
    ],
)
def test_every_outcome_has_its_own_closing_words(device, subject):
    closing = NOTICES["closing-done"]
    base = {"name": "ws-ada", "updates": 0, "restarted": False, "restarted_at": None, "reason": "", "services": []}
    message = renderer().render(changed(closing, devices=[base | device]))
    assert message.subject == f"Maintenance of your computer ws-ada: {subject}"
    assert ("What happens next" in message.text) == (not subject.startswith("done"))


def test_a_closing_notice_says_when_the_next_time_is():
    absent = [
        {
            "name": "ws-ada",
            "outcome": "absent",
            "updates": 0,
            "restarted": False,
            "restarted_at": None,
            "reason": "no answer on port 22.",
            "services": [],
        }
    ]
    text = " ".join(renderer().render(changed(NOTICES["closing-done"], devices=absent)).text.split())
    assert "Not done: the computer did not answer (no answer on port 22)." in text
    assert "It goes first in the next maintenance on Wednesday 13 January, 21:00; please leave it switched on then." in text


def test_several_computers_are_counted_in_the_closing_subject():
    facts = json.loads(NOTICES["closing-done"].facts)
    [done] = facts["devices"]
    failed = done | {"name": "ws-lab", "outcome": "failed"}
    assert renderer().render(changed(NOTICES["closing-done"], devices=[done, failed])).subject == (
        "Maintenance of your computers ws-ada and ws-lab: 1 done, 1 not"
    )
    four = [done | {"name": f"ws-{n}"} for n in range(4)]
    assert renderer().render(changed(NOTICES["closing-done"], devices=four)).subject == "Maintenance of your 4 computers: all done"


@pytest.mark.parametrize(
    ("due", "words"),
    [
        (datetime(2026, 12, 8, 15, 0, tzinfo=UTC), "tomorrow, Wednesday 9 December, 21:00"),
        (datetime(2026, 12, 9, 15, 0, tzinfo=UTC), "today, 21:00"),
        (datetime(2026, 12, 7, 15, 0, tzinfo=UTC), "Wednesday 9 December, 21:00"),
    ],
)
def test_a_reminder_says_how_near_it_is(due, words):
    assert f"ws-ada {words} (" in renderer().render(replace(NOTICES["reminder"], due=due)).subject


def test_an_invitation_that_comes_late_says_at_once():
    late = renderer().render(replace(NOTICES["invitation"], due=night.START + timedelta(minutes=1)))
    assert f"Tell IT at once: {night.CONTACT}" in " ".join(late.text.split())


def test_nobody_is_promised_what_is_not_built():
    """Declining does nothing in this version, and the mail says so."""
    text = " ".join(renderer().render(NOTICES["invitation"]).text.split())
    assert "Declining or moving the calendar entry changes nothing yet" in text
    assert "deskside defer ws-ada" in text


def test_all_rows_of_the_sample_night_can_be_rendered():
    rows = [row for row in night.outbox(PLAN) if row.state is NoticeState.SENT]
    assert len({renderer().render(row.notice).message_id for row in rows}) == len(rows) > 40
    assert of(night.invitations(PLAN), "ada", NoticeKind.INVITATION).facts == NOTICES["invitation"].facts
