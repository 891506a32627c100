"""A mail as mail programs read it."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.adapters.channels.mime import build_mail, mailbox
from tests.unit.channels.conftest import CALENDAR

ANYTHING = st.text(st.characters(), max_size=60)


def read(message):
    return email.message_from_bytes(build_mail(message).as_bytes(), policy=email.policy.default)


def test_parts_stand_in_the_order_mail_programs_expect(message):
    mail = read(replace(message, attachments=(("report.pdf", "application/pdf", b"%PDF"), ("report.csv", "text/csv", b"a;b\r\n"))))
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/pdf",
        "text/csv",
    ]
    assert [part.get_filename() for part in mail.iter_attachments()] == ["report.pdf", "report.csv"]
    assert [part.get_content() for part in mail.iter_attachments()] == [b"%PDF", "a;b\r\n"]


def test_the_calendar_part_names_its_method_as_rfc_6047_wants_it(message):
    [part] = [part for part in read(message).walk() if part.get_content_type() == "text/calendar"]
    assert dict(part["Content-Type"].params) == {"method": "REQUEST", "charset": "UTF-8", "component": "VEVENT"}
    assert part["Content-Disposition"] is None
    assert part.get_payload(decode=True).decode() == CALENDAR


def test_without_a_calendar_there_is_no_calendar_part(message):
    kinds = [part.get_content_type() for part in read(replace(message, calendar=None, method=None)).walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]


def test_automatic_mail_says_so_and_bounces_still_come_back(message):
    mail = read(message)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "OOF, AutoReply, DR, RN, NRN"
    assert "NDR" not in mail["X-Auto-Response-Suppress"]
    assert mail["Precedence"] is None
    assert mail["List-Unsubscribe"] is None
    assert mail["Date"] == "Fri, 04 Dec 2026 10:00:00 +0000"


def test_one_recipient_and_no_copies(message):
    mail = read(message)
    assert [str(address) for address in mail["To"].addresses] == ["José Álvarez <ada@example.org>"]
    assert (mail["Cc"], mail["Bcc"]) == (None, None)


def test_lines_are_short_and_ascii(message):
    raw = build_mail(replace(message, text="ü" * 3000, html="<p>" + "x" * 3000)).as_bytes()
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_the_same_message_gives_the_same_bytes(message):
    assert build_mail(message).as_bytes() == build_mail(message).as_bytes()
    assert build_mail(message).as_bytes() != build_mail(replace(message, message_id="other@deskside.example.org")).as_bytes()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=ANYTHING, subject=ANYTHING, text=ANYTHING)
def test_any_name_and_subject_make_one_readable_mail(message, name, subject, text):
    mail = read(replace(message, recipient_name=name, subject=subject, text=text, calendar=None))
    assert mail["To"].addresses[0].addr_spec == "ada@example.org"
    assert len(mail.get_all("Subject")) == 1
    assert mail["Message-ID"] == "<0123abcd@deskside.example.org>"
    assert mail.get_body(("html",)).get_content().strip() == message.html.strip()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("it@example.org", "it@example.org"),
        ("IT maintenance <it@example.org>", "IT maintenance <it@example.org>"),
        ("=?utf-8?b?SVQgTcO8bmNoZW4=?= <it@example.org>", "IT München <it@example.org>"),
        ('"Lovelace, Ada" <ada@example.org>', '"Lovelace, Ada" <ada@example.org>'),
        ("=?no-such-charset?q?x?= <it@example.org>", "=?no-such-charset?q?x?= <it@example.org>"),
    ],
)
def test_senders_are_read_with_and_without_a_name(text, shown):
    assert str(mailbox(text)) in {shown, f'"{shown.split(" <")[0]}" <it@example.org>'}


@pytest.mark.parametrize("text", ["", "ada", "@example.org", "ada@", "Ada <>"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="is not a mail address"):
        mailbox(text)
