"""One SMTP conversation per message, and what each possible end of it means.

What is about this message or this address (5xx to RCPT or DATA) is refused for good. What is about us or about the server
(not reachable, certificate, login, sender refused, 4xx) can be put right without losing anybody's notice, so it is tried
again until the notice expires. An answer that never came after the last byte is neither: the mail may have been taken.
"""

from __future__ import annotations

import base64
import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage

from orchestrator.adapters.channels.mime import POLICY, build_mail
from orchestrator.adapters.channels.smtp.server import Security, SmtpServer
from orchestrator.application.ports import Delivery, Doubtful, Message, Rejected, Retryable, Sent
from orchestrator.domain.notice import one_line

ABOUT_US = frozenset({530, 534, 535, 538})
"""Replies that say ``log in first``, ``better login needed``, ``wrong password``, ``TLS needed``, wherever they come."""
TOO_BIG = 552
LONGEST_REASON = 300
LEADING_PERIOD = re.compile(rb"(?m)^\.")


class SmtpChannel:
    """Hands one message to a mail server.

    Args:
        name: The channel's name.
        server: Where, how and as whom.
    """

    def __init__(self, name: str, server: SmtpServer) -> None:
        self.name = name
        self._server = server
        self._own_name: str | None = None

    def send(self, message: Message) -> Delivery:
        """Hand over one message. Never raises for what a mail server or a network can do, never retries."""
        try:
            mail = build_mail(message)
        except ValueError as error:
            return Rejected(reason=str(error))
        try:
            client = self._open()
        except _NotReadyError as error:
            return Retryable(reason=self._redacted(str(error)))
        try:
            return self._hand_over(client, mail, _address(mail, "From"), _address(mail, "To"))
        finally:
            with suppress(OSError, smtplib.SMTPException):
                client.quit()
            client.close()

    def check(self) -> str:
        """Connect and log in without sending anything (`deskside doctor`). Returns empty text, or why mail cannot go out."""
        try:
            client = self._open()
        except _NotReadyError as error:
            return self._redacted(str(error))
        with suppress(OSError, smtplib.SMTPException):
            client.quit()
        client.close()
        return ""

    # -- before the message --------------------------------------------------------------------------------------

    def _open(self) -> smtplib.SMTP:
        """A connection that is encrypted and logged in as far as the settings say.

        Raises:
            _NotReadyError: Nothing was handed over.
        """
        server = self._server
        client: smtplib.SMTP | None = None
        try:
            client = self._connect()
            if server.security is Security.STARTTLS:
                client.starttls(context=self._tls())
            if server.password is not None and server.user is not None:
                client.ehlo_or_helo_if_needed()
                client.login(server.user, server.password)
        except (OSError, smtplib.SMTPException) as error:
            if client is not None:
                client.close()
            raise _NotReadyError(_why_not_ready(server, error)) from None
        return client

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if self._own_name is None:
            self._own_name = _own_name()
        if server.security is Security.TLS:
            return smtplib.SMTP_SSL(server.host, server.port, self._own_name, timeout=server.timeout, context=self._tls())
        return smtplib.SMTP(server.host, server.port, self._own_name, timeout=server.timeout)

    def _tls(self) -> ssl.SSLContext:
        """Certificate and host name are checked; with an own CA file only that authority counts."""
        return ssl.create_default_context(cafile=self._server.ca_file)

    # -- the message ---------------------------------------------------------------------------------------------

    def _hand_over(self, client: smtplib.SMTP, mail: EmailMessage, sender: str, recipient: str) -> Delivery:
        try:
            options, content = _encode(client, mail, sender, recipient)
            steps: tuple[tuple[str, Callable[[], tuple[int, bytes]]], ...] = (
                ("sender", lambda: client.mail(sender, options)),
                ("recipient", lambda: client.rcpt(recipient)),
                ("message", lambda: client.docmd("DATA")),
            )
            for step, command in steps:
                code, reply = command()
                if not (code == 354 if step == "message" else 200 <= code < 300):
                    return self._refused(step, recipient, code, reply)
        except (OSError, smtplib.SMTPException) as error:
            return Retryable(
                reason=self._redacted(f"{self._server}: the connection broke before the message was sent: {_text(error)}")
            )
        except _UnsupportedError as error:
            return Rejected(reason=str(error))
        return self._send_content(client, content, recipient)

    def _send_content(self, client: smtplib.SMTP, content: bytes, recipient: str) -> Delivery:
        """The bytes and the final dot. From the dot on, silence is doubt."""
        body = LEADING_PERIOD.sub(b"..", content)
        try:
            client.send(body if body.endswith(b"\r\n") else body + b"\r\n")
        except (OSError, smtplib.SMTPException) as error:
            return Retryable(reason=self._redacted(f"{self._server}: the connection broke inside the message: {_text(error)}"))
        try:
            client.send(b".\r\n")
            code, reply = client.getreply()
        except (OSError, smtplib.SMTPException) as error:
            return Doubtful(reason=self._redacted(f"{self._server} did not answer after the last byte: {_text(error)}"))
        if code != 250:
            return self._refused("message", recipient, code, reply)
        return Sent(detail=self._redacted(reply.decode("utf-8", "replace")))

    def _refused(self, step: str, recipient: str, code: int, reply: bytes) -> Delivery:
        subject = {"sender": "the sender", "recipient": recipient, "message": f"the message to {recipient}"}[step]
        reason = self._redacted(f"{self._server} refused {subject}: {code} {reply.decode('utf-8', 'replace')}")
        permanent = 500 <= code < 600 and code not in ABOUT_US
        if permanent and (step != "sender" or code == TOO_BIG):
            return Rejected(reason=reason)
        return Retryable(reason=reason)

    def _redacted(self, text: str) -> str:
        """One bounded line without the password in any form in which SMTP carries it."""
        secret = self._server.password
        if secret:
            plain = f"\0{self._server.user}\0{secret}"
            for form in (plain, secret):
                text = text.replace(base64.b64encode(form.encode()).decode(), "***").replace(form, "***")
        return one_line(text)[:LONGEST_REASON]


class _NotReadyError(Exception):
    """No conversation came about; nothing was handed over."""


class _UnsupportedError(Exception):
    """The server cannot carry this address."""


def _encode(client: smtplib.SMTP, mail: EmailMessage, sender: str, recipient: str) -> tuple[list[str], bytes]:
    """Options of MAIL FROM and the bytes. An address outside ASCII needs SMTPUTF8 (RFC 6531) of the server."""
    client.ehlo_or_helo_if_needed()
    options = []
    utf8 = not (sender.isascii() and recipient.isascii())
    if utf8 and not client.has_extn("smtputf8"):
        raise _UnsupportedError(
            f"the mail server cannot send to {recipient}: it does not know SMTPUTF8 (RFC 6531); the address needs a plain ASCII form"
        )
    if utf8:
        options += ["SMTPUTF8", "BODY=8BITMIME"]
    content = mail.as_bytes(policy=POLICY.clone(utf8=utf8))
    if client.has_extn("size"):
        options.append(f"SIZE={len(content)}")
    return options, content


def _address(mail: EmailMessage, header: str) -> str:
    return str(mail[header].addresses[0].addr_spec)


def _why_not_ready(server: SmtpServer, error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        remedy = "put the right CA into ca_file, or the right name into smtp"
        return f"{server}: its certificate is not accepted: {error.verify_message}; {remedy}"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f'{server} refused the login of "{server.user}": {error.smtp_code} {_reply(error)}; check user and password'
    if isinstance(error, smtplib.SMTPNotSupportedError):
        what = "STARTTLS" if "STARTTLS" in str(error) else "a login"
        return f"{server} does not offer {what}; nothing is sent without it"
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):  # smtplib wraps the one in the banner
        return f"{server} did not answer within {server.timeout:g} s"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{server} is not ready: {error.smtp_code} {_reply(error)}"
    return f"{server} cannot be reached: {_text(error)}"


def _reply(error: smtplib.SMTPResponseException) -> str:
    return error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else str(error.smtp_error)


def _text(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _own_name() -> str:
    """What we call ourselves in EHLO: a full host name, else an address literal (RFC 5321 4.1.4); asked once, DNS may be slow."""
    name = socket.getfqdn()
    return name if "." in name else "[127.0.0.1]"
