"""Secret references become values here, at the moment they are used, and nowhere else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from orchestrator.adapters.channels.settings import ChannelSettings as WayOut
from orchestrator.application.errors import ConfigurationError
from orchestrator.config.settings import ChannelKind, ChannelSettings, Secret, SecretKind, TlsMode

SCHEMES = {TlsMode.SMTPS: "smtps", TlsMode.STARTTLS: "smtp", TlsMode.PLAIN: "smtp+clear"}

_DECRYPT = """
import json, sys
from ansible import constants as C
from ansible.cli import CLI
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib
loader = DataLoader()
files = [C.DEFAULT_VAULT_PASSWORD_FILE] if C.DEFAULT_VAULT_PASSWORD_FILE else []
secrets = CLI.setup_vault_secrets(loader, vault_ids=list(C.DEFAULT_VAULT_IDENTITY_LIST), vault_password_files=files, auto_prompt=False)
print(json.dumps(VaultLib(secrets).decrypt(json.load(sys.stdin)).decode()))
"""


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
    config = office / "ansible.cfg"
    env = {**os.environ, **({"ANSIBLE_CONFIG": str(config)} if config.is_file() else {})}
    done = subprocess.run(
        [sys.executable, "-c", _DECRYPT],
        input=json.dumps(secret.reference),
        env=env,
        cwd=office,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise ConfigurationError(
            f"{secret.source}: the !vault value cannot be opened: {last[0]}. Check vault_password_file in {config}."
        )
    return str(json.loads(done.stdout.splitlines()[-1]))


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
