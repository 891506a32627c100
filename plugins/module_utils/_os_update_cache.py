# Copyright (c) 2026 deskside
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stored scan: what is pending, and a key over everything that decides it (docs/explanation/contracts.md, section 4).

The key is the text that ``cksum`` prints for the lines of ``stat -L -c '%n %i %s %.9Y %.9Z' FILES``: the orchestrator's probe
computes it with those two programs, this file without starting any. Both must see the same bytes.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Iterable, List, Optional

from . import _guard
from . import _os_update_model as model
from ._os_update_host import Host

KEY = "/var/lib/deskside/os_update.key"
SCAN = "/var/lib/deskside/os_update.scan"
STAMP = "/var/lib/deskside/os_update.refreshed"


def listing(host: Host, files: Iterable[str]) -> bytes:
    """Name, inode, size, mtime and ctime of each file that exists, one line each, as GNU stat prints them."""
    lines = []
    for path in files:
        try:
            facts = os.stat(host.path(path))
        except OSError:
            continue
        lines.append(
            b"%s %d %d %s %s\n"
            % (os.fsencode(path), facts.st_ino, facts.st_size, _time(facts.st_mtime_ns), _time(facts.st_ctime_ns))
        )
    return b"".join(lines)


def _time(nanoseconds: int) -> bytes:
    return b"%d.%09d" % divmod(nanoseconds, 1_000_000_000)


def _table() -> List[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


def cksum(data: bytes) -> str:
    """What POSIX ``cksum`` prints for standard input: checksum and length."""
    table, value = _table(), 0
    length, octets = len(data), bytearray()
    while length:
        octets.append(length & 0xFF)
        length >>= 8
    for byte in data + bytes(octets):
        value = ((value << 8) & 0xFFFFFFFF) ^ table[(value >> 24) ^ byte]
    return f"{value ^ 0xFFFFFFFF} {len(data)}"


def key(host: Host, files: Iterable[str]) -> str:
    """The key of the present moment. Read it before the scan that it is to vouch for."""
    return cksum(listing(host, files))


def stored(host: Host, present: str) -> Optional[List[model.Pending]]:
    """The stored scan, if it was made at this key and is whole; else ``None``."""
    if (host.read(KEY) or "").rstrip("\n") != present or not _ours(host):
        return None
    text = host.read(SCAN)
    return None if text is None else model.parse_scan(text)


def store(host: Host, present: str, rows: Iterable[model.Pending]) -> None:
    """Keep a scan. The key goes last, after the old one is gone: a crash in between leaves none."""
    os.makedirs(os.path.dirname(host.path(KEY)), mode=0o755, exist_ok=True)
    forget(host)
    _guard.write_atomically(host.path(SCAN), "".join(row.line() + "\n" for row in rows), 0o644)
    _guard.write_atomically(host.path(KEY), present + "\n", 0o644)


def forget(host: Host) -> None:
    """Remove the key, so that nobody believes the stored scan."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(host.path(KEY))


def note_refresh(host: Host) -> None:
    """Remember that the package lists are fresh."""
    os.makedirs(os.path.dirname(host.path(STAMP)), mode=0o755, exist_ok=True)
    _guard.write_atomically(host.path(STAMP), "", 0o644)


def refreshed_at(host: Host) -> float:
    """When the package lists were last refreshed by us, epoch seconds; 0 = never."""
    return host.changed_at(STAMP)


def _ours(host: Host) -> bool:
    """Whether the stored scan can only have been written by root."""
    try:
        facts = os.lstat(host.path(KEY))
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_mode & 0o022
