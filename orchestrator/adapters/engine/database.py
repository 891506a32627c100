"""The engine's own SQLite file, opened so that DBOS runs on every SQLite from 3.35 on and survives a power cut."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

FILE = "engine.db"

_HAS_UNIXEPOCH = (3, 42)
_BUSY_MILLISECONDS = 30_000


def open_engine_database(state: Path) -> Engine:
    """Return an SQLAlchemy engine for ``<state>/engine.db``; DBOS makes and migrates the tables.

    DBOS leaves an engine that it is given as it is, so everything it does to its own is done here: immediate transactions, a long
    busy timeout, foreign keys; and what it leaves out: write-ahead log and full synchronisation.
    """
    from sqlalchemy import create_engine, event

    path = state / FILE
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    engine = create_engine(f"sqlite:///{path}", pool_size=10, max_overflow=20, pool_timeout=30)
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = "IMMEDIATE"
    for pragma in (f"busy_timeout={_BUSY_MILLISECONDS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()
    if sqlite3.sqlite_version_info < _HAS_UNIXEPOCH:
        # before 3.42 unixepoch('subsec') is NULL, and DBOS's NOT NULL columns refuse it
        connection.create_function("unixepoch", 1, _unixepoch)


def _unixepoch(modifier: str) -> float:
    if modifier != "subsec":
        raise ValueError(f"unixepoch({modifier!r}) is not known to this shim for SQLite {sqlite3.sqlite_version}")
    return int(time.time() * 1000) / 1000
