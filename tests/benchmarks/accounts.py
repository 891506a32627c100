"""Who spent how much CPU: a private control group for the controller's side, the containers' own for the devices'.

Wall time would measure this machine's other work; a control group also counts what outlives its parent (ssh masters) and what a
process forgot to wait for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

ROOT = Path("/sys/fs/cgroup")
OLD = ROOT / "cpuacct"
ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended. ``wall`` in seconds, printed only: it is never judged."""

    code: int
    out: str
    err: str
    wall: float


def seconds_of(group: Path) -> float:
    """CPU seconds that a control group has used, its descendants included.

    Raises:
        RuntimeError: This kernel does not say.
    """
    if (group / "cpuacct.usage").exists():
        return int((group / "cpuacct.usage").read_text()) / 1e9
    for line in (group / "cpu.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "usage_usec":
            return int(value) / 1e6
    raise RuntimeError(f"{group}: no CPU accounting")


def group_of_container(path: str) -> Path:
    """The control group of a container, from podman's ``State.CgroupPath``."""
    return (OLD if OLD.is_dir() else ROOT) / path.lstrip("/")


class Account:
    """A control group of its own; whoever is started in it is counted, with everything it starts.

    Args:
        name: Part of its name.

    Raises:
        PermissionError: Control groups may only be made by root.
    """

    def __init__(self, name: str) -> None:
        self._group = (OLD if OLD.is_dir() else ROOT) / f"deskside-bench-{os.getpid()}-{name}"
        self._group.mkdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end_rest()
        self._group.rmdir()

    @property
    def seconds(self) -> float:
        """CPU seconds used so far."""
        return seconds_of(self._group)

    def command(self, argv: Sequence[str]) -> list[str]:
        """``argv``, so that it runs in here."""
        return ["sh", "-c", ENTER, str(self._group), *argv]

    def run(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float = 600.0) -> Ran:
        """Run a program to its end."""
        started = time.monotonic()
        done = subprocess.run(
            self.command(argv),
            env=dict(env), cwd=cwd, capture_output=True, text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    @contextlib.contextmanager
    def started(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: IO[str]) -> Iterator[subprocess.Popen[str]]:
        """A program that is spoken with over its standard input and output; ended with the block."""
        pipe = subprocess.PIPE
        process = subprocess.Popen(self.command(argv), env=dict(env), cwd=cwd, stdin=pipe, stdout=pipe, stderr=log, text=True)
        try:
            yield process
        finally:
            if process.stdin:
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=60)
            if process.poll() is None:
                process.kill()
                process.wait(timeout=10)

    def end_rest(self) -> int:
        """End what is still in here (ssh masters that linger), all of it ours; returns how many."""
        found = self._members()
        deadline = time.monotonic() + 10
        while self._members() and time.monotonic() < deadline:
            for pid in self._members():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM if time.monotonic() < deadline - 5 else signal.SIGKILL)
            time.sleep(0.05)
        return len(found)

    def _members(self) -> list[int]:
        return [int(word) for word in (self._group / "cgroup.procs").read_text().split()]
