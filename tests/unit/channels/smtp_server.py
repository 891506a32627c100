"""A mail server on 127.0.0.1 that speaks real SMTP over real TLS and fails on request. Not a test, not for use."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

USER, PASSWORD = "it@example.org", "correct horse"
HANG_UP = "hang up"


@dataclass
class MailServer:
    """What it was told to do, and what came in.

    Attributes:
        tls: ``smtps``, ``starttls`` or ``none``.
        replies: Command (``BANNER``, ``EHLO``, ``AUTH``, ``MAIL``, ``RCPT``, ``DATA``, ``DOT``) → reply line, or ``HANG_UP``.
        extensions: Besides those that its settings imply.
        mails: (sender, recipient, bytes) of every mail it took.
        lines: Every command line it read, so that a test can say what was *not* said.
    """

    tls: str = "starttls"
    replies: Mapping[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ("8BITMIME", "SIZE 10000000")
    mails: list[tuple[str, str, bytes]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    port: int = 0
    context: ssl.SSLContext | None = None


class _Handler(socketserver.StreamRequestHandler):
    timeout = 10.0
    told: MailServer

    def handle(self) -> None:
        self.told = self.server.told  # type: ignore[attr-defined]
        self.secure = False
        self.login = False
        self.sender = self.recipient = ""
        try:
            if self.told.tls == "smtps":
                self._wrap()
            self._talk()
        except (OSError, ssl.SSLError):
            return

    def finish(self) -> None:
        for thing in (self.wfile, self.rfile, self.connection):
            with suppress(OSError):
                thing.close()

    def _wrap(self) -> None:
        for old in (self.wfile, self.rfile):
            old.close()
        self.connection = self.told.context.wrap_socket(self.connection, server_side=True)  # type: ignore[union-attr]
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.secure = True

    def _talk(self) -> None:
        if not self._say("BANNER", "220 mail.example.org ESMTP"):
            return
        while line := self.rfile.readline(4096):
            text = line.decode("utf-8", "replace").strip()
            self.told.lines.append(text)
            verb = text.partition(" ")[0].upper()
            handler = getattr(self, f"do_{verb.lower()}", None)
            if handler is None:
                self._raw("502 5.5.1 unknown")
            elif handler(text) is False:
                return

    def _say(self, name: str, usual: str) -> bool:
        reply = self.told.replies.get(name, usual)
        if reply == HANG_UP:
            return False
        self._raw(reply)
        return True

    def _raw(self, text: str) -> None:
        self.wfile.write((text + "\r\n").encode())

    def do_ehlo(self, _text: str) -> bool:
        offers = list(self.told.extensions)
        if self.told.tls == "starttls" and not self.secure:
            offers.append("STARTTLS")
        if self.secure:
            offers.append("AUTH PLAIN LOGIN")
        return self._say("EHLO", "\r\n".join(["250-mail.example.org", *(f"250-{offer}" for offer in offers), "250 HELP"]))

    do_helo = do_ehlo

    def do_starttls(self, _text: str) -> bool:
        self._raw("220 go ahead")
        self._wrap()
        return True

    def do_auth(self, text: str) -> bool:
        given = base64.b64decode(text.rsplit(maxsplit=1)[-1]).decode().split("\0")
        self.login = given[1:] == [USER, PASSWORD]
        return self._say("AUTH", "235 2.7.0 welcome" if self.login else "535 5.7.8 authentication failed")

    def do_mail(self, text: str) -> bool:
        self.sender = text[text.index("<") + 1 : text.index(">")]
        return self._say("MAIL", "250 ok")

    def do_rcpt(self, text: str) -> bool:
        self.recipient = text[text.index("<") + 1 : text.index(">")]
        return self._say("RCPT", "250 ok")

    def do_data(self, _text: str) -> bool:
        if not self._say("DATA", "354 go"):
            return False
        if not self.told.replies.get("DATA", "354").startswith("354"):
            return True
        body = b""
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            body += line[1:] if line.startswith(b".") else line
            if self.told.replies.get("CONTENT") == HANG_UP:
                return False
        self.told.mails.append((self.sender, self.recipient, body))
        return self._say("DOT", "250 2.0.0 Ok: queued as 4711")

    def do_quit(self, _text: str) -> bool:
        self._raw("221 bye")
        return False


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def certificates(folder: Path, *names: str) -> Path:
    """Write ca.crt and server.pem for these names below ``folder``; the lab's own authority maker does the work."""
    from deskside_lab import certificates as maker

    maker.make(folder, names=names or ("localhost",), address="127.0.0.1")
    return folder


@contextmanager
def serving(told: MailServer, folder: Path) -> Iterator[MailServer]:
    """Serve until the block ends.

    Args:
        told: What to do.
        folder: Where :func:`certificates` wrote to.
    """
    told.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    told.context.load_cert_chain(folder / "mail.crt", folder / "mail.key")
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.told = told  # type: ignore[attr-defined]
        told.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join(5)
