"""How each device is reached: what Ansible would use, resolved by Ansible, kept in memory only."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.adapters.runner.environment import STRICT, OfficeConfig, office_environment
from orchestrator.application.errors import InventoryError

RESOLVER = Path(__file__).with_name("resolve.py")
RESOLVE_SECONDS = 180.0
SSH_G_SECONDS = 10.0
KEEP_SECONDS = 600.0
_ONLY_OPENSSH = ("proxycommand", "proxyjump", "knownhostscommand", "pkcs11provider", "certificatefile")
_WANTED = frozenset({
    *_ONLY_OPENSSH, "bindaddress", "globalknownhostsfile", "hostkeyalias", "hostname", "identitiesonly", "identityagent",
    "identityfile", "port", "user", "userknownhostsfile",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One device's way in. Its ``repr`` shows no password.

    Attributes:
        kind: ``ssh``, ``local``, or another connection plugin's name (then it cannot be probed).
        arguments: Options for the ssh program, in Ansible's order, strict host keys first.
        effective: What ssh makes of them (``ssh -G``): option → values, lower case names.
        error: Why it cannot be known, else empty.
    """

    host: str
    kind: str = "ssh"
    address: str = ""
    arguments: tuple[str, ...] = ()
    effective: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)
    become_method: str = "sudo"
    become_password: str | None = field(default=None, repr=False)
    error: str = ""

    def one(self, option: str, default: str = "") -> str:
        """The single value of an ssh option."""
        return self.effective.get(option, (default,))[0]

    @property
    def needs_openssh(self) -> str:
        """The option that only the ssh program can honour, empty when asyncssh will do."""
        for option in _ONLY_OPENSSH:
            if self.one(option, "none") not in {"none", ""}:
                return option
        return "identityagent" if self.one("identityagent", "SSH_AUTH_SOCK") not in {"SSH_AUTH_SOCK", "none"} else ""


class ConnectionBook:
    """Resolves devices in one call of Ansible and remembers the answers for a while.

    Args:
        office_root: The office directory.
        inventory_sources: Ansible's sources, absolute or relative to it.
        ask: Puts the question to Ansible (a fake in tests).
    """

    def __init__(
        self,
        office_root: Path,
        inventory_sources: Sequence[str],
        *,
        ask: Callable[[Mapping[str, Any], Path], Mapping[str, Mapping[str, Any]]] | None = None,
    ) -> None:
        self._office = office_root.resolve()
        self._sources = [str(self._office / source) if (self._office / source).exists() else source for source in inventory_sources]
        self._ask = ask or ask_ansible
        self._known: dict[str, tuple[float, Connection]] = {}

    def connection_facts(self, hosts: Sequence[str]) -> dict[str, Connection]:
        """The way to each host; one that cannot be resolved carries its ``error``.

        Raises:
            InventoryError: Ansible cannot read the inventory at all.
        """
        now = time.monotonic()
        new = [host for host in hosts if host not in self._known or now - self._known[host][0] > KEEP_SECONDS]
        if new:
            answer = self._ask({"sources": self._sources, "hosts": new, "basedir": str(self._office)}, self._office)
            for host in new:
                self._known[host] = (now, connection(host, answer[host], self._office))
        return {host: self._known[host][1] for host in hosts}

    def forget(self, host: str) -> None:
        """Resolve it anew next time: it did not let us in."""
        self._known.pop(host, None)


def ask_ansible(question: Mapping[str, Any], office: Path) -> Mapping[str, Mapping[str, Any]]:
    """Run :mod:`orchestrator.adapters.prober.resolve`; its answer holds secrets and stays in a pipe.

    Raises:
        InventoryError: It fails; Ansible's words are in the message.
    """
    env = office_environment(OfficeConfig(office / "ansible.cfg"), os.environ) | {"ANSIBLE_NOCOLOR": "1"}
    env.pop("ANSIBLE_FORCE_COLOR", None)
    try:
        done = _resolve(question, env, office)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InventoryError(f"Ansible cannot say how devices are reached: {error}") from error
    if done.returncode != 0:
        raise InventoryError(f"Ansible cannot say how devices are reached: {' '.join(done.stderr.split())[-600:]}")
    answer: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return answer


def _resolve(question: Mapping[str, Any], env: Mapping[str, str], office: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RESOLVER)],
        input=json.dumps(question), capture_output=True, text=True, check=False, env=env, cwd=office, timeout=RESOLVE_SECONDS,
    )  # fmt: skip


def connection(host: str, facts: Mapping[str, Any], office: Path) -> Connection:
    """Turn Ansible's answer into ssh's words."""
    if facts.get("error"):
        return Connection(host=host, error=str(facts["error"]))
    kind = str(facts["connection"])
    method, password = str(facts["become_method"]), facts.get("become_pass")
    if kind != "ssh":
        return Connection(host=host, kind=kind, become_method=method, become_password=password)
    arguments = [*STRICT.split()]
    for name in ("ssh_args", "ssh_common_args", "ssh_extra_args"):
        arguments += shlex.split(str(facts.get(name) or ""))
    for flag, name in (("-p", "port"), ("-l", "remote_user"), ("-i", "private_key_file")):
        if facts.get(name):
            arguments += [flag, str(Path(str(facts[name])).expanduser()) if flag == "-i" else str(facts[name])]
    address = str(facts["host"])
    try:
        effective = effective_options([*arguments, address], office)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return Connection(host=host, error=f"ssh does not accept its options: {error}")
    return Connection(
        host=host,
        address=address,
        arguments=tuple(arguments),
        effective=effective,
        password=facts.get("password"),
        become_method=method,
        become_password=password,
    )


def effective_options(arguments: Sequence[str], cwd: Path) -> dict[str, tuple[str, ...]]:
    """What OpenSSH makes of arguments and its own configuration files.

    Raises:
        ValueError: It refuses them.
    """
    done = subprocess.run(
        ["ssh", "-G", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=SSH_G_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise ValueError(" ".join(done.stderr.split()))
    found: dict[str, tuple[str, ...]] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        if name.lower() in _WANTED:
            found[name] = (*found.get(name, ()), value)
    return found
