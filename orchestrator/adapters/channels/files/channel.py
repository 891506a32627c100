"""A maildir per recipient below one directory. Any mail program can read it (``mutt -f DIR/ada@example.org``)."""

from __future__ import annotations

import mailbox
from pathlib import Path
from urllib.parse import quote

from orchestrator.adapters.channels.mime import build_mail
from orchestrator.application.ports import Delivery, Message, Rejected, Retryable, Sent


class FilesChannel:
    """Writes each message as one file; two deliveries are two files, as two mails would be.

    Args:
        name: The channel's name.
        directory: Made when the first message comes.
    """

    def __init__(self, name: str, directory: str | Path) -> None:
        self.name = name
        self.directory = Path(directory)

    def send(self, message: Message) -> Delivery:
        """Put the message into the recipient's maildir (written to ``tmp``, then linked into ``new``)."""
        try:
            content = build_mail(message).as_bytes()
        except ValueError as error:
            return Rejected(reason=str(error))
        folder = self.directory / quote(message.recipient.lower(), safe="@+")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            box = mailbox.Maildir(folder, create=True)
            key = box.add(content)
        except OSError as error:
            return Retryable(reason=f"{self.directory}: {error.strerror or error}")
        return Sent(detail=f"{folder.name}/new/{key}")
