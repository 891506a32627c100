"""One live process per executor id: two would steal each other's workflows at start."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.application.errors import BusyError, StoreError


def lock_file(state: Path, executor: str) -> Path:
    """Return the file whose lock says that this executor lives."""
    return state / f"executor-{executor}.lock"


@contextmanager
def executor_lock(state: Path, executor: str, identity: str) -> Iterator[None]:
    """Be this executor. The kernel gives the lock back when the process ends, however it ends.

    Raises:
        BusyError: Another process is it; names its pid.
        StoreError: The file cannot be made.
    """
    path = lock_file(state, executor)
    descriptor = _open(path)
    try:
        if not _try(descriptor):
            holder = os.pread(descriptor, 512, 0).decode(errors="replace").strip()
            raise BusyError(
                f"{path}: process {_pid(holder)} is carrying out rollouts with this state directory; "
                "let it do this one too, or stop it first"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{identity}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def if_dead(state: Path, executor: str) -> Iterator[bool]:
    """Say whether no live process is this executor; while the block runs none can become it."""
    path = lock_file(state, executor)
    if not path.exists():
        yield True
        return
    descriptor = _open(path)
    try:
        yield _try(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: cannot be made: {error.strerror}; give this user write permission there") from error


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid(holder: str) -> str:
    parts = holder.split(":")
    return parts[2] if len(parts) == 5 else holder or "(unknown)"
