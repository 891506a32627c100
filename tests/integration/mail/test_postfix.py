"""A patch night's mail through a real mail server into real mailboxes: Postfix, Dovecot, STARTTLS, login."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import pytest

from orchestrator.adapters.channels import ChannelSettings, build_channel
from orchestrator.adapters.render import JinjaNoticeRenderer
from orchestrator.application.notice_facts import SendTimes, cancel_notices, closing_notices, notices_for_plan
from orchestrator.application.ports import Channel, Rejected, Retryable, Sent
from orchestrator.domain.notice import NoticeKind
from tests.integration.mail import readers
from tests.unit.report import night

pytestmark = pytest.mark.lab

SENDER = "IT München <deskside@example.org>"
PEOPLE = ("ada", "grace")


def channel(lab, **more) -> Channel:
    base = {
        "name": "mail",
        "kind": "smtp",
        "target": f"smtp+starttls://{lab.mail.address}",
        "sender": SENDER,
        "user": lab.mail.login,
        "password": lab.mail.password_file.read_text().strip(),
        "ca_file": lab.mail.ca,
        "timeout": 15.0,
    }
    return build_channel(ChannelSettings(**base | more))


def plan():
    whole = night.plan()
    return replace(whole, told=tuple(told for told in whole.told if told.person in PEOPLE))


def invitations():
    times = {person: SendTimes(invite=night.MADE) for person in PEOPLE}
    return notices_for_plan(plan(), night.PEOPLE, times, domain="example.org", channel="mail")


def render(notice):
    return JinjaNoticeRenderer(sender=SENDER, domain="example.org").render(notice)


def arrived(lab, box: str, count: int):
    """The messages of a mailbox, once so many are there (Postfix delivers a moment after it has said yes)."""
    deadline = time.monotonic() + 20
    while len(found := lab.mail.messages(box)) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def test_each_person_gets_one_invitation_and_one_closing_that_two_readers_understand(office):
    sender = channel(office)
    closing = closing_notices(plan(), night.runs(), night.PEOPLE, domain="example.org", channel="mail", at=night.at(131))
    for notice in (*invitations(), *closing):
        assert isinstance(sender.send(render(notice)), Sent)
    calendars = []
    for person in PEOPLE:
        mails = arrived(office, person, 2)
        assert Counter(mail["X-Deskside-Kind"] for mail in mails) == {"invitation": 1, "closing": 1}
        [invitation] = [mail for mail in mails if mail["X-Deskside-Kind"] == "invitation"]
        assert str(invitation["From"]) == SENDER
        assert invitation["Auto-Submitted"] == "auto-generated"
        assert [address.addr_spec for address in invitation["To"].addresses] == [f"{person}@example.org"]
        [part] = [part for part in invitation.walk() if part.get_content_type() == "text/calendar"]
        assert part["Content-Type"].params["method"] == "REQUEST"
        calendars.append(part.get_payload(decode=True))
    read = readers.agree(calendars)
    assert [found["attendee"] for found in read] == [f"mailto:{person}@example.org" for person in PEOPLE]
    assert [found["uid"] for found in read] == [notice.uid for notice in invitations()]
    others = {box: len(mails) for box, mails in office.mail.all().items() if box not in PEOPLE and mails}
    assert others == {}


def test_a_cancellation_arrives_with_the_same_uid_and_a_higher_sequence(office):
    sender = channel(office)
    first = invitations()[0]
    [cancelled] = cancel_notices([first], reason="postponed", at=night.MADE)
    for notice in (first, cancelled):
        assert isinstance(sender.send(render(notice)), Sent)
    mails = arrived(office, "ada", 2)
    parts = [part.get_payload(decode=True) for mail in mails for part in mail.walk() if part.get_content_type() == "text/calendar"]
    read = sorted(readers.agree(parts), key=lambda found: found["sequence"])
    assert [(found["method"], found["sequence"], found["status"]) for found in read] == [
        ("REQUEST", 0, "CONFIRMED"),
        ("CANCEL", 1, "CANCELLED"),
    ]
    assert read[0]["uid"] == read[1]["uid"]
    [thread] = [mail["References"] for mail in mails if mail["X-Deskside-Kind"] == NoticeKind.CANCELLED]
    assert thread in {mail["Message-ID"] for mail in mails}


def test_sent_again_it_is_the_same_message(office):
    sender = channel(office)
    for _ in range(2):
        assert isinstance(sender.send(render(invitations()[0])), Sent)
    mails = arrived(office, "ada", 2)
    assert len({mail["Message-ID"] for mail in mails}) == 1
    own = [{name: mail[name] for name in ("From", "To", "Subject", "Date", "Message-ID")} for mail in mails]
    assert own[0] == own[1]
    assert mails[0].get_payload()[2].as_bytes() == mails[1].get_payload()[2].as_bytes()


def test_an_unknown_mailbox_is_rejected_for_good(office):
    notice = replace(invitations()[0], address="nobody@example.org")
    delivery = channel(office).send(render(notice))
    assert isinstance(delivery, Rejected)
    assert "refused nobody@example.org: 550" in delivery.reason


def test_a_wrong_password_keeps_the_notice(office):
    delivery = channel(office, password="wrong").send(render(invitations()[0]))
    assert isinstance(delivery, Retryable)
    assert 'refused the login of "deskside": 535' in delivery.reason


def test_another_authority_is_not_trusted(office, tmp_path):
    from deskside_lab import certificates

    certificates.make(tmp_path, names=("mail.example.org",), address="127.0.0.1")
    delivery = channel(office, ca_file=tmp_path / "ca.crt").send(render(invitations()[0]))
    assert isinstance(delivery, Retryable)
    assert "certificate is not accepted" in delivery.reason
    assert office.mail.messages("ada") == []


def test_check_says_that_mail_can_go_out(office):
    assert channel(office).check() == ""
