"""Has an inventory changed? Answered without Ansible for plain files; scripts and plugins may say something else at any time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

type Fingerprint = frozenset[tuple[str, int, int, int, int]]

_VARIABLES = ("group_vars", "host_vars")
_FILES_AT_MOST = 20_000


def fingerprint(root: Path, sources: Sequence[str]) -> Fingerprint | None:
    """Names, sizes, inodes and times of every file that decides what a static inventory says.

    Args:
        root: The office directory, for its ansible.cfg.
        sources: What Ansible takes after ``-i``.

    Returns:
        ``None`` when the answer may change although no file does: a script, a plugin's file, a directory, very many files.
    """
    paths = [root / "ansible.cfg"]
    for source in sources:
        path = Path(source)
        if path.is_dir() or _is_dynamic(path):
            return None
        paths += [path, *(path.parent / folder for folder in _VARIABLES)]
    found: set[tuple[str, int, int, int, int]] = set()
    for path in paths:
        for each in _below(path):
            found.add(each)
            if len(found) > _FILES_AT_MOST:
                return None
    return frozenset(found)


def _is_dynamic(path: Path) -> bool:
    """Executable, or a YAML file that names a plugin; ``host,`` lists have no file and never change."""
    if not path.is_file():
        return False
    if os.access(path, os.X_OK):
        return True
    try:
        return any(line.lstrip("{ ").startswith(("plugin:", '"plugin"')) for line in path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return True


def _below(path: Path) -> Iterator[tuple[str, int, int, int, int]]:
    """The file itself, or every file and directory in it; a missing one is told too, so that it counts when it appears."""
    try:
        state = path.stat()
        children = sorted(path.iterdir()) if path.is_dir() else []
    except OSError:
        yield (str(path), 0, 0, 0, 0)
        return
    yield (str(path), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    for child in children:
        yield from _below(child)
