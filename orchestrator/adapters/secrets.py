"""Secret references become values here, at the moment they are used, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.adapters.channels.settings import ChannelSettings as WayOut
from orchestrator.application.errors import ConfigurationError, InventoryError
from orchestrator.config.settings import ChannelKind, ChannelSettings, Secret, SecretKind, TlsMode

SCHEMES = {TlsMode.SMTPS: "smtps", TlsMode.STARTTLS: "smtp+starttls", TlsMode.PLAIN: "smtp"}


def resolve(secret: Secret, *, office: Path) -> str:
    """The value behind a reference.

    Raises:
        ConfigurationError: The variable is not set, the file cannot be read, the vault cannot be opened. Never shows a value.
    """
    match secret.kind:
        case SecretKind.ENV:
            return _from_environment(secret)
        case SecretKind.FILE:
            return _from_file(secret, office)
        case SecretKind.VAULT:
            return _from_vault(secret, office)


def _from_environment(secret: Secret) -> str:
    value = os.environ.get(secret.reference)
    if not value:
        raise ConfigurationError(
            f"{secret.source}: the environment variable {secret.reference} is not set. Set it where deskside runs."
        )
    return value


def _from_file(secret: Secret, office: Path) -> str:
    path = office / secret.reference
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigurationError(f"{secret.source}: the secret file {path} cannot be read: {reason}.") from None


def _from_vault(secret: Secret, office: Path) -> str:
    """Ansible opens it, with the vault password its own configuration names."""
    from orchestrator.adapters.inventory import decrypt_vault_text

    try:
        return decrypt_vault_text(office, secret.reference)
    except InventoryError as error:
        raise ConfigurationError(f"{secret.source}: {error.message}") from None


def channel_settings(settings: ChannelSettings, *, office: Path, state: Path) -> WayOut:
    """A way out with its secret resolved, as the channel adapters take it.

    Raises:
        ConfigurationError: The secret cannot be resolved.
    """
    sender = f"{settings.sender_name} <{settings.sender}>" if settings.sender_name else settings.sender
    if settings.kind is ChannelKind.FILES:
        target = str(state / (settings.directory or Path("mail")))
        return WayOut(name=settings.name, kind="files", target=target, sender=sender)
    return WayOut(
        name=settings.name,
        kind="smtp",
        target=f"{SCHEMES[settings.tls]}://{settings.host}:{settings.port}",
        sender=sender,
        user=settings.user,
        password=resolve(settings.password, office=office) if settings.password else None,
        ca_file=settings.ca,
    )
