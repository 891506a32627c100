"""The devices and what is planted on them before each measurement."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from deskside_lab import Lab, containers

from orchestrator.application.ports import Job, ProbeResult
from orchestrator.bootstrap import House
from tests.benchmarks.accounts import group_of_container, seconds_of
from tests.benchmarks.figures import Pending

DEVICES = ("ws-ada", "ws-pool", "ws-kiosk", "ws-alan", "fs-1", "db-1")
"""All log in as root: sudo with a password would be another difference between the variants."""
RUN = f"{time.time():.0f}"
WINDOWS = {"command": f"command-{RUN}", "daemon": f"daemon-{RUN}"}
"""A window for each of deskside's ways, new each time: a device remembers by occurrence what was done on it, and two stores
that use one name would find each other's work done."""
HELD = ("lab-held", "1.0", "2.0")
HARMLESS = ("lab-harmless", "1.0", "2.0")
STAMPS = "/var/lib/apt/periodic/update-success-stamp /var/lib/apt/lists"
OUR_STAMP = "/var/lib/deskside/os_update.refreshed"


@dataclass(frozen=True, slots=True)
class Planted:
    """One state of the fleet.

    Attributes:
        dirty: Devices with an update pending.
        fresh: The package lists were refreshed a moment ago, by every variant's own mark.
    """

    name: str
    title: str
    dirty: tuple[str, ...]
    fresh: bool


def states(devices: Sequence[str]) -> dict[str, Planted]:
    """Every state, by name."""
    return {
        state.name: state
        for state in (
            Planted("nothing", "nothing pending, lists younger than an hour", (), fresh=True),
            Planted("one", f"1 of {len(devices)} devices has an update, lists younger than an hour", (devices[0],), fresh=True),
            Planted("old-lists", "nothing pending, lists older than an hour", (), fresh=False),
            Planted("all", "every device has an update, lists older than an hour", tuple(devices), fresh=False),
        )
    }


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one device: installed version of lab-harmless, lines its postinst has left, when package lists were last fetched (epoch)."""

    version: str
    installs: int
    fetched: float


@dataclass(slots=True)
class Scene:
    """The lab, ready to be measured."""

    lab: Lab
    devices: tuple[str, ...]
    folder: Path
    groups: dict[str, Path] = field(default_factory=dict)

    @property
    def office(self) -> Path:
        """The office directory."""
        return self.lab.inventory_dir

    @property
    def inventory(self) -> Path:
        """What ansible-playbook takes after -i."""
        return self.office / "hosts.yml"

    def furnish(self) -> None:
        """Offer the updates, write the office's windows, find the control groups."""
        self.lab.repo.publish({"lab-harmless": "2.0", "lab-held": "2.0"})
        window = {
            "title": "Bench",
            "devices": "workstations:servers",
            "starts": {"rrule": "FREQ=YEARLY", "at": "03:00", "since": "2020-01-01"},
            "zone": "UTC",
            "lasts": "2h",
            "cutoff": "10m",
            "work": [{"playbook": "apply_os_updates", "vars": {"os_update_classes": ["all"]}, "reboot": "if_needed"}],
            "rings": [{"name": "all", "rest": True}],
            "people": {"nobody_owns": "include"},
        }
        settings = {
            "inventory": ["hosts.yml"],
            "maintenance_windows": {name: dict(window) for name in WINDOWS.values()},
            "priors": {"apply_os_updates": "1m"},
            "reboot_reserve": "1m",
        }
        (self.office / "maintenance.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        for device in self.devices:
            name = self.lab.state.container(device)
            words = ["podman", "inspect", "--format", "{{.State.CgroupPath}}", name]
            path = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
            self.groups[device] = group_of_container(path)

    def target_seconds(self) -> float:
        """CPU seconds of every device so far."""
        return sum(seconds_of(group) for group in self.groups.values())

    def planted(self, state: Planted) -> Pending:
        """What every variant has to report."""
        return {device: frozenset({HELD, HARMLESS} if device in state.dirty else {HELD}) for device in self.devices}

    def plant(self, state: Planted, house: House) -> None:
        """Bring the devices into a state; whoever looks at stored answers finds those of an earlier night.

        Raises:
            RuntimeError: A device cannot be brought into it.
        """
        self._on_each(_everything_installed(), self.devices)
        if state.fresh:
            self._let_deskside_have_been_here(house)
        self._on_each("apt-get -q -y --allow-downgrades install lab-harmless=1.0", state.dirty)
        # os_update goes by the later of mtime and ctime, which cannot be set back: no mark at all is what a month leaves behind.
        ours = f"touch {OUR_STAMP}" if state.fresh else f"rm -f {OUR_STAMP}"
        when = "now" if state.fresh else "2 hours ago"
        self._on_each(f"{ours}; for f in {STAMPS}; do mkdir -p ${{f%/*}}; touch -d '{when}' $f; done", self.devices)

    def _let_deskside_have_been_here(self, house: House) -> None:
        """A night of deskside leaves its scan behind; devices whose package state changed since then get one."""
        for _ in range(3):
            answers = house.prober.probe(self.devices)
            stale = tuple(device for device in self.devices if answers[device].needs_run)
            if not stale:
                return
            job = Job(id=f"bench-prepare-{time.monotonic_ns()}", playbook="apply_os_updates", hosts=stale, compiled=True)
            house.runner.run(job, on_event=lambda _event: None, cancelled=lambda: False)
        raise RuntimeError(f"deskside still wants a run: {_reasons(house.prober.probe(self.devices))}")

    def _on_each(self, script: str, devices: Sequence[str]) -> None:
        def act(device: str) -> None:
            done = self.lab.exec(device, ["sh", "-c", f"export DEBIAN_FRONTEND=noninteractive; {script}"], timeout=120)
            if done.returncode:
                raise RuntimeError(f"{device}: {script}: {done.stdout[-500:]} {done.stderr[-500:]}")

        containers.every(act, devices)

    def logins(self, since: float) -> dict[str, int]:
        """How often somebody logged in to each device since a moment, from its own journal."""

        def count(device: str) -> int:
            return self.lab.journal(device, "--since", f"@{since:.6f}").count("Accepted publickey")

        return dict(zip(self.devices, containers.every(count, self.devices), strict=True))

    def evidence(self) -> dict[str, Evidence]:
        """What the devices themselves show."""
        script = (
            "dpkg-query -W -f '${Version} ' lab-harmless; cat /var/log/lab-harmless.witness 2>/dev/null | wc -l;"
            "stat -c %.9Y /var/lib/apt/lists/partial"
        )

        def ask(device: str) -> Evidence:
            version, lines, fetched = self.lab.exec(device, ["sh", "-c", script]).stdout.split()
            return Evidence(version, int(lines), float(fetched))

        return dict(zip(self.devices, containers.every(ask, self.devices), strict=True))


def _everything_installed() -> str:
    """Newer versions that are not there yet; a device that is up to date is not touched, so that what was stored about it holds."""
    return (
        "[ \"$(dpkg-query -W -f '${Version}' lab-harmless)\" = 2.0 ] || "
        "{ apt-get -q update && apt-get -q -y install lab-harmless=2.0; }; apt list --upgradable 2>/dev/null | grep -q lab-held || apt-get -q update"
    )


def _reasons(answers: Mapping[str, ProbeResult]) -> str:
    return "; ".join(f"{name}: {', '.join(answer.facts.get('why_run', [])) or answer.error}" for name, answer in answers.items())
