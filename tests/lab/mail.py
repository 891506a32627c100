"""The lab's mail server from outside: its authority and passwords, and reading the mailboxes the way their owners do."""

from __future__ import annotations

import email
import email.policy
import imaplib
import secrets
import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from . import certificates, office
from .containers import wait_for_port
from .errors import AskedWrongError
from .state import State

DOMAIN = "example.org"
NUMBER = 3
SENDER = "deskside"
BOXES = ("leads", "it", "postmaster")
"""Mailboxes besides those of the people."""

ALIASES = {f"it-leads@{DOMAIN}": f"leads@{DOMAIN}", f"{SENDER}@{DOMAIN}": f"it@{DOMAIN}"}


def boxes() -> list[str]:
    """The local part of every mailbox."""
    own = [str(person["mail"]).partition("@")[0] for person in office.people().values() if person.get("mail")]
    return [*dict.fromkeys([*own, *BOXES])]


def passwords(state: State) -> dict[str, str]:
    """The password of every mailbox and of the sender's login, made once."""
    path = state.mail / "passwords"
    known = dict(line.split(":", 1) for line in path.read_text().splitlines()) if path.exists() else {}
    wanted = {name: known.get(name) or secrets.token_urlsafe(12) for name in (*boxes(), SENDER)}
    if wanted != known:
        state.mail.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text("".join(f"{name}:{word}\n" for name, word in wanted.items()))
    return wanted


def prepare(state: State, prefix: str, room: Path) -> None:
    """Put certificate, addresses and passwords into what the mail server takes over at its first start.

    Args:
        state: The lab.
        prefix: First three octets of its network.
        room: The device's seed folder.
    """
    etc = room / "root/etc/lab"
    etc.mkdir(parents=True, exist_ok=True)
    if not (state.mail / "mail.crt").exists():
        certificates.make(state.mail, names=(f"mail.{DOMAIN}", "mail"), address=f"{prefix}{NUMBER}")
    shutil.copy(state.mail / "mail.crt", etc / "mail.crt")
    shutil.copy(state.mail / "mail.key", etc / "mail.key")
    known = passwords(state)
    (etc / "mailboxes").write_text("".join(f"{box}@{DOMAIN} {box}\n" for box in boxes()))
    (etc / "aliases").write_text("".join(f"{alias} {target}\n" for alias, target in ALIASES.items()))
    (etc / "passwd").write_text("".join(f"{name}:{word}::::::\n" for name, word in known.items()))
    (state.mail / "password").touch(mode=0o600)
    (state.mail / "password").write_text(known[SENDER] + "\n")


def wait(_state: State, prefix: str) -> None:
    """Wait until the mail server takes mail and shows it.

    Raises:
        LabError: It does not.
    """
    for port in (587, 143):
        wait_for_port("the mail server", f"{prefix}{NUMBER}", port)


def _fetched(connection: imaplib.IMAP4, number: bytes) -> EmailMessage:
    _kind, parts = connection.fetch(number.decode(), "(BODY.PEEK[])")
    raw = next(part[1] for part in parts if isinstance(part, tuple))
    return email.message_from_bytes(raw, policy=email.policy.default)


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """The mailboxes of a lab, read over IMAP with a verified certificate.

    Attributes:
        state: The lab.
        address: The mail server's address.
    """

    state: State
    address: str

    @property
    def ca(self) -> Path:
        """The certificate of the lab's own authority."""
        return self.state.mail / "ca.crt"

    @property
    def login(self) -> str:
        """Whom deskside logs in as to send."""
        return SENDER

    @property
    def password_file(self) -> Path:
        """The password of :attr:`login`, alone in a file."""
        return self.state.mail / "password"

    def messages(self, box: str) -> list[EmailMessage]:
        """Every message of a mailbox (``ada``, ``leads``), in the order of arrival.

        Raises:
            LabError: There is no such mailbox.
        """
        with self._opened(box) as connection:
            _kind, found = connection.search(None, "ALL")
            return [_fetched(connection, number) for number in found[0].split()]

    def all(self) -> dict[str, list[EmailMessage]]:
        """Every message of every mailbox."""
        return {box: self.messages(box) for box in boxes()}

    def clear(self, *names: str) -> None:
        """Empty mailboxes; every one when none is named."""
        for box in names or boxes():
            with self._opened(box) as connection:
                _kind, found = connection.search(None, "ALL")
                if found[0]:
                    connection.store(found[0].replace(b" ", b",").decode(), "+FLAGS", "\\Deleted")
                    connection.expunge()

    @contextmanager
    def _opened(self, box: str) -> Iterator[imaplib.IMAP4]:
        known = passwords(self.state)
        if box not in known:
            raise AskedWrongError(f"the mail server has no mailbox {box!r}; it has {', '.join(known)}")
        with imaplib.IMAP4(self.address, 143, timeout=20) as connection:
            connection.starttls(ssl.create_default_context(cafile=str(self.ca)))
            connection.login(box, known[box])
            connection.select("INBOX")
            yield connection
