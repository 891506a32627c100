"""Mail settings as text: the SMTP URL, and references to secrets. No message of this module shows a secret."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from orchestrator.config.documents import VaultText
from orchestrator.config.settings import Secret, SecretKind, TlsMode

_SCHEMES = {"smtps": (TlsMode.SMTPS, 465), "smtp+starttls": (TlsMode.STARTTLS, 587), "smtp": (TlsMode.PLAIN, 25)}
_EXAMPLE = "write smtps://user@host or smtp+starttls://user@host:587"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An SMTP server and how to talk to it; ``user`` is ``None`` when the URL has none."""

    host: str
    port: int
    tls: TlsMode
    user: str | None


def parse_smtp(value: Any) -> Mailbox:
    """``smtp+starttls://user@host:587``.

    Raises:
        ValueError: With a sentence; a password in the URL is refused without being shown.
    """
    if not isinstance(value, str) or isinstance(value, VaultText):
        raise ValueError(f"is not a mail server: {_EXAMPLE}")  # noqa: TRY004 - one class for every bad value
    url = _split(value)
    if url.password is not None:
        raise ValueError("holds a password: take it out of the URL and write it as password: {env: NAME}, {file: PATH} or !vault")
    shown = f'"{value}"'
    if url.scheme not in _SCHEMES or not url.hostname:
        raise ValueError(f"{shown} is not a mail server: {_EXAMPLE}")
    if url.path not in {"", "/"} or url.query or url.fragment:
        raise ValueError(f"{shown} has something after the host: {_EXAMPLE}")
    tls, port = _SCHEMES[url.scheme]
    if tls is TlsMode.PLAIN and not _loopback(url.hostname):
        raise ValueError(f"{shown} would send unencrypted over the network: use smtps:// or smtp+starttls://")
    return Mailbox(url.hostname, _port(url, shown) or port, tls, unquote(url.username) if url.username else None)


def _split(value: str) -> SplitResult:
    try:
        return urlsplit(value)
    except ValueError:
        raise ValueError(f"is not a mail server: {_EXAMPLE}") from None


def _port(url: SplitResult, shown: str) -> int | None:
    try:
        return url.port
    except ValueError:
        raise ValueError(f"{shown} has no valid port: write a number from 1 to 65535") from None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_secret(value: Any) -> Secret:
    """A ``!vault`` value, ``{env: NAME}`` or ``{file: PATH}``.

    Raises:
        ValueError: With a sentence that does not show the value.
    """
    if isinstance(value, VaultText):
        if not value.lstrip().startswith("$ANSIBLE_VAULT;"):
            raise ValueError("is tagged !vault but is not encrypted: make it with ansible-vault encrypt_string")
        return Secret(SecretKind.VAULT, str.__str__(value))
    if isinstance(value, dict) and len(value) == 1:
        ((key, reference),) = value.items()
        if key in {"env", "file"} and isinstance(reference, str) and reference:
            return Secret(SecretKind(key), reference)
    raise ValueError(
        "is not a reference to a secret: secrets never stand in this file; write {env: NAME}, {file: PATH} or a !vault value"
    )
