"""Looks into /proc for Ansible that belongs to one office."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 2.0

type Process = tuple[int, str]
"""Process id and start time: an id may be used again."""


def of_office(office: Path) -> dict[Process, str]:
    """Every living Ansible or ssh process whose working directory is the office, with its command line."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            pid = int(entry.name)
            start, words = start_of(pid), _words(pid)
            if start and _is_ansible(words) and _cwd(pid) == str(office):
                found[pid, start] = f"{pid} {' '.join(words)[:160]}"
    return found


def survivors(suspects: dict[Process, str], *, seconds: float = POLL_SECONDS) -> list[str]:
    """Those of ``suspects`` that are still alive after ``seconds``, asked all the while."""
    deadline = time.monotonic() + seconds
    left = suspects
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {process: words for process, words in left.items() if start_of(process[0]) == process[1]}
    return sorted(left.values())


def end(office: Path) -> None:
    """Kill what a night without containment left behind; the next night is not to blame for it."""
    for pid, start in of_office(office):
        if start_of(pid) == start:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def until_seen(office: Path, still: Callable[[], bool], *, seconds: float = 60.0) -> bool:
    """Wait until ansible-playbook works for the office."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and still():
        if any("ansible-playbook" in words for words in of_office(office).values()):
            return True
        time.sleep(0.05)
    return False


def start_of(pid: int) -> str:
    """The start time of a process; empty when it is gone or only its corpse is left."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in {"Z", "X"} else fields[19]


def _words(pid: int) -> list[str]:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [word.decode(errors="replace") for word in raw.split(b"\0") if word]


def _is_ansible(words: list[str]) -> bool:
    names = [Path(word).name for word in words]
    return any(name.startswith("ansible") and not name.endswith(".yml") for name in names) or names[:1] == ["ssh"]


def _cwd(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""
