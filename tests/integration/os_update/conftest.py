"""One real device of the lab, with updates to offer as a test likes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from deskside_lab.lab import Lab

ROOT = Path(__file__).resolve().parents[3]
NAME = "mol-debian12"
SOURCES = ROOT / "plugins" / "module_utils"
OLD = "lab-harmless=1.0 lab-plain=1.0 lab-kernel=1.0 lab-service=1.0 lab-held=1.0 lab-badpost=1.0"
NIGHT = {"occurrence": "patch-night/2026-12-09", "step": "1-apply_os_updates"}
RECORD = "/var/lib/deskside/guard/patch-night_2026-12-09.1-apply_os_updates.json"
UNIT = "deskside-patch-night_2026-12-09.1-apply_os_updates.service"


class Device:
    """What a test does with the device."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def sh(self, script: str, *, timeout: float = 120) -> str:
        """Run a shell script as root; it must succeed."""
        done = self.lab.exec(NAME, ["sh", "-ec", script], timeout=timeout)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def plant(self, offer: Mapping[str, str]) -> None:
        """Old versions on the device, these newer ones on offer, no trace of an earlier test."""
        self.lab.repo.publish(offer, devices=[NAME])
        self.sh(
            "export DEBIAN_FRONTEND=noninteractive; systemctl stop 'deskside-*' || true; rm -rf /var/lib/deskside /run/deskside /run/reboot-required*;"
            "rm -f /etc/apt/apt.conf.d/99-test /etc/apt/preferences.d/*; dpkg --configure -a || true; apt-get update -q; apt-mark unhold lab-held;"
            f"apt-get install -q -y --allow-downgrades {OLD}; apt-mark hold lab-held; rm -rf /var/log/lab-harmless.witness /run/reboot-required*"
        )

    def versions(self) -> dict[str, str]:
        """lab package → version, from dpkg."""
        lines = self.sh("dpkg-query -W -f '${Package} ${Version}\\n' 'lab-*'").splitlines()
        return dict(line.split() for line in lines)  # type: ignore[misc]

    def record(self) -> dict[str, Any]:
        """The guard record."""
        text = self.sh(f"cat {RECORD} 2>/dev/null || true")
        return json.loads(text) if text else {}

    def start(self, fence: int | None = None, *, check: bool = False, **options: Any) -> subprocess.Popen[str]:
        """Call the module through ansible; the process leads a group of its own."""
        arguments = {**options, **({"guard": {**NIGHT, "fence": fence}} if fence else {})}
        inventory = str(self.lab.state.molecule / "inventory.yml")
        argv = [sys.executable, "-m", "ansible", "adhoc", NAME, "-i", inventory, "-m", "deskside.workplace.os_update"]
        argv += (["-a", json.dumps(arguments)] if arguments else []) + (["-C"] if check else [])
        environment = {
            **os.environ,
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_TIMEOUT": "60",
        }
        return subprocess.Popen(
            argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def call(self, fence: int | None = None, *, check: bool = False, **options: Any) -> dict[str, Any]:
        """Call the module and return its result."""
        return self.answer(self.start(fence, check=check, **options))

    def answer(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """The result of a started call."""
        out, err = process.communicate(timeout=240)
        assert "=>" in out, f"{out}\n{err}"
        result = dict(json.loads(out.split("=>", 1)[1]))
        assert "deskside" in result, out
        return result

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill ansible and everything it started on this side, as a dying controller would."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)

    def until(self, script: str, seconds: float = 90) -> None:
        """Wait until a script succeeds on the device."""
        deadline = time.monotonic() + seconds
        while self.lab.exec(NAME, ["sh", "-c", script]).returncode != 0:
            assert time.monotonic() < deadline, f"not within {seconds} s: {script}"
            time.sleep(0.2)

    def ship(self) -> None:
        """Copy the module's own code to the device, as the package ``p`` below /tmp/deskside-code."""
        buffer = BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path in sorted(SOURCES.glob("_*.py")):
                archive.add(path, f"p/{path.name}")
        self.sh("rm -rf /tmp/deskside-code; mkdir -p /tmp/deskside-code")
        done = self.lab.exec(NAME, ["tar", "-x", "-C", "/tmp/deskside-code"], stdin=buffer.getvalue())
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def device() -> Iterator[Device]:
    """A lab of its own with one device; gone afterwards."""
    lab = Lab(f"os-update-{os.environ.get('PYTEST_XDIST_WORKER', 'one')}")
    lab.up("molecule", devices=[NAME])
    try:
        yield Device(lab)
    finally:
        lab.down()
