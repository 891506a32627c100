"""What Ansible sees of this process: a short list of variables, the office's ansible.cfg, and what is forced upon both."""

from __future__ import annotations

import configparser
import os
from collections.abc import Collection, Mapping
from pathlib import Path

PASSED = frozenset({
    "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_FORCE_COLOR", "ANSIBLE_HOME", "ANSIBLE_NOCOLOR", "ANSIBLE_PRIVATE_KEY_FILE",
    "ANSIBLE_REMOTE_USER", "ANSIBLE_ROLES_PATH", "ANSIBLE_VAULT_IDENTITY_LIST", "ANSIBLE_VAULT_PASSWORD_FILE",
    "HOME", "HTTPS_PROXY", "HTTP_PROXY", "KRB5CCNAME", "KRB5_CONFIG", "LOGNAME", "NO_COLOR", "NO_PROXY", "PATH",
    "REQUESTS_CA_BUNDLE", "SSH_AUTH_SOCK", "SSL_CERT_DIR", "SSL_CERT_FILE", "TERM", "TZ", "USER", "XDG_RUNTIME_DIR",
    "http_proxy", "https_proxy", "no_proxy",
})  # fmt: skip
STRICT = "-o StrictHostKeyChecking=yes"
PERSIST = "-C -o ControlMaster=auto -o ControlPersist=60s"
ALIVE = "-o ServerAliveInterval=15 -o ServerAliveCountMax=4"
CALLBACK = "deskside.workplace.stream"


class OfficeConfig:
    """The office's ansible.cfg, as far as we must know whether it says something.

    Args:
        path: The file; need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parser = configparser.ConfigParser(interpolation=None, strict=False, inline_comment_prefixes=(";",))
        self._parser.read(path, encoding="utf-8")

    @property
    def exists(self) -> bool:
        """Whether the office has one."""
        return self.path.is_file()

    def get(self, key: str, *sections: str) -> str | None:
        """The value under the first section that has it."""
        for section in sections:
            if self._parser.has_option(section, key):
                return self._parser.get(section, key)
        return None


def base_environment(environ: Mapping[str, str], more: Collection[str] = ()) -> dict[str, str]:
    """The variables that pass, by name; the locale is UTF-8 whatever the caller's is."""
    kept = {name: value for name, value in environ.items() if name in PASSED or name in more}
    kept.setdefault("PATH", os.defpath)
    return kept | {"LC_ALL": _locale(environ)}


def _locale(environ: Mapping[str, str]) -> str:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = environ.get(name, "")
        if value:
            return value if value.lower().replace("-", "").endswith("utf8") else "C.UTF-8"
    return "C.UTF-8"


def office_environment(config: OfficeConfig, environ: Mapping[str, str], more: Collection[str] = ()) -> dict[str, str]:
    """What every call of an Ansible program of ours gets: also listings and look-ups."""
    env = base_environment(environ, more)
    if config.exists:
        env["ANSIBLE_CONFIG"] = str(config.path)
    elif environ.get("ANSIBLE_CONFIG"):
        env["ANSIBLE_CONFIG"] = environ["ANSIBLE_CONFIG"]
    return env | {"ANSIBLE_HOST_KEY_CHECKING": "True", "ANSIBLE_RETRY_FILES_ENABLED": "False"}


def run_environment(
    config: OfficeConfig,
    environ: Mapping[str, str],
    *,
    events: Path,
    control: Path,
    beside: bool,
    more: Collection[str] = (),
) -> dict[str, str]:
    """What a run gets.

    Args:
        config: The office's ansible.cfg.
        environ: The caller's environment.
        events: FIFO of the callback.
        control: Directory for ssh control sockets: one per run, since its masters die with it.
        beside: Our callback runs beside the office's own stdout callback, because somebody watches.
        more: Names of further variables that may pass.
    """
    env = office_environment(config, environ, more)
    env |= {"DESKSIDE_EVENTS": str(events), "ANSIBLE_SSH_CONTROL_PATH_DIR": str(control), "ANSIBLE_SSH_ARGS": ssh_arguments(config)}
    if config.get("pipelining", "ssh_connection", "connection", "defaults") is None:
        env["ANSIBLE_PIPELINING"] = "True"
    if beside:
        enabled = config.get("callbacks_enabled", "defaults") or ""
        env["ANSIBLE_CALLBACKS_ENABLED"] = ",".join([*filter(None, map(str.strip, enabled.split(","))), CALLBACK])
    else:
        env["ANSIBLE_STDOUT_CALLBACK"] = CALLBACK
    return env


def ssh_arguments(config: OfficeConfig) -> str:
    """Ssh takes the first value it is given: strict host keys stand first, our keep-alive last, the office's own between."""
    return f"{STRICT} {config.get('ssh_args', 'ssh_connection') or PERSIST} {ALIVE}"
