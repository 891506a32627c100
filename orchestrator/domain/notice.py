"""Messages to people: kinds, what a crash in the middle means for each, and identities that never change."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import parseaddr
from enum import StrEnum

_BREAKS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|[\ud800-\udfff]")


class NoticeKind(StrEnum):
    """What a message is about."""

    INVITATION = "invitation"
    REMINDER = "reminder"
    STARTED = "started"
    CLOSING = "closing"
    CANCELLED = "cancelled"
    REPORT = "report"
    READINESS = "readiness"

    @property
    def resend_after_crash(self) -> bool:
        """At least once with the same Message-ID (invitation, cancel, closing, report) or at most once (contract 7)."""
        return self not in {NoticeKind.REMINDER, NoticeKind.STARTED, NoticeKind.READINESS}

    @property
    def method(self) -> str | None:
        """The iTIP method of its calendar part (RFC 5546), ``None`` when it carries none."""
        return {NoticeKind.INVITATION: "REQUEST", NoticeKind.CANCELLED: "CANCEL"}.get(self)


class NoticeState(StrEnum):
    """Outbox row: ``sending`` rows of a dead sender are the truly ambiguous set."""

    NEW = "new"
    SENDING = "sending"
    SENT = "sent"
    AMBIGUOUS = "ambiguous"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to one recipient about one occurrence; everything needed to render it is in ``facts`` (frozen with the plan).

    Attributes:
        key: Tells reminders apart (``1d``, ``before_leaving``); empty for kinds that exist once.
        person: Slug, or the plain address for report recipients.
        due: Not before this instant.
        expires: Not after this instant: a reminder of something that is over is dropped.
        uid, sequence: Calendar identity (RFC 5546 2.1.4); deterministic.
        facts: JSON text with what the templates need.
    """

    occurrence: str
    kind: NoticeKind
    person: str
    address: str
    channel: str
    due: datetime
    expires: datetime | None = None
    key: str = ""
    uid: str = ""
    sequence: int = 0
    facts: str = "{}"

    @property
    def id(self) -> str:
        """Deterministic id: the same notice planned twice is the same row and the same Message-ID."""
        text = "\n".join((self.occurrence, self.kind, self.key, self.person, self.channel, str(self.sequence)))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def message_id(self, domain: str) -> str:
        """RFC 5322 Message-ID, without angle brackets. ``domain`` is that of the sender address."""
        return f"{self.id}@deskside.{domain}"


def calendar_uid(occurrence: str, person: str, domain: str) -> str:
    """Deterministic, globally unique UID of the one event a person gets for one occurrence (RFC 5545 3.8.4.7)."""
    return f"{hashlib.sha256(f'{occurrence}/{person}'.encode()).hexdigest()[:32]}@deskside.{domain}"


def one_line(text: str) -> str:
    """Text fit for a header: no control character survives, so nobody's name or reason can start a header of its own."""
    return " ".join(printable(_BREAKS.sub(" ", text)).split())


def printable(text: str) -> str:
    """Text of several lines without what no mail may carry: other control characters and lone surrogates become U+FFFD, CR a line end."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))


def named_address(text: str) -> tuple[str, str]:
    """``Name <address>``, ``address`` or either with an encoded name (RFC 2047) → readable name, which may be empty, and address."""
    name, address = parseaddr(one_line(text))
    try:
        return one_line(str(make_header(decode_header(name)))), address
    except (HeaderParseError, LookupError, ValueError):  # not what it says it is: then it is shown as it stands
        return name, address
