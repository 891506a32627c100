"""The calendar entries as other people's programs read them."""

from __future__ import annotations

import email
import email.policy
import json
from dataclasses import replace

import pytest

from orchestrator.adapters.channels.mime import build_mail
from orchestrator.domain.notice import NoticeKind
from tests.integration.mail import readers
from tests.unit.render.samples import kinds, renderer
from tests.unit.report import night

PLAN = night.plan()
NAMES = (
    "José Álvarez",
    'O\'Neill, "Tip"; Thomas: ^caret\\',
    "大きな名前" * 12,
    "name\r\nATTENDEE:mailto:eve@example.org",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 família",
    "מרים",
    "a" * 300,
    "",
)


def sent(notice) -> bytes:
    """The calendar part of the mail, as it goes over the wire."""
    mail = email.message_from_bytes(build_mail(renderer().render(notice)).as_bytes(), policy=email.policy.default)
    [part] = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def test_both_readers_agree_on_every_invitation_and_cancellation():
    notices = [notice for notice in (*night.invitations(PLAN), *kinds(PLAN).values()) if notice.kind.method]
    read = readers.agree([sent(notice) for notice in notices])
    for notice, found in zip(notices, read, strict=True):
        assert (found["uid"], found["sequence"]) == (notice.uid, notice.sequence)
        assert found["method"] == notice.kind.method
        assert (found["dtstart"], found["dtend"]) == ("2026-12-09T21:00:00.000Z", "2026-12-10T02:00:00.000Z")
        assert found["attendee"] == f"mailto:{notice.address}"
        assert found["organizer"] == "mailto:it@example.org"
        assert (found["transp"], found["alarms"]) == ("TRANSPARENT", 0)
        assert found["status"] == ("CANCELLED" if notice.kind is NoticeKind.CANCELLED else "CONFIRMED")


@pytest.mark.parametrize("part", ["name", "device"])
def test_odd_names_are_read_alike_and_bring_no_second_guest(part):
    base = kinds(PLAN)["invitation"]
    notices = []
    for name in NAMES:
        facts = json.loads(base.facts)
        if part == "name":
            facts["to"]["name"] = name
        else:
            facts["devices"][0]["name"] = name
        notices.append(replace(base, facts=json.dumps(facts)))
    read = readers.agree([sent(notice) for notice in notices])
    assert {found["attendee"] for found in read} == {"mailto:ada@example.org"}
    if part == "name":
        assert read[0]["name"] == "José Álvarez"
        assert read[2]["name"] == NAMES[2]


def test_a_broken_entry_is_noticed():
    """The judge itself can say no."""
    good = sent(kinds(PLAN)["invitation"])
    with pytest.raises(AssertionError):
        readers.agree([good.replace(b":VEVENT", b":VTODO")])
    with pytest.raises((AssertionError, ValueError, KeyError)):
        readers.agree([good.replace(b"DTSTART:20261209T210000Z", b"DTSTART:yesterday")])
