"""A notice becomes a message: words from ``letter``, layout from templates, the calendar entry beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from orchestrator.adapters.render.calendar import build_calendar
from orchestrator.adapters.render.letter import Letter, write
from orchestrator.adapters.render.report import JinjaReportRenderer
from orchestrator.adapters.render.templates import environment
from orchestrator.application.ports import Message
from orchestrator.domain.notice import Notice, NoticeKind, named_address, one_line, printable

FOLLOWS = frozenset({NoticeKind.REMINDER, NoticeKind.STARTED, NoticeKind.CLOSING, NoticeKind.CANCELLED})
"""Kinds that belong to an invitation: mail programs show them in one thread."""


class JinjaNoticeRenderer:
    """The port ``NoticeRenderer``. Equal notices give equal messages.

    Args:
        sender: ``IT maintenance <it@example.org>``: organizer of the calendar entries, where answers go.
        domain: Right side of Message-IDs.
        contact: Whom to call, as people read it; empty = the sender's address.
        report: Renders the report's pages for report mails.
    """

    def __init__(self, *, sender: str, domain: str, contact: str = "", report: JinjaReportRenderer | None = None) -> None:
        self._sender = sender
        self._domain = domain
        self._contact = contact or named_address(sender)[1]
        self._report = report or JinjaReportRenderer()

    def render(self, notice: Notice) -> Message:
        """Put one notice into words, in its reader's zone."""
        facts: dict[str, Any] = json.loads(notice.facts)
        if notice.kind is NoticeKind.REPORT:
            return self._report_mail(notice, facts)
        letter = _clean(write(notice, facts, contact=self._contact))
        text = layout(letter, "letter.txt.j2")
        return Message(
            message_id=notice.message_id(self._domain),
            sender=self._sender,
            recipient=notice.address,
            recipient_name=one_line(facts["to"]["name"]),
            subject=letter.subject,
            text=text,
            html=layout(letter, "letter.html.j2"),
            calendar=build_calendar(notice, facts, sender=self._sender, summary=letter.event, description=text),
            method=notice.kind.method,
            headers=self._headers(notice, facts),
        )

    def _report_mail(self, notice: Notice, facts: Mapping[str, Any]) -> Message:
        document = facts["document"]
        page = self._report.mail(document)
        return Message(
            message_id=notice.message_id(self._domain),
            sender=self._sender,
            recipient=notice.address,
            subject=page.subject,
            text=page.text,
            html=page.html,
            headers=self._headers(notice, {"stamp": document["made_at"]}),
            attachments=page.attachments,
        )

    def _headers(self, notice: Notice, facts: Mapping[str, Any]) -> dict[str, str]:
        """``Date`` is the instant the notice was due, or was made when that came later: it never changes with a resend."""
        made = datetime.fromisoformat(facts["stamp"]) if "stamp" in facts else notice.due
        headers = {
            "Date": format_datetime(max(made, notice.due)),
            "X-Deskside-Kind": notice.kind.value,
            "X-Deskside-Occurrence": notice.occurrence,
        }
        if notice.kind in FOLLOWS:
            before = notice.sequence - (notice.kind is NoticeKind.CANCELLED)
            first = replace(notice, kind=NoticeKind.INVITATION, key="", sequence=before)
            headers["References"] = f"<{first.message_id(self._domain)}>"
        return headers


def layout(letter: Letter, template: str) -> str:
    """Arrange a letter; ``.html.j2`` escapes every value."""
    return environment().get_template(template).render(letter=letter)


def _clean(letter: Letter) -> Letter:
    """No control character of a name or of a device's output reaches a mail."""
    return replace(
        letter,
        subject=one_line(letter.subject),
        title=one_line(letter.title),
        greeting=one_line(letter.greeting),
        opening=one_line(letter.opening),
        footer=one_line(letter.footer),
        rows=tuple((one_line(name), printable(value)) for name, value in letter.rows),
        sections=tuple(replace(section, points=tuple(printable(point) for point in section.points)) for section in letter.sections),
    )
