"""Permission with a reason. Doubt means no (window contract 13), and no answer is a bare boolean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Allow:
    """The thing may happen now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """The thing may not happen now.

    Attributes:
        rule: Short stable key of the rule that refused, for example ``window-closed`` or ``one-at-a-time``.
        reason: One sentence a technician reads in CLI, page and mail.
        until: When it may be asked again (aware), ``None`` when no instant is known.
    """

    rule: str
    reason: str
    until: datetime | None = None


type Verdict = Allow | Deny
