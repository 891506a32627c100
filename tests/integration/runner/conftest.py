"""Two real devices for everything that talks ssh: systemd containers of our own, made once, removed afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

NETWORK, PREFIX, IMAGE = "runner-tests", "runner-t", os.environ.get("DESKSIDE_TEST_IMAGE", "localhost/deskside/base12")
SUBNET = "10.99.102"
RUNTIME = () if Path("/sys/fs/cgroup/cgroup.controllers").exists() else ("--runtime", "runc")  # crun wants the unified hierarchy


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

    def on(self, name: str, script: str, *, check: bool = True) -> str:
        """Run a shell script as root inside the device, past ssh."""
        done = subprocess.run(
            ["podman", "exec", f"{PREFIX}{name}", "sh", "-c", script], capture_output=True, text=True, check=False, timeout=60
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def playbook(self, name: str, text: str) -> str:
        path = self.office / name
        path.write_text(text)
        return str(path)


def _podman(*words: str) -> None:
    subprocess.run(["podman", *words], check=True, capture_output=True, timeout=120)


def _remove() -> None:
    for number in (1, 2):
        subprocess.run(["podman", "rm", "-f", "-i", "-t", "0", f"{PREFIX}d{number}"], check=False, capture_output=True, timeout=60)
    subprocess.run(["podman", "network", "rm", "-f", NETWORK], check=False, capture_output=True, timeout=60)


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
    if shutil.which("podman") is None:
        pytest.fail("podman is not installed; `make test LAB=no` leaves these tests out and says so")
    office = tmp_path_factory.mktemp("office")
    fleet = Fleet(office, tmp_path_factory.mktemp("state"))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(office / "key")], check=True)
    _remove()
    try:
        _podman("network", "create", NETWORK, "--subnet", f"{SUBNET}.0/24")
        for name in fleet.names:
            words = ["run", "-d", "--name", f"{PREFIX}{name}", "--systemd=always", "--restart=always"]
            words += ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000", f"--network={NETWORK}"]
            _podman(*RUNTIME, *words, "--ip", fleet.address(name), IMAGE, "/sbin/init")
        for name in fleet.names:
            wait_for_ssh(fleet.address(name))
        _prepare(fleet)
        yield fleet
    finally:
        _remove()


def _prepare(fleet: Fleet) -> None:
    public = (fleet.office / "key.pub").read_text()
    known = []
    for name in fleet.names:
        fleet.on(name, f"mkdir -p -m 700 /root/.ssh; echo '{public}' > /root/.ssh/authorized_keys")
        key = " ".join(fleet.on(name, "cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
        known.append(f"{fleet.address(name)} {key}")
    user = (
        f"useradd -m -s /bin/sh tech; echo 'tech:correct horse' | chpasswd; echo 'tech ALL=(ALL) ALL' > /etc/sudoers.d/tech;"
        f"mkdir -p -m 700 ~tech/.ssh; echo '{public}' > ~tech/.ssh/authorized_keys; chown -R tech: ~tech/.ssh"
    )
    fleet.on("d2", user)
    (fleet.office / "known_hosts").write_text("\n".join(known) + "\n")
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
