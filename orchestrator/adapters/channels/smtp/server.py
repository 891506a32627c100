"""Which mail server, how it is reached and who logs in."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from orchestrator.adapters.channels.settings import ChannelSettings
from orchestrator.application.errors import ConfigurationError
from orchestrator.domain.notice import named_address


class Security(StrEnum):
    """How the conversation is protected. TLS always checks the certificate and the name in it."""

    TLS = "smtps"
    STARTTLS = "smtp+starttls"
    CLEAR = "smtp"


PORTS = MappingProxyType({Security.TLS: 465, Security.STARTTLS: 587, Security.CLEAR: 25})
EXAMPLE = "Write smtps://mail.example.org, smtp+starttls://mail.example.org or, without login, smtp://localhost."


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """A mail server; ``password`` never appears in ``repr``."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout: float = 30.0

    @classmethod
    def parse(cls, settings: ChannelSettings) -> SmtpServer:
        """Read the URL.

        Raises:
            ConfigurationError: No such scheme, no host, a wrong port, a password in the URL, a login without TLS, an unreadable CA file.
        """
        where = f'channel "{settings.name}"'
        security, host, port, user = _split(where, settings.target)
        user = settings.user or user or (named_address(settings.sender)[1] if settings.password else None)
        if security is Security.CLEAR and (settings.password or user):
            raise ConfigurationError(
                f"{where}: {security}://{host} has no TLS: the password would be readable on the way. Use smtps:// or smtp+starttls://, or remove user and password."
            )
        if user and not settings.password:
            raise ConfigurationError(f'{where}: user "{user}" has no password. Add password: {{env: NAME}} or {{file: PATH}}.')
        if settings.ca_file is not None:
            _check_ca(where, settings.ca_file)
        return cls(
            host=host,
            port=port,
            security=security,
            user=user,
            password=settings.password,
            ca_file=settings.ca_file,
            timeout=settings.timeout,
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _check_ca(where: str, path: Path) -> None:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # SSLError is one
        why = (
            "does not exist"
            if isinstance(error, FileNotFoundError)
            else "holds no certificate"
            if isinstance(error, ssl.SSLError)
            else "cannot be read"
        )
        raise ConfigurationError(f"{where}: the CA file {path} {why}. Name a PEM file with the certificate authority.") from None


def _split(where: str, target: str) -> tuple[Security, str, int, str | None]:
    try:
        url = urlsplit(target)
        port = url.port
    except ValueError as error:
        raise ConfigurationError(f"{where}: the mail server's URL is wrong: {error}. {EXAMPLE}") from None
    if url.password is not None:  # never shown, not even to say that it is wrong
        raise ConfigurationError(
            f"{where}: the mail server's URL holds a password. Move it to password: {{env: NAME}} or {{file: PATH}}."
        )
    try:
        security = Security(url.scheme)
    except ValueError:
        raise ConfigurationError(f'{where}: "{target}" is not a mail server. {EXAMPLE}') from None
    if not url.hostname or url.path.strip("/") or url.query or url.fragment:
        raise ConfigurationError(
            f'{where}: "{target}" must be a scheme and a host, with a port where it is not {PORTS[security]}. {EXAMPLE}'
        )
    return security, url.hostname, port or PORTS[security], unquote(url.username) if url.username else None
