"""`deskside notices preview` without an office: what is foreseen, and what the outbox knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.adapters.render import JinjaNoticeRenderer
from orchestrator.application.errors import NotFoundError
from orchestrator.application.notice_facts import send_times
from orchestrator.application.office import OfficeFacts
from orchestrator.application.preview_notices import foreseen, preview
from orchestrator.domain.notice import NoticeKind
from orchestrator.domain.window import PeopleRule, Window
from tests.unit.report import night

PLAN = night.plan()
WINDOW = Window(
    name="patch-night",
    title="Patch night",
    devices="all",
    starts=(),
    zone="Europe/Berlin",
    lasts=night.END - night.START,
    people=PeopleRule(before_leaving=True),
)
RENDERER = JinjaNoticeRenderer(sender=night.SENDER, domain=night.DOMAIN)
OFFICE = OfficeFacts(windows={"patch-night": WINDOW}, people=night.PEOPLE, domain=night.DOMAIN, channel="mail")


def test_what_is_foreseen_is_what_would_be_stored():
    found = foreseen(PLAN, WINDOW, OFFICE, now=night.MADE)
    kinds = {(notice.person, notice.kind) for notice in found}
    assert kinds == {(told.person, kind) for told in PLAN.told for kind in (NoticeKind.INVITATION, NoticeKind.REMINDER)}
    assert {notice.uid for notice in found} == {notice.uid for notice in night.invitations(PLAN)}


def test_planned_after_the_opening_the_invitation_is_due_at_once_and_reminders_are_none():
    times = send_times(PLAN, WINDOW.people, night.PEOPLE, now=night.at(5))
    assert {(when.invite, when.reminders) for when in times.values()} == {(night.at(5), ())}
    silent = send_times(PLAN, PeopleRule(invite=None), {}, now=night.MADE)
    assert {when.invite for when in silent.values()} == {None}


def test_one_person_only_by_slug_or_address():
    notices = foreseen(PLAN, WINDOW, OFFICE, now=night.MADE)
    for wanted in ("jose", "jose@example.org"):
        found = preview(notices, RENDERER, person=wanted)
        assert {one.message.recipient for one in found} == {"jose@example.org"}
        assert [one.notice.kind for one in found] == [NoticeKind.INVITATION, NoticeKind.REMINDER]
        assert {one.state for one in found} == {""}


def test_a_wrong_name_gets_a_suggestion():
    with pytest.raises(NotFoundError, match=r'"adda" gets no notice here\. Did you mean "ada"'):
        preview(foreseen(PLAN, WINDOW, OFFICE, now=night.MADE), RENDERER, person="adda")


def test_rows_of_the_outbox_show_their_state():
    states = {one.state for one in preview(night.outbox(PLAN), RENDERER)}
    assert states == {"sent", "ambiguous", "rejected"}


def test_an_office_without_a_channel_can_still_look():
    found = foreseen(PLAN, WINDOW, replace(OFFICE, channel="", domain=""), now=night.MADE)
    assert {notice.channel for notice in found} == {"preview"}
    assert found[0].uid.endswith("@deskside.localhost")
