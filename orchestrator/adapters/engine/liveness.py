"""Who a process is, in a way that outlives it: so that somebody else can prove that it is dead."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STARTTIME = 22 - 3  # field 22 of /proc/PID/stat; the fields after the command's closing parenthesis begin with number 3


def process_identity(executor: str = "local") -> str:
    """Return ``host:boot_id:pid:starttime:executor`` of this process: what stands as holder on leases, locks and notices."""
    stat = _stat(os.getpid())
    return ":".join((socket.gethostname(), _boot_id(), str(os.getpid()), stat[_STARTTIME] if stat else "0", executor))


def is_dead(holder: str) -> bool:
    """Say whether the process behind ``holder`` is proven dead.

    Proof is possible on its own host only: the host has booted since, the pid is gone, or it is another process now (other start
    time), or only its corpse is left. On doubt, or for text this module did not write, the answer is False: its lease must expire.
    """
    parts = holder.split(":", 4)
    if len(parts) < 5 or parts[0] != socket.gethostname() or not parts[2].isdigit():
        return False
    if parts[1] != _boot_id():
        return True
    stat = _stat(int(parts[2]))
    return stat is None or stat[0] in {"Z", "X"} or stat[_STARTTIME] != parts[3]


def _boot_id() -> str:
    return _BOOT.read_text().strip()


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on, ``None`` when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()
