"""What a channel needs to be told, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """One entry of ``channels:``.

    Attributes:
        name: Its name in the office; stands in every notice.
        kind: A key of :data:`orchestrator.adapters.channels.CHANNELS`.
        target: ``smtp``: a URL (``smtps://``, ``smtp+starttls://``, ``smtp://``); ``files``: a directory.
        sender: ``IT maintenance <it@example.org>``: where mail comes from and where answers go.
        user: Login name; ``None`` with a password = the sender's address.
        password: Never shown, not in ``repr`` either.
        ca_file: PEM file with the certificate authority that signed the server; ``None`` = the system's.
        timeout: Seconds for each step of the conversation.
    """

    name: str
    kind: str
    target: str
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout: float = 30.0
