# Copyright (c) 2026 deskside
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an update is: pure values and rules of ``os_update``, without a device (Python >= 3.9, standard library only)."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

SECURITY = "security"
OTHER = "other"
MIB = 1024 * 1024
LINES = 20
NEVER_RESTARTED = (
    "dbus*", "systemd-logind*", "user@*", "getty@*", "serial-getty@*", "console-getty*", "display-manager*", "gdm*", "sddm*",
    "lightdm*", "NetworkManager*", "wpa_supplicant*", "systemd-networkd*", "docker*", "containerd*", "libvirt*", "deskside*",
)  # fmt: skip


class RefusedUpdateError(Exception):
    """Nothing was changed, and why."""


@dataclass(frozen=True)
class Options:
    """Inputs of the module; docs in plugins/modules/os_update.py."""

    classes: Tuple[str, ...] = ("all",)
    reject: Tuple[str, ...] = ()
    allow_removals: bool = False
    allow_repair: bool = True
    min_free: Mapping[str, int] = field(default_factory=dict)
    lock_wait: int = 300
    refresh_after: int = 3600
    refresh_timeout: int = 300
    apply_timeout: int = 3600
    restart_services: str = "restart"
    restart_never: Tuple[str, ...] = ()

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Options:
        """Take the module's parameters (or a job's JSON), which Ansible has checked already."""
        known = {key: params[key] for key in cls.__dataclass_fields__ if params.get(key) is not None}
        for key in ("classes", "reject", "restart_never"):
            if key in known:
                known[key] = tuple(known[key])
        return cls(**known)

    def wants(self, kind: str) -> bool:
        """Whether updates of this class are to be installed."""
        return "all" in self.classes or kind in self.classes

    def rejects(self, name: str) -> bool:
        """Whether a package matches the reject list."""
        return matches(name, self.reject)


@dataclass(frozen=True)
class Pending:
    """One installed package with a newer version. ``held``: on hold, so no run installs it."""

    name: str
    current: str
    candidate: str
    kind: str
    held: bool = False

    def line(self) -> str:
        """One line of the stored scan, which the probe reads too."""
        return f"pending={self.name} {self.current} {self.candidate} {self.kind} {int(self.held)}"

    def row(self) -> Dict[str, Any]:
        """The dict of the contract."""
        return {"name": self.name, "from": self.current, "to": self.candidate, "class": self.kind, "held": self.held}


@dataclass(frozen=True)
class Change:
    """One package from one version to another; ``""`` = not installed. ``undo``: repository, cache or none."""

    name: str
    before: str
    after: str
    kind: str = OTHER
    undo: str = "none"

    def row(self) -> Dict[str, str]:
        """The dict of the contract."""
        return {"name": self.name, "from": self.before, "to": self.after, "class": self.kind, "undo": self.undo}


@dataclass(frozen=True)
class Plan:
    """What a run would do. ``targets``: (name, version) asked for by name; ``changes``: all that follows from it.

    ``whole``: the targets are everything that is pending. ``automatic``: targets that were installed as dependencies.
    Bytes: to download, more on disk afterwards, and the largest package (dpkg unpacks it beside the old one).
    """

    targets: Tuple[Tuple[str, str], ...] = ()
    changes: Tuple[Change, ...] = ()
    kept: Tuple[str, ...] = ()
    automatic: Tuple[str, ...] = ()
    whole: bool = False
    download: int = 0
    growth: int = 0
    largest: int = 0

    def record(self) -> Dict[str, Any]:
        """As the guard keeps it until the apply has ended."""
        return {"changes": {c.name: c.row() for c in self.changes}, "automatic": [] if self.whole else list(self.automatic)}


@dataclass(frozen=True)
class Selection:
    """The pending rows, sorted by what is to become of them."""

    chosen: Tuple[Pending, ...] = ()
    held: Tuple[str, ...] = ()
    rejected: Tuple[str, ...] = ()


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name matches one of the shell patterns."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def parse_scan(text: str) -> Optional[List[Pending]]:
    """Read a stored scan; ``None`` when one line is not what was written (then nobody believes it)."""
    rows = []
    for line in text.splitlines():
        parts = line[len("pending=") :].split(" ") if line.startswith("pending=") else []
        if len(parts) != 5 or parts[3] not in (SECURITY, OTHER) or parts[4] not in ("0", "1"):
            return None
        rows.append(Pending(parts[0], parts[1], parts[2], parts[3], parts[4] == "1"))
    return rows


def select(rows: Sequence[Pending], options: Options) -> Selection:
    """Choose what to install: the wanted classes, neither held nor rejected."""
    wanted = [row for row in rows if options.wants(row.kind)]
    held = [row.name for row in wanted if row.held]
    rejected = [row.name for row in wanted if not row.held and options.rejects(row.name)]
    chosen = [row for row in wanted if not row.held and not options.rejects(row.name)]
    return Selection(tuple(chosen), tuple(held), tuple(rejected))


def is_security(label: str, archive: str, codename: str) -> bool:
    """Whether a repository is a security suite, by its Release file (Debian, Ubuntu, ESM, and local ones named alike)."""
    return label.lower().endswith("security") or archive.endswith("-security") or codename.endswith("-security")


def changes_between(
    before: Mapping[str, str], after: Mapping[str, str], known: Mapping[str, Mapping[str, str]]
) -> Tuple[Change, ...]:
    """Compare two states of the package database. ``known``: what the plan knew of each (class, undo, and the older ``from``
    of an apply that was interrupted before ``before`` was read)."""
    found = []
    for name in sorted(set(before) | set(after) | set(known)):
        row = known.get(name, {})
        old, new = row.get("from", before.get(name, "")), after.get(name, "")
        if old != new:
            found.append(Change(name, old, new, row.get("class", OTHER), row.get("undo", "none")))
    return tuple(found)


def missed(plan: Plan, after: Mapping[str, str]) -> List[str]:
    """Say which packages did not reach the version of the plan."""
    return [
        f"{change.name} is {after.get(change.name) or 'not installed'} instead of {change.after or 'removed'}"
        for change in plan.changes
        if after.get(change.name, "") != change.after
    ]


@dataclass(frozen=True)
class Space:
    """One file system as seen from a path: its device number and free bytes."""

    path: str
    device: int
    free: int


def shortage(plan: Plan, minimum: Mapping[str, int], spaces: Mapping[str, Space]) -> str:
    """Say which file system lacks how much; empty when there is room.

    Args:
        plan: What would be downloaded and unpacked.
        minimum: Path → MiB that must stay free there.
        spaces: ``/usr``, the download directory as ``archives`` and every path of ``minimum``, as far as they exist.
    """
    needs: Dict[int, int] = {}
    reserve: Dict[int, Tuple[int, str]] = {}
    for key, amount in (("archives", plan.download), ("/usr", max(plan.growth, 0) + plan.largest)):
        if key in spaces:
            needs[spaces[key].device] = needs.get(spaces[key].device, 0) + amount
    for path, mib in minimum.items():
        if path in spaces:
            device = spaces[path].device
            reserve[device] = max(reserve.get(device, (0, path)), (mib * MIB, path))
    for space in sorted(spaces.values(), key=lambda s: s.path):
        kept, named = reserve.get(space.device, (0, space.path))
        need = needs.get(space.device, 0)
        if need + kept > space.free:
            return (
                f"not enough space on {named}: {_mib(space.free)} MiB free, {_mib(need)} MiB for the update "
                f"+ {_mib(kept)} MiB to stay free, {_mib(need + kept - space.free, up=True)} MiB missing"
            )
    return ""


def _mib(amount: int, *, up: bool = False) -> int:
    return -(-amount // MIB) if up else amount // MIB


def lock_holders(proc_locks: str) -> Dict[int, int]:
    """Read /proc/locks: inode → process that holds a lock on it (waiting ones, marked ``->``, left out)."""
    holders = {}
    for line in proc_locks.splitlines():
        parts = line.split()
        if len(parts) >= 8 and parts[1] in ("POSIX", "FLOCK", "OFDLCK") and parts[5].count(":") == 2:
            inode = parts[5].rsplit(":", 1)[1]
            if inode.isdigit() and parts[4].lstrip("-").isdigit():
                holders[int(inode)] = int(parts[4])
    return holders


_PROGRESS = re.compile(
    r"^\(Reading database \.\.\.|^(Get|Hit|Ign):\d+ |^debconf: delaying|^(Reading|Building|Calculating) [a-z ]+\.\.\.$"
)


def tail(text: str, count: int = LINES) -> List[str]:
    """Last lines of a program's output, without its progress display."""
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    return [line for line in lines if line and not _PROGRESS.match(line)][-count:]


_DPKG = re.compile(r"^dpkg: error processing (?:package|archive) (\S+)(?: \(--\w+\))?:$")


def failure_reason(program: str, code: int, output: str) -> str:
    """Say in one line why apt or dpkg failed, with dpkg's own words where it has some."""
    lines = [line.strip() for line in output.splitlines()]
    found = []
    for number, line in enumerate(lines[:-1]):
        hit = _DPKG.match(line)
        if hit and hit.group(1) not in [name for name, _ in found]:
            found.append((hit.group(1), lines[number + 1]))
    if found:
        return "; ".join(f"{name}: {text}" for name, text in found)
    errors = [line[3:] for line in lines if line.startswith("E: ")]
    return errors[0] if errors else f"{program} ended with status {code}"


def report(state: str, reason: str = "", **more: Any) -> Dict[str, Any]:
    """Build the ``deskside`` dict of the contract, with every key present."""
    base: Dict[str, Any] = {
        "state": state, "reason": reason, "lines": [], "packages": [], "pending": [], "held": [], "rejected": [],
        "services": [], "services_pending": [], "reboot_required": False, "reboot_reasons": [], "warnings": [],
    }  # fmt: skip
    base.update(more)
    return base
