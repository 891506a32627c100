"""The practice office of the chaos suite: a few devices, updates that leave a witness, a night that opens at the next full minute."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deskside_lab import Lab
from deskside_lab.host import podman
from deskside_lab.mail import passwords

from tests.chaos import processes
from tests.chaos.killer import Killer, Orders
from tests.e2e.practice import Practice, window

CHECKER = Path(__file__).with_name("checker.py")
NIGHT = "chaos"
ALL = ("ws-ada", "ws-grace", "fs-1", "fs-2")
RESTARTED = ("ws-ada", "fs-1")
"""They get the update that asks for a restart; in different waves, so that a restart is waited for more than once."""

OWNERS = {"ws-ada": "ada", "ws-grace": "grace"}
LEAD = "leads"
LEAST_LEAD = 15.0
"""Seconds before the window opens, at least: time to plan, to tell and to be killed meanwhile."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came out of one night."""

    violations: tuple[str, ...]
    killer: Killer
    over: bool
    evidence: Path
    seconds: float


class Night:
    """One night on the lab ``chaos``.

    Args:
        lab: Up.
        folder: For state, logs and evidence; removed with :meth:`tidy`.
        devices: Who takes part.
        soon: Open the window a minute ago instead of at the next full minute (no reminder then).
    """

    def __init__(self, lab: Lab, folder: Path, devices: Sequence[str] = ALL, *, soon: bool = False) -> None:
        self._lab, self.folder, self._devices = lab, folder, tuple(devices)
        folder.mkdir(parents=True, exist_ok=True)
        self.practice = Practice(lab, folder)
        self._soon = soon
        self._since = time.time()
        self.occurrence = ""

    def prepare(self) -> None:
        """Fresh devices, empty mailboxes, old versions installed and newer ones offered, a window of this night's own."""
        self._lab.repo.publish({"lab-harmless": "2.0"})
        self._lab.repo.publish({"lab-harmless": "2.0", "lab-kernel": "2.0"}, devices=RESTARTED)
        self._lab.reset(self._devices)
        self._lab.mail.clear()
        opens = self._opening()
        self.occurrence = f"{NIGHT}/{opens.date()}"
        broad = {"name": "broad", "rest": True, "gate": {"ok": "100%", "soak": "1s"}}
        rings = [{"name": "canary", "devices": "ws-ada", "gate": {"ok": "100%", "soak": "2s"}}, broad]
        changes: dict[str, Any] = {
            "title": "A night of kills",
            "devices": ":".join(self._devices),
            "starts": {"rrule": "FREQ=DAILY;COUNT=1", "at": f"{opens:%H:%M}", "since": opens.date()},
            "rings": rings if len(self._devices) > 1 else [broad],
            "one_at_a_time": ["file_servers"] if "fs-1" in self._devices else [],
            "people": {"invite": "3d", "remind": ["1d"], "nobody_owns": "include"},
        }
        self.practice.write({NIGHT: window(**changes)})

    def _opening(self) -> datetime:
        """When the window opens; a full minute, because settings know no seconds."""
        now = datetime.now(UTC)
        if self._soon:
            return now - timedelta(minutes=1)
        return (now + timedelta(seconds=LEAST_LEAD + 60)).replace(second=0, microsecond=0)

    def command(self, *planted: str) -> list[str]:
        """The daemon's command line; through the launcher when a fault is planted."""
        argv = self.practice.argv("daemon", "--tick", "1")
        return [argv[0], "-m", "tests.chaos.planted", *planted, *argv[3:]] if planted else argv

    def run(
        self,
        orders: Orders,
        rng: random.Random,
        *,
        seconds: float = 600.0,
        planted: Sequence[str] = (),
        beside: Sequence[str] = (),
        say: Callable[[str], None] = print,
    ) -> Judged:
        """Drive the night under fire, gather the evidence and let the checker judge it.

        Args:
            orders: What is to be killed.
            rng: Where chance comes from.
            seconds: How long it may take.
            planted: Names of planted faults.
            beside: A second process that runs meanwhile.
            say: Takes a line per kill.
        """
        self._before = self._counts()
        self._since = time.time()
        started = time.monotonic()
        killer = Killer(
            self.command(*planted),
            self.practice.env,
            state=self.practice.state,
            office=self.practice.office.resolve(),
            rng=rng,
            orders=orders,
            say=say,
        )
        other = subprocess.Popen(beside, env=self.practice.env, stdin=subprocess.DEVNULL) if beside else None
        try:
            over = killer.run(seconds=seconds)
        finally:
            if other is not None:
                other.wait(timeout=120)
        evidence = self._evidence(killer)
        done = subprocess.run(
            [sys.executable, "-I", str(CHECKER), str(evidence)], capture_output=True, text=True, timeout=600, check=False
        )
        violations = [line for line in done.stdout.splitlines() if line]
        if done.returncode not in {0, 1} or bool(done.returncode) != bool(violations):
            violations.append(f"the checker ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        if other is not None and other.returncode:
            violations.append(f"the second process ended with {other.returncode}: it shows nothing")
        if not over:
            violations.append(f"the night was not over after {seconds:.0f} s")
        return Judged(tuple(violations), killer, over, evidence, time.monotonic() - started)

    def tidy(self) -> None:
        """Remove what this night left on this machine."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # another night's folder is kept there
            self.folder.parent.rmdir()

    def _counts(self) -> dict[str, dict[str, int]]:
        lab = self._lab
        return {
            name: {"witness": len(lab.witness(name)), "boots": lab.pid1_starts(name), "dpkg": len(lab.dpkg_log(name).splitlines())}
            for name in self._devices
        }

    def _evidence(self, killer: Killer) -> Path:
        """Write down where the checker finds what: containers, mailboxes, baselines, and what was done to the daemon."""
        for name, document in (("report", self.practice.report(NIGHT)), ("status", self.practice.json("status", NIGHT))):
            (self.folder / f"{name}.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
        mail = self._lab.mail
        known = passwords(self._lab.state)
        people = [OWNERS[name] for name in self._devices if name in OWNERS]
        facts = {
            "podman": podman(),
            "occurrence": self.occurrence,
            "steps": 1,
            "since": self._since,
            "devices": {name: self._device(name) for name in self._devices},
            "one_at_a_time": [name for name in ("fs-1", "fs-2") if name in self._devices],
            "people": people,
            "lead": LEAD,
            "mail": {
                "host": mail.address,
                "port": 143,
                "ca": str(mail.ca),
                "passwords": {box: known[box] for box in (*people, LEAD)},
            },
            "kills": [asdict(kill) for kill in killer.kills],
            "poll_seconds": processes.POLL_SECONDS,
            "report": str(self.folder / "report.json"),
            "status": str(self.folder / "status.json"),
        }
        path = self.folder / "evidence.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        return path

    def _device(self, name: str) -> dict[str, Any]:
        before = self._before[name]
        return {
            "container": self._lab.state.container(name),
            "witness": 1,
            "reboots": int(name in RESTARTED),
            "witness_before": before["witness"],
            "boots_before": before["boots"],
            "dpkg_before": before["dpkg"],
        }


def bring_up() -> Lab:
    """The suite's own lab, next to any other."""
    lab = Lab("chaos")
    lab.up("test", [*ALL, "mail"])
    return lab


def scratch() -> Path:
    """Where nights keep what they made, below the repository's cache."""
    return Path(__file__).resolve().parents[2] / ".cache" / "test" / f"chaos-{os.getpid()}"
