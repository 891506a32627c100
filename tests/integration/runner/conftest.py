"""Two real devices for everything that talks ssh: systemd containers of our own, made once, removed afterwards."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

NETWORK, PREFIX = "runner-tests", "runner-t"
SUBNET = "10.99.102"


@dataclass(frozen=True)
class Fleet:
    """The devices and the office directory that names them."""

    office: Path
    state: Path

    @property
    def names(self) -> tuple[str, ...]:
        return ("d1", "d2")

    def address(self, name: str) -> str:
        return f"{SUBNET}.{10 + int(name[1:])}"

    def ssh(self, login: str, name: str, *more: str) -> list[str]:
        """The command line that logs in to a device."""
        known = [
            "-o",
            f"UserKnownHostsFile={self.office / 'known_hosts'}",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "BatchMode=yes",
        ]
        return ["ssh", "-i", str(self.office / "key"), *known, *more, f"{login}@{self.address(name)}"]

    def on(self, name: str, script: str, *, check: bool = True) -> str:
        """Run a shell script as root on the device, over a connection that stays open."""
        shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=20", "-o", f"ControlPath={self.office / 'cm-%h'}"]
        done = subprocess.run(
            [*self.ssh("root", name, *shared), "sh", "-c", shlex.quote(script)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def inside(self, name: str, script: str) -> None:
        """The same past ssh, for when it does not answer."""
        _podman("exec", f"{PREFIX}{name}", "sh", "-c", script)

    def playbook(self, name: str, text: str) -> str:
        path = self.office / name
        path.write_text(text)
        return str(path)


def _podman(*words: str) -> None:
    from deskside_lab.host import podman

    subprocess.run(podman(*words), check=True, capture_output=True, timeout=120)


def _remove() -> None:
    for number in (1, 2):
        _podman("rm", "-f", "-i", "-v", "-t", "0", f"{PREFIX}d{number}")
    _podman("network", "rm", "-f", NETWORK)


def wait_for_ssh(address: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((address, 22), timeout=1) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"{address}: no ssh after {seconds} s")


@pytest.fixture(scope="session", autouse=True)
def memory() -> Iterator[Path]:
    """A place for private directories that no other process uses, so that "nothing is left" can be asserted."""
    place = Path(tempfile.mkdtemp(prefix="deskside-tests-", dir="/dev/shm"))
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(place)
    yield place
    os.environ.pop("XDG_RUNTIME_DIR") if before is None else os.environ.update(XDG_RUNTIME_DIR=before)
    shutil.rmtree(place)


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    from deskside_lab.host import limit_flags, require_containers
    from deskside_lab.images import Image, ensure

    require_containers()
    image = Image(os.environ.get("RUNNER_TESTS_PLATFORM", "debian12"))
    ensure([image], say=print)
    fleet = Fleet(tmp_path_factory.mktemp("office"), tmp_path_factory.mktemp("state"))
    _remove()
    try:
        _podman("network", "create", NETWORK, "--subnet", f"{SUBNET}.0/24")
        _write_office(fleet)
        for name in fleet.names:
            seed = ["--volume", f"{_seed(fleet, name)}:/etc/deskside-lab:ro"]
            words = ["run", "-d", "--name", f"{PREFIX}{name}", "--systemd=always", "--restart=always", *limit_flags(), *seed]
            _podman(*words, f"--network={NETWORK}", "--ip", fleet.address(name), image.name, "/sbin/init")
        for name in fleet.names:
            wait_for_ssh(fleet.address(name))
        yield fleet
    finally:
        _remove()


def _keygen(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)
    return path.with_name(f"{path.name}.pub").read_text().strip()


def _seed(fleet: Fleet, name: str) -> Path:
    """What the lab's images take over at their first start: host key, logins, passwords."""
    seed, public = fleet.office / f"seed-{name}", (fleet.office / "key.pub").read_text().strip()
    (seed / "root/etc/ssh").mkdir(parents=True)
    key = _keygen(seed / "root/etc/ssh/ssh_host_ed25519_key")
    (seed / "logins").write_text("".join(f"{login} {public}\n" for login in ("root", "tech", "ada")))
    (seed / "passwords").write_text("tech:correct horse\n")
    with (fleet.office / "known_hosts").open("a") as known:
        known.write(f"{fleet.address(name)} {' '.join(key.split()[:2])}\n")
    return seed


def _write_office(fleet: Fleet) -> None:
    _keygen(fleet.office / "key")
    (fleet.office / "vault.pass").write_text("the office's own vault password\n")
    (fleet.office / "vault.pass").chmod(0o600)
    (fleet.office / "ansible.cfg").write_text("[defaults]\nvault_password_file = vault.pass\n")
    (fleet.office / "hosts.yml").write_text(_inventory(fleet))


def _inventory(fleet: Fleet) -> str:
    return f"""\
all:
  vars:
    ansible_user: root
    ansible_ssh_private_key_file: "{{{{ inventory_dir }}}}/key"
    ansible_ssh_common_args: "-o UserKnownHostsFile={{{{ inventory_dir }}}}/known_hosts"
    office_secret: {_vaulted(fleet, "vaulted-plaintext-4711")}
  hosts:
    d1: {{ansible_host: {fleet.address("d1")}}}
    d2:
      ansible_host: {fleet.address("d2")}
      ansible_user: tech
      ansible_become: true
      ansible_become_password: {_vaulted(fleet, "correct horse")}
    stranger:
      ansible_host: {fleet.address("d1")}
      ansible_ssh_common_args: "-o UserKnownHostsFile={{{{ inventory_dir }}}}/nobody"
    gone: {{ansible_host: {SUBNET}.250}}
"""


def _vaulted(fleet: Fleet, text: str) -> str:
    from orchestrator.adapters.runner.runner import program

    command = [
        program("ansible-vault"),
        "encrypt_string",
        "--vault-password-file",
        str(fleet.office / "vault.pass"),
        "--stdin-name",
        "x",
    ]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    cipher = [line.strip() for line in done.stdout.splitlines()[1:] if line.strip()]
    return '!vault "' + "\\n".join(cipher) + '\\n"'
