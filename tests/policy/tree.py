"""What the policy tests look at: the tracked files of this repository."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def tracked() -> tuple[str, ...]:
    """Paths of all tracked files that exist, relative to the root, sorted."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted(name for name in listed.split("\0") if name and (ROOT / name).is_file()))


def under(*folders: str, suffix: str = "") -> list[str]:
    """Tracked files in these folders (``""`` = the root and everything below) that end so."""
    return [name for name in tracked() if name.endswith(suffix) and any(name.startswith(folder) for folder in folders)]


@cache
def text(name: str) -> str:
    """The text of a file; bytes that are no UTF-8 are shown as escapes."""
    return (ROOT / name).read_text(encoding="utf8", errors="backslashreplace")


def roles() -> list[str]:
    """Names of the collection's roles."""
    return sorted({name.split("/")[1] for name in under("roles/") if name.count("/") > 1})
