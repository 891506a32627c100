"""Private directories on memory-backed file systems: what must never reach a disk, and must not survive a crash.

Each directory is held by a lock; the kernel frees it when its process dies, and the next start sweeps what is left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.application.errors import EnvironmentProblemError

LOCK = "lock"
PREFIX = "run-"


def _places() -> Iterator[Path]:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime, "deskside")
    if os.geteuid() == 0:
        yield Path("/run/deskside")
    yield Path(f"/dev/shm/deskside-{os.geteuid()}")  # noqa: S108 - owner and mode are checked below


def in_memory(path: Path, mounts: str | None = None) -> bool:
    """Whether the file system that holds ``path`` lives in memory (tmpfs, ramfs)."""
    best, kind = "", ""
    for line in (mounts if mounts is not None else Path("/proc/self/mounts").read_text(encoding="utf-8")).splitlines():
        _device, where, what = line.split()[:3]
        if len(where) >= len(best) and (path == Path(where) or Path(where) in path.parents):
            best, kind = where, what
    return kind in {"tmpfs", "ramfs"}


def _usable(place: Path) -> bool:
    """Ours alone: in a directory that everybody may write to, somebody else could have made it first."""
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077 == 0


def home(places: Iterable[Path] | None = None) -> Path:
    """The place for private directories of this user.

    Raises:
        EnvironmentProblemError: No memory-backed directory can be had.
    """
    for place in _places() if places is None else places:
        if place.parent.is_dir() and in_memory(place.parent.resolve()) and _usable(place):
            return place
    raise EnvironmentProblemError(
        "no private directory in memory: neither XDG_RUNTIME_DIR, /run nor /dev/shm can be used; mount a tmpfs on /dev/shm"
    )


@contextlib.contextmanager
def _door(place: Path) -> Iterator[None]:
    """One at a time makes or sweeps directories: a directory is never seen before it is held."""
    with (place / LOCK).open("a") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        yield


def _abandoned(directory: Path) -> bool:
    try:
        with (directory / LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True


def sweep(place: Path) -> int:
    """Remove what dead processes left; returns how many directories."""
    with _door(place):
        dead = [directory for directory in place.glob(f"{PREFIX}*") if _abandoned(directory)]
        for directory in dead:
            shutil.rmtree(directory, ignore_errors=True)
    return len(dead)


@contextlib.contextmanager
def private_directory(place: Path | None = None) -> Iterator[Path]:
    """A fresh directory (mode 0700) that is gone afterwards."""
    where = place or home()
    with _door(where):
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=where))
        descriptor = os.open(path / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def write_private(path: Path, text: str) -> Path:
    """Write ``text`` readable by us only; the file must be new."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
    return path
