"""Who gets which notice, when, with which identity."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.application.notice_facts import (
    SendTimes,
    cancel_notices,
    canonical,
    closing_notices,
    notices_for_plan,
    report_notices,
    sequences_after,
    started_notices,
)
from orchestrator.domain.notice import NoticeKind, calendar_uid, named_address, one_line, printable
from orchestrator.domain.window import RebootPolicy, Work
from tests.unit.report import night

PLAN = night.plan()


def test_one_invitation_per_person_with_the_whole_window():
    invitations = [notice for notice in night.invitations(PLAN) if notice.kind is NoticeKind.INVITATION]
    assert sorted(notice.person for notice in invitations) == sorted(told.person for told in PLAN.told)
    facts = json.loads(invitations[0].facts)
    assert (facts["starts"], facts["ends"]) == ("2026-12-09T21:00:00+00:00", "2026-12-10T02:00:00+00:00")
    assert invitations[0].uid == calendar_uid(night.ID, "ada", "example.org")
    assert invitations[0].expires == night.END


def test_planned_again_it_is_the_same_row():
    first, second = night.invitations(PLAN), night.invitations(replace(PLAN, made_at=night.MADE + timedelta(hours=1)))
    assert [notice.id for notice in first] == [notice.id for notice in second]
    assert len({notice.id for notice in first}) == len(first)


def test_all_computers_of_a_person_are_in_one_text():
    told = replace(PLAN.told[0], devices=("ws-ada", "dc-1", "ws-nowhere"))
    [notice, _] = notices_for_plan(
        replace(PLAN, told=(told,)), night.PEOPLE, night.times(PLAN), domain="example.org", channel="mail"
    )
    rows = json.loads(notice.facts)["devices"]
    assert [(row["name"], row["expected"][11:16], row["minutes"]) for row in rows] == [
        ("ws-ada", "21:00", 10),
        ("dc-1", "22:13", 15),
        ("ws-nowhere", "21:00", 5),
    ]


def test_reminders_die_with_the_start():
    reminder = next(notice for notice in night.invitations(PLAN) if notice.kind is NoticeKind.REMINDER)
    assert (reminder.key, reminder.expires) == ("before_leaving", night.START)


def test_people_without_times_or_address_get_nothing():
    plan = replace(PLAN, told=(PLAN.told[0], replace(PLAN.told[1], address="")))
    times = {"ada": SendTimes(invite=None), "linus": SendTimes(invite=night.MADE)}
    assert notices_for_plan(plan, night.PEOPLE, times, domain="example.org", channel="mail") == ()
    assert [n.person for n in closing_notices(plan, night.runs(), {}, domain="example.org", channel="mail", at=night.at(1))] == [
        "ada"
    ]
    assert started_notices(plan, {}, {"ws-linus"}, domain="example.org", channel="mail", at=night.at(1)) == ()


def test_somebody_who_left_people_yml_is_written_to_as_the_plan_froze_it():
    [notice] = notices_for_plan(
        replace(PLAN, told=PLAN.told[:1]), {}, {"ada": SendTimes(invite=night.MADE)}, domain="example.org", channel="mail"
    )
    assert json.loads(notice.facts)["to"] == {"person": "ada", "name": "Ada Lovelace", "zone": "Europe/London", "language": "en"}


@pytest.mark.parametrize(
    ("work", "words", "restart"),
    [
        (
            [Work(playbook="apply_os_updates", vars={"os_update_classes": ["security"]})],
            ["security updates are installed"],
            "if_needed",
        ),
        ([Work(playbook="apply_os_updates", reboot=RebootPolicy.NEVER)], ["updates are installed"], "never"),
        (
            [
                Work(playbook="update_drivers", reboot=RebootPolicy.NEVER),
                Work(playbook="apply_os_updates", reboot=RebootPolicy.ALWAYS),
            ],
            ["“update drivers” is carried out", "updates are installed"],
            "always",
        ),
    ],
)
def test_the_work_is_told_in_plain_words(work, words, restart):
    facts = json.loads(night.invitations(replace(PLAN, work=tuple(work)))[0].facts)
    assert (facts["work"], facts["restart"]) == (words, restart)


def test_a_closing_notice_says_what_was_done():
    facts = {notice.person: json.loads(notice.facts)["devices"][0] for notice in night.closings(PLAN)}
    assert (facts["ada"]["updates"], facts["ada"]["restarted_at"]) == (10, "2026-12-09T21:05:06+00:00")
    assert (facts["linus"]["updates"], facts["linus"]["restarted"], facts["linus"]["restarted_at"]) == (8, False, None)
    assert facts["edsger"]["outcome"] == "failed"
    assert "post-installation" in facts["edsger"]["reason"]


def test_a_device_without_a_run_was_not_reached():
    [notice] = closing_notices(replace(PLAN, told=PLAN.told[:1]), [], {}, domain="example.org", channel="mail", at=night.at(1))
    facts = json.loads(notice.facts)
    assert facts["devices"][0]["outcome"] == "not-reached"
    assert facts["next_opening"] is None


def test_a_cancellation_is_the_same_entry_one_step_on():
    first = night.invitations(PLAN)
    cancelled = cancel_notices(first, reason="postponed", at=night.at(-60))
    assert {notice.kind for notice in cancelled} == {NoticeKind.CANCELLED}
    assert len(cancelled) == len(PLAN.told)
    assert (cancelled[0].uid, cancelled[0].sequence) == (first[0].uid, 1)
    assert json.loads(cancelled[0].facts)["reason"] == "postponed"
    assert [notice.person for notice in cancel_notices(first, reason="x", at=night.at(0), only={"jose"})] == ["jose"]


def test_an_invitation_after_a_cancellation_is_newer_than_it():
    cancelled = cancel_notices(night.invitations(PLAN), reason="postponed", at=night.at(-60), only={"ada"})
    sequences = sequences_after([*night.invitations(PLAN), *cancelled])
    assert sequences == {"ada": 2}
    again = notices_for_plan(PLAN, night.PEOPLE, night.times(PLAN), domain="example.org", channel="mail", sequences=sequences)
    assert again[0].sequence == 2
    assert again[0].id != night.invitations(PLAN)[0].id


def test_a_report_goes_to_each_address_once():
    document = {"occurrence": {"id": night.ID, "zone": "Europe/Berlin"}, "headline": "x"}
    found = report_notices(document, ["a@example.org", "b@example.org", "a@example.org"], channel="mail", due=night.at(600))
    assert [notice.address for notice in found] == ["a@example.org", "b@example.org"]
    assert json.loads(found[0].facts)["document"] == document


def test_equal_facts_are_equal_text():
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\r\nBcc: x", "a Bcc: x"),
        ("a\u2028b\x85c", "a b c"),
        ("a\x00b", "a b"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        ("  a  b ", "a b"),
    ],
)
def test_header_text_is_one_line(text, clean):
    assert one_line(text) == clean


def test_body_text_keeps_its_lines():
    assert printable("a\r\nb\rc\td\x1b[31m") == "a\nb\nc\td\N{REPLACEMENT CHARACTER}[31m"


def test_a_name_that_lies_about_its_encoding_stays_as_it_is():
    assert named_address("=?no-such?q?x?= <a@b>") == ("=?no-such?q?x?=", "a@b")
