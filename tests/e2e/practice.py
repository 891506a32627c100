"""A practice office for whole nights: the lab's devices, a maintenance.yml of the test's own, the real command line.

Everything is called as a technician calls it; results are read from `deskside … --json`, the devices and the mailboxes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from deskside_lab import Lab

COMMAND = (sys.executable, "-m", "orchestrator.entrypoints.cli")
PATIENCE = 600.0
SECURITY = {"playbook": "apply_os_updates", "vars": {"os_update_classes": ["security"]}, "reboot": "if_needed"}


def window(**changes: Any) -> dict[str, Any]:
    """A window that opened a minute ago, UTC, with one ring; keys as in maintenance.yml."""
    opened = datetime.now(UTC) - timedelta(minutes=1)
    base: dict[str, Any] = {
        "title": "Test night",
        "devices": "workstations:servers:!bare",
        "starts": {"rrule": "FREQ=DAILY;COUNT=1", "at": f"{opened:%H:%M}", "since": opened.date()},
        "zone": "UTC",
        "lasts": "2h",
        "cutoff": "10m",
        "work": [SECURITY],
        "rings": [{"name": "all", "rest": True, "gate": {"ok": "1%"}}],
        "one_at_a_time": ["file_servers"],
        "absent": {"wake": True, "then": "next"},
        "people": {"invite": "3d", "nobody_owns": "include"},
        "report": {"to": ["it-leads@example.org"]},
    }
    return {**base, **changes}


class Practice:
    """One office directory and one state directory on a running lab."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.state = folder / "state"
        self.office = lab.inventory_dir
        self.env = {**os.environ, "DESKSIDE_LEASE_TTL": "6", "DESKSIDE_LOST_WAIT": "8", "COLUMNS": "200"}
        self._settings: dict[str, Any] = yaml.safe_load(_without_tags(self.office / "maintenance.yml"))

    def write(self, windows: Mapping[str, Mapping[str, Any]], **settings: Any) -> None:
        """Replace the office's windows; sites, channels and inventory stay the lab's."""
        base = {"wake_wait": "40s", "reboot_reserve": "1m", "priors": {"apply_os_updates": "1m"}, "freezes": []}
        merged = {**self._settings, **base, **settings, "maintenance_windows": {k: dict(v) for k, v in windows.items()}}
        (self.office / "maintenance.yml").write_text(yaml.safe_dump(merged, sort_keys=False), encoding="utf-8")

    def argv(self, *words: str) -> list[str]:
        """The command line."""
        return [*COMMAND, "--office", str(self.office), "--state", str(self.state), *words]

    def call(self, *words: str, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(self.argv(*words), env=self.env, capture_output=True, text=True, timeout=timeout, check=False)

    def json(self, *words: str) -> Any:
        """One command's JSON document."""
        done = self.call(*words, "--json")
        assert done.stdout.strip(), f"{words}: rc {done.returncode}: {done.stderr[-2000:]}"
        return json.loads(done.stdout)

    def run(self, name: str, *options: str) -> dict[str, Any]:
        """Carry out a window; the report afterwards."""
        done = self.call("run", name, *options)
        assert done.returncode in {0, 21}, f"rc {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return self.report(name)

    def report(self, occurrence: str = "last") -> dict[str, Any]:
        """report.json."""
        document: dict[str, Any] = self.json("report", occurrence, "--format", "json")
        return document

    @contextmanager
    def daemon(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """A daemon in a process group of its own; ended with the block."""
        with (self.state.parent / "daemon.log").open("a") as log:
            process = subprocess.Popen(
                self.argv("daemon", "--tick", "1", *options),
                env=self.env,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    try:
                        process.wait(timeout=60)
                    except subprocess.TimeoutExpired:
                        process.kill()
                        process.wait(timeout=10)

    def until(self, question: Any, *, seconds: float = PATIENCE, every: float = 0.5, what: str = "") -> Any:
        """Ask until the answer is true.

        Raises:
            AssertionError: It never was.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = question()
            if answer:
                return answer
            time.sleep(every)
        raise AssertionError(f"never within {seconds:.0f} s: {what or question}")

    def outcomes(self, document: Mapping[str, Any]) -> dict[str, str]:
        """device → outcome, from the report."""
        return {row["device"]: row["outcome"] for row in document["devices"]}


def _without_tags(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    assert "!vault" not in text, "the office's maintenance.yml holds vault text: the practice office cannot rewrite it"
    return text
