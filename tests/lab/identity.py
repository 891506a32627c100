"""What makes a device itself: its ssh host key, its machine id, who may log in. Made when the device is made, never in an image."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from .office import Device
from .processes import run
from .state import State

HOST_KEY = Path("root/etc/ssh/ssh_host_ed25519_key")


def client_key(state: State) -> str:
    """The lab's own ssh key, made once; returns the public half."""
    if not state.key.exists():
        _keygen(state.key, f"lab {state.name}")
    return state.key.with_suffix(".pub").read_text().strip()


def _keygen(path: Path, comment: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def seed(state: State, device: Device) -> Path:
    """Make (once) the folder a device takes its identity from at its first start; returns it.

    A device that is reset keeps its identity: it is the same machine with a fresh system.
    """
    room = state.device(device.name)
    if not (room / HOST_KEY).exists():
        _keygen(room / HOST_KEY, device.name)
    if not (room / "machine-id").exists():
        (room / "machine-id").write_text(secrets.token_hex(16) + "\n")
    key = client_key(state)
    logins = dict.fromkeys(("root", "tech", *device.users))
    (room / "logins").write_text("".join(f"{login} {key}\n" for login in logins))
    passwords = room / "passwords"
    passwords.touch(mode=0o600)
    passwords.write_text(f"{device.login}:{device.sudo_password}\n" if device.sealed else "")
    return room


def public_host_key(state: State, device: Device) -> str:
    """``ssh-ed25519 AAAA…`` of a device."""
    words = (state.device(device.name) / HOST_KEY).with_suffix(".pub").read_text().split()
    return " ".join(words[:2])


def write_ssh_files(state: State, prefix: str, devices: Iterable[Device]) -> None:
    """Write known_hosts and the ssh_config of a lab; host keys are always checked against the first."""
    known, config = [], []
    for device in devices:
        address = f"{prefix}{device.number}"
        known.append(f"{device.name},{address} {public_host_key(state, device)}\n")
        config.append(f"Host {device.name}\n  HostName {address}\n  HostKeyAlias {address}\n  User {device.login}\n")
    state.known_hosts.write_text("".join(known))
    common = f'Host *\n  IdentityFile "{state.key}"\n  IdentitiesOnly yes\n  UserKnownHostsFile "{state.known_hosts}"\n  StrictHostKeyChecking yes\n  BatchMode yes\n'
    state.ssh_config.write_text("".join(config) + common)
