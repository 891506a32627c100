"""Messages and pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.domain.notice import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The channel took it."""

    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retryable:
    """Try again later: the channel is down or busy."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Never try again: this address or message is refused."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """Handed over completely, but the answer never came: it may or may not have been taken (policy per kind decides)."""

    reason: str


type Delivery = Sent | Retryable | Rejected | Doubtful


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A rendered notice. ``calendar`` is the iCalendar text with ``method``; ``attachments`` are (name, type, bytes).

    ``recipient`` is one bare address, ``recipient_name`` what stands beside it; ``sender`` may carry a display name.
    """

    message_id: str
    sender: str
    recipient: str
    subject: str
    text: str
    html: str
    recipient_name: str = ""
    calendar: str | None = None
    method: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[tuple[str, str, bytes], ...] = ()


class Channel(Protocol):
    """Hands over one message. Never retries: policy lives in the use case."""

    name: str

    def send(self, message: Message) -> Delivery: ...


class NoticeRenderer(Protocol):
    """Turns a notice into a message in the person's zone."""

    def render(self, notice: Notice) -> Message: ...


class ReportRenderer(Protocol):
    """One report document, several shapes."""

    def html(self, document: Mapping[str, Any]) -> str: ...
    def pdf(self, document: Mapping[str, Any]) -> bytes: ...
    def csv(self, document: Mapping[str, Any]) -> str: ...
