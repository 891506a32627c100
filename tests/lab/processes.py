"""Runs programs and looks after the lab's own background processes.

Programs that need root are run through ``sudo -n`` where the caller is not root and sudo asks for no password.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from .errors import LabError

TIMEOUT = 120.0


@cache
def as_root() -> tuple[str, ...]:
    """The words that go before a command that needs root: none, or ``sudo -n``."""
    return () if os.geteuid() == 0 else ("sudo", "-n")


def may_become_root() -> bool:
    """Whether this process is root, or sudo lets it be without asking."""
    if os.geteuid() == 0:
        return True
    if not shutil.which("sudo"):
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False, timeout=10).returncode == 0


def run(
    argv: Sequence[str],
    *,
    check: bool = True,
    stdin: bytes | None = None,
    timeout: float = TIMEOUT,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end.

    Args:
        argv: The program and its arguments.
        check: Raise when it fails.
        stdin: What it reads; nothing when ``None``.
        timeout: Seconds it may take.
        env: Variables on top of this process's own.

    Raises:
        LabError: It failed (with ``check``), took too long, or does not exist.
    """
    source: dict[str, int | bytes] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    try:
        raw = subprocess.run(argv, capture_output=True, check=False, timeout=timeout, env={**os.environ, **(env or {})}, **source)  # type: ignore[call-overload]
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{_shown(argv)}: not finished after {timeout:.0f} s") from error
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]}: not found on this machine; `deskside lab up` names the packages that are missing") from error
    done = subprocess.CompletedProcess(
        list(argv), raw.returncode, raw.stdout.decode(errors="replace"), raw.stderr.decode(errors="replace")
    )
    if check and done.returncode:
        raise LabError(f"{_shown(argv)}: exit {done.returncode}: {_last(done.stderr) or _last(done.stdout) or 'it said nothing'}")
    return done


def _shown(argv: Sequence[str]) -> str:
    text = " ".join(argv)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return " | ".join(lines[-3:])


def start_time(pid: int) -> str | None:
    """The start time of a process in clock ticks: with it a recycled pid is told from the process that was meant.

    ``None`` when there is no such process, or only its corpse.
    """
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if facts[0] in "ZX" else facts[19]


def detach(argv: Sequence[str], said: Path, *, pid_file: Path | None = None) -> None:
    """Start a program that outlives this process.

    Args:
        argv: The program and its arguments.
        said: Where its output goes.
        pid_file: Written for it, when it does not call :func:`remember` itself.
    """
    note = 'echo "$$ $(cut -d" " -f22 /proc/$$/stat)" > "$0"; exec "$@"'
    words = ["setsid", "--fork", *(["sh", "-c", note, str(pid_file)] if pid_file else []), *argv]
    with said.open("ab") as out:
        subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True, timeout=TIMEOUT)


def module(name: str, *words: str) -> list[str]:
    """The command line that runs a module of the lab as root."""
    path = os.pathsep.join([*(entry for entry in sys.path if entry), os.environ.get("PYTHONPATH", "")])
    return [*as_root(), "env", f"PYTHONPATH={path}", sys.executable, "-m", name, *words]


def remember(pid: int, pid_file: Path) -> None:
    """Write a pid file that :func:`end` believes only for this very process."""
    pid_file.write_text(f"{pid} {start_time(pid)}\n")


def alive(pid_file: Path) -> int | None:
    """The pid of the process a pid file names, when that very process still runs."""
    try:
        pid, started = pid_file.read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if start_time(int(pid)) == started else None


def end(pid_file: Path, *, patience: float = 5.0) -> None:
    """End the process a pid file names, and only that one; the file is gone afterwards."""
    pid = alive(pid_file)
    if pid is not None:
        run([*as_root(), "kill", str(pid)], check=False)
        if not eventually(lambda: alive(pid_file) is None, patience=patience):
            run([*as_root(), "kill", f"-{signal.SIGKILL}", str(pid)], check=False)
    pid_file.unlink(missing_ok=True)


def eventually(true: object, *, patience: float, pause: float = 0.1) -> bool:
    """Ask a callable until it says yes or ``patience`` seconds are over."""
    assert callable(true)
    limit = time.monotonic() + patience
    while not true():
        if time.monotonic() >= limit:
            return False
        time.sleep(pause)
    return True
