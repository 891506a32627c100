"""What this machine can do: which packages are missing, and which flags its containers need.

The flags are found out, not assumed: crun refuses control groups of version 1 and of the hybrid layout; a process without
CAP_SYS_RESOURCE may not raise the limits the runtime would set by itself.
"""

from __future__ import annotations

import os
import resource
import shutil
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from .errors import CannotRunError, LabError
from .processes import as_root, may_become_root, run

NEEDED: dict[str, str] = {
    "podman": "podman",
    "conmon": "conmon",
    "/usr/lib/podman/netavark": "netavark",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "gpg": "gpg",
    "gpg-agent": "gpg-agent",
    "setsid": "util-linux",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
    "tar": "tar",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
"""What the lab calls or reads, and the Debian and Ubuntu package that brings it; packages.txt is what the set-up installs."""

CAP_SYS_RESOURCE = 24
WATCHES = 1024


class Cgroups(StrEnum):
    """The layout of /sys/fs/cgroup."""

    V1 = "v1"
    HYBRID = "hybrid"
    V2 = "v2"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something can be done, and why (not)."""

    yes: bool
    reason: str

    def __bool__(self) -> bool:
        return self.yes


def cgroups(root: Path = Path("/sys/fs/cgroup")) -> Cgroups:
    """Which layout of control groups this machine has."""
    if (root / "cgroup.controllers").exists():
        return Cgroups.V2
    return Cgroups.HYBRID if (root / "unified").is_dir() else Cgroups.V1


def missing_packages() -> list[str]:
    """Names of the distribution packages the lab needs and this machine lacks, sorted.

    runc is asked for only where the control groups need it and crun would refuse.
    """
    missing = {package for thing, package in NEEDED.items() if not _there(thing)}
    if cgroups() is not Cgroups.V2 and not shutil.which("runc", path=_path()):
        missing.add("runc")
    elif not any(shutil.which(name, path=_path()) for name in ("runc", "crun")):
        missing.add("crun")
    return sorted(missing)


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/usr/lib/podman"


def _there(thing: str) -> bool:
    if not thing.startswith("/"):
        return shutil.which(thing, path=_path()) is not None
    name = Path(thing).name
    return Path(thing).exists() or shutil.which(name, path=f"{_path()}:/usr/libexec/podman") is not None


def install_line(packages: list[str]) -> str:
    """The exact line that brings ``packages``."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install -y --no-install-recommends {' '.join(packages)}"


@cache
def runtime_flags() -> tuple[str, ...]:
    """Global podman flags: the runtime, where the default one cannot be used."""
    return ("--runtime", "runc") if cgroups() is not Cgroups.V2 else ()


@cache
def limit_flags() -> tuple[str, ...]:
    """``podman create`` flags: explicit limits, where the runtime may not raise them by itself."""
    if os.geteuid() != 0 or _has_capability(CAP_SYS_RESOURCE):
        return ()
    nofile, nproc = (
        _at_most(resource.getrlimit(which)[1], cap)
        for which, cap in ((resource.RLIMIT_NOFILE, 20000), (resource.RLIMIT_NPROC, 10000))
    )
    return ("--ulimit", f"nofile={nofile}:{nofile}", "--ulimit", f"nproc={nproc}:{nproc}")


def _at_most(limit: int, cap: int) -> int:
    return cap if limit == resource.RLIM_INFINITY else min(limit, cap)


def _has_capability(bit: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> bit & 1)
    return False


def podman(*words: str) -> list[str]:
    """The command line of podman with what this machine needs before the sub-command."""
    return [*as_root(), "podman", *runtime_flags(), *words]


@cache
def can_run_containers() -> Verdict:
    """Whether the lab can run here, found out by really starting a process in a container; no image is needed for it."""
    packages = missing_packages()
    if packages:
        return Verdict(yes=False, reason=f"missing on this machine: {', '.join(packages)}. Run:\n  {install_line(packages)}")
    if not may_become_root():
        return Verdict(
            yes=False,
            reason="the lab's devices have addresses of their own, which needs root. Run it as root, or let sudo work without a password",
        )
    try:
        run(podman("run", "--rm", "--network", "none", *limit_flags(), "--rootfs", "/:O", "true"), timeout=60)
    except LabError as error:
        return Verdict(yes=False, reason=f"podman cannot start a container here ({described()}): {error}")
    return Verdict(yes=True, reason=described())


def described() -> str:
    """What was detected, for messages and reports."""
    who = "root" if os.geteuid() == 0 else "through sudo"
    return f"{who}, cgroups {cgroups()}, flags: {' '.join((*runtime_flags(), *limit_flags())) or 'none needed'}"


def require_containers() -> None:
    """Refuse where containers cannot run.

    Raises:
        CannotRunError: With the reason and the line to run.
    """
    verdict = can_run_containers()
    if not verdict:
        raise CannotRunError(verdict.reason)
    _allow_watches()


def _allow_watches() -> None:
    """Every systemd in a container needs about five inotify instances of the one user who runs them all; 128 is the usual limit."""
    path = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(path.read_text()) >= WATCHES:
        return
    line = f"sysctl -w fs.inotify.max_user_instances={WATCHES}"
    if not may_become_root():
        raise CannotRunError(f"too few inotify instances for ten devices; run: sudo {line}")
    run([*as_root(), *line.split()])
