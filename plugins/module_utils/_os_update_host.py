# Copyright (c) 2026 deskside
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The device as ``os_update`` sees it: programs, files, locks, services. All input and output goes through :class:`Host`."""

from __future__ import annotations

import fcntl
import glob
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from . import _os_update_model as model

ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBIAN_PRIORITY": "critical",
    "APT_LISTCHANGES_FRONTEND": "none",
    "APT_LISTBUGS_FRONTEND": "none",
    "NEEDRESTART_MODE": "l",
    "UCF_FORCE_CONFFOLD": "1",
}
_CODE = ("/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/", "/opt/")


@dataclass(frozen=True)
class Done:
    """How a program ended: its status and everything it said. Status 124: it was ended at its time limit."""

    code: int
    output: str


@dataclass(frozen=True)
class Holder:
    """Who holds a package lock."""

    path: str
    pid: int
    command: str

    def __str__(self) -> str:
        who = f"{self.command} (pid {self.pid})" if self.pid > 0 else "another process"
        return f"{self.path} is held by {who}"


class Host:
    """The real device. Tests give another ``root`` or override single methods. ``read_only``: check mode, not even our files change."""

    def __init__(self, root: str = "/", *, read_only: bool = False) -> None:
        self.root = root
        self.read_only = read_only

    def path(self, path: str) -> str:
        """Path below the root of this host."""
        return os.path.join(self.root, path.lstrip("/")) if self.root != "/" else path

    def run(self, argv: Sequence[str], timeout: float) -> Done:
        """Run a program without input; at the limit its whole process group is ended."""
        process = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, **ENVIRONMENT}, start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                output, _ = process.communicate(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output, _ = process.communicate()
            text = output.decode(errors="replace")
            return Done(124, f"{text}\nE: {argv[0]} had not ended after {timeout:.0f} s and was stopped")
        return Done(process.returncode, output.decode(errors="replace"))

    def read(self, path: str) -> Optional[str]:
        """Text of a file, ``None`` when it cannot be read."""
        try:
            with open(self.path(path), encoding="utf-8", errors="replace") as handle:
                return handle.read()
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        """Whether something is there."""
        return os.path.lexists(self.path(path))

    def glob(self, pattern: str) -> List[str]:
        """Paths that match, sorted."""
        return sorted(glob.glob(self.path(pattern)))

    def changed_at(self, path: str) -> float:
        """Last change of contents or metadata, epoch seconds; 0 when it is not there."""
        try:
            facts = os.stat(self.path(path))
        except OSError:
            return 0.0
        return max(facts.st_mtime, facts.st_ctime)

    def now(self) -> float:
        """Epoch seconds."""
        return time.time()

    def spaces(self, paths: Mapping[str, str]) -> Dict[str, model.Space]:
        """Free bytes for an ordinary process at each path that exists; key → :class:`model.Space`."""
        found = {}
        for key, path in paths.items():
            try:
                facts = os.statvfs(self.path(path))
                found[key] = model.Space(path, os.stat(self.path(path)).st_dev, facts.f_bavail * facts.f_frsize)
            except OSError:
                continue
        return found

    def lock_holder(self, paths: Sequence[str]) -> Optional[Holder]:
        """Return who holds one of these locks, ``None`` when all are free. Asks the kernel by trying, so a race only errs to yes."""
        for path in paths:
            try:
                handle = os.open(self.path(path), os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                pid = model.lock_holders(self.read("/proc/locks") or "").get(os.fstat(handle).st_ino, 0)
                return Holder(path, pid, self.command(pid))
            finally:
                os.close(handle)
        return None

    def command(self, pid: int) -> str:
        """Name of a process."""
        return (self.read(f"/proc/{pid}/comm") or "").strip() or "a process that has ended"

    # -- what still runs from replaced files ------------------------------------------------------------------------

    def stale_services(self) -> Tuple[List[str], List[str]]:
        """Return the services, and other processes' names, that run code whose file was replaced or removed."""
        units, others = set(), set()
        for folder in glob.glob("/proc/[0-9]*"):
            pid = int(folder[6:])
            if pid == os.getpid() or not stale_maps(self.read(f"{folder}/maps") or ""):
                continue
            unit = unit_of(self.read(f"{folder}/cgroup") or "")
            if unit:
                units.add(unit)
            else:
                others.add(f"{self.command(pid)} (pid {pid})")
        return sorted(units), sorted(others)

    def failed_units(self) -> List[str]:
        """Names of the units in state failed; empty where there is no systemd."""
        if not os.path.isdir("/run/systemd/system"):
            return []
        done = self.run(["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"], 30)
        return sorted(line.split()[0] for line in done.output.splitlines() if line.strip()) if done.code == 0 else []

    # -- restart required -------------------------------------------------------------------------------------------

    def reboot_reasons(self) -> List[str]:
        """Say why this device needs a restart; empty when it does not."""
        reasons = []
        if self.exists("/run/reboot-required"):
            packages = sorted(set((self.read("/run/reboot-required.pkgs") or "").split()))
            reasons.append("asked for by " + (", ".join(packages) or "/run/reboot-required"))
        if not self.in_container():
            reasons += kernel_reasons(os.uname().release, self._newest_kernel(), self._running_kernel_replaced())
        return reasons

    def in_container(self) -> bool:
        """Whether PID 1 is a container's (systemd leaves this file; no process is started for it)."""
        return self.exists("/run/systemd/container") or self.exists("/run/.containerenv") or self.exists("/.dockerenv")

    def _newest_kernel(self) -> str:
        for link in ("/vmlinuz", "/boot/vmlinuz"):
            try:
                return os.path.basename(os.readlink(self.path(link)))[len("vmlinuz-") :]
            except OSError:
                continue
        return ""

    def _running_kernel_replaced(self) -> bool:
        image = self.changed_at(f"/boot/vmlinuz-{os.uname().release}")
        started = re.search(r"^btime (\d+)$", self.read("/proc/stat") or "", re.MULTILINE)
        return bool(image and started and image > float(started.group(1)) + 60)


def kernel_reasons(running: str, newest: str, replaced: bool) -> List[str]:
    """Say whether another kernel is installed than the one that runs. ``newest``: what the boot link names, may be empty."""
    if newest and newest != running:
        return [f"kernel {newest} is installed, {running} runs"]
    return [f"kernel {running} was replaced while it runs"] if replaced else []


def stale_maps(maps: str) -> bool:
    """Whether /proc/<pid>/maps names code that is no longer on disk."""
    for line in maps.splitlines():
        if line.endswith(" (deleted)"):
            parts = line.split(None, 5)
            if len(parts) == 6 and "x" in parts[1] and parts[5].startswith(_CODE):
                return True
    return False


def unit_of(cgroup: str) -> str:
    """Service that a process belongs to, by /proc/<pid>/cgroup (version 1, hybrid or 2); empty for sessions and the like."""
    for line in cgroup.splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers in ("", "name=systemd"):
            for part in reversed(path.split("/")):
                if part.endswith(".service") and not part.startswith("user@"):
                    return part
    return ""


def split_restarts(units: Iterable[str], never: Iterable[str]) -> Tuple[List[str], List[str]]:
    """Split services into those that may be restarted and those which only a restart of the device renews."""
    patterns = [*never, *model.NEVER_RESTARTED]
    units = sorted(units)
    return [u for u in units if not model.matches(u, patterns)], [u for u in units if model.matches(u, patterns)]
