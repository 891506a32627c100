"""A message as RFC 5322 bytes. The same message gives the same bytes: a resend after a crash is the same mail.

Headers follow RFC 3834 (``Auto-Submitted``), MS-OXCMAIL (``X-Auto-Response-Suppress``; without ``NDR`` or ``All``, because we
want to hear of bounces) and RFC 6047 for the calendar part. There is no ``List-Unsubscribe``: a notice that one's own computer
will be restarted is not a newsletter, and the footer says so.
"""

from __future__ import annotations

import hashlib
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy

from orchestrator.application.ports import Message
from orchestrator.domain.notice import named_address, one_line, printable

AUTOMATIC = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "OOF, AutoReply, DR, RN, NRN"}
POLICY = EmailPolicy(linesep=SMTP.linesep, max_line_length=76)


def build_mail(message: Message) -> EmailMessage:
    """Build the mail: text, HTML and calendar as alternatives of one another, attachments after them.

    Args:
        message: What to send. ``Date`` is taken from its headers; without one the channel adds nothing.

    Returns:
        The mail with deterministic boundaries.

    Raises:
        ValueError: Sender or recipient is not a mail address.
    """
    mail = EmailMessage(policy=POLICY)
    mail["From"] = mailbox(message.sender)
    mail["To"] = mailbox(message.recipient, name=message.recipient_name)
    mail["Subject"] = one_line(message.subject)
    mail["Message-ID"] = f"<{message.message_id}>"
    for name, value in {**AUTOMATIC, **message.headers}.items():
        mail[name] = one_line(value)
    mail.set_content(printable(message.text), subtype="plain", charset="utf-8", cte="quoted-printable")
    mail.add_alternative(printable(message.html), subtype="html", charset="utf-8", cte="quoted-printable")
    if message.calendar is not None:
        mail.attach(_calendar_part(message.calendar, message.method or "PUBLISH"))
    for name, kind, content in message.attachments:
        main, _, sub = kind.partition("/")
        mail.add_attachment(content, maintype=main, subtype=sub, filename=one_line(name))
    _fix_boundaries(mail, message.message_id)
    return mail


def mailbox(text: str, *, name: str = "") -> Address:
    """``Name <address>`` or a bare address as a header value.

    Raises:
        ValueError: There is no address in it.
    """
    shown, address = named_address(text)
    local, at, domain = address.rpartition("@")
    if not (at and local and domain) or " " in domain:
        raise ValueError(f'"{one_line(text)}" is not a mail address')
    return Address(display_name=one_line(name) or shown, username=local, domain=domain)


def _calendar_part(calendar: str, method: str) -> EmailMessage:
    """RFC 6047 2.4: the method stands in the type too, else clients show a file instead of an invitation."""
    part = EmailMessage(policy=POLICY)
    part.set_content(calendar.encode(), maintype="text", subtype="calendar", cte="base64")
    part.replace_header("Content-Type", f"text/calendar; method={method}; charset=UTF-8; component=VEVENT")
    del part["Content-Disposition"]
    del part["MIME-Version"]  # belongs to the whole mail
    return part


def _fix_boundaries(mail: EmailMessage, message_id: str) -> None:
    for number, part in enumerate(mail.walk()):
        if part.is_multipart():
            part.set_boundary(f"deskside-{hashlib.sha256(f'{message_id}/{number}'.encode()).hexdigest()[:24]}")
