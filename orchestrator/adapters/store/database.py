"""One SQLite file: how it is opened, how a transaction begins, and what its errors mean to a technician."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError

from orchestrator.application.errors import BusyError, DesksideError, StoreError

BUSY_SECONDS = 15.0

_REMEDIES = (
    ("disk is full", "the disk is full: free some space; nothing was lost"),
    ("disk i/o error", "the disk reports an I/O error: check its health (dmesg) and its free space"),
    ("not a database", "it is not a database: move it away, or restore it from a backup"),
    ("malformed", "it is damaged: restore it from a backup"),
    ("readonly", "it may not be written: give this user write permission on it and on its directory"),
    ("unable to open", "it cannot be opened: check that the directory exists and that this user may write there"),
)


class Database:
    """Connections to one file, for any number of threads. Local disk only (WAL).

    Args:
        path: The file; its directory exists.
        read_only: Every write is refused by SQLite itself.
        synchronous: ``FULL`` survives a power cut; tests may say ``OFF``.
    """

    def __init__(self, path: Path, *, read_only: bool = False, synchronous: str = "FULL") -> None:
        self.path = path
        self._pragmas = [f"PRAGMA synchronous={synchronous}", "PRAGMA foreign_keys=ON"]
        self._pragmas.append("PRAGMA query_only=ON" if read_only else "PRAGMA journal_mode=WAL")
        self._engine = create_engine(
            f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS}, pool_size=5, max_overflow=30, pool_timeout=30
        )
        event.listen(self._engine, "connect", self._prepare)
        event.listen(self._engine, "begin", _begin)

    def _prepare(self, connection: Any, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy's own "begin" event below says which kind of transaction
        for pragma in self._pragmas:
            connection.execute(pragma).close()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One short transaction that owns the writer's lock from its first statement.

        Raises:
            StoreError: The file cannot be used; nothing of the transaction was kept.
            BusyError: Another process kept the writer's lock too long.
        """
        with self._translated(), self._engine.connect().execution_options(deskside_write=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the file; never waits for a writer.

        Raises:
            StoreError: The file cannot be used.
        """
        with self._translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise explain(self.path, error) from error


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("deskside_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def explain(path: Path, error: DBAPIError | sqlite3.Error) -> DesksideError:
    """Return what to raise for a database error: the file, what SQLite says, the remedy."""
    cause = str(error.orig if isinstance(error, DBAPIError) else error)
    lowered = cause.lower()
    if "locked" in lowered or "busy" in lowered:
        return BusyError(f"{path}: another process has been writing for {BUSY_SECONDS:.0f} seconds ({cause}); try again")
    for mark, remedy in _REMEDIES:
        if mark in lowered:
            return StoreError(f"{path}: {remedy} (SQLite says: {cause})")
    return StoreError(f"{path}: the database refused: {cause}; this is a defect of deskside, please report it")


def prepare_directory(state: Path) -> None:
    """Make the state directory, for this user alone.

    Raises:
        StoreError: It cannot be made or is not a directory.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{state}: the state directory cannot be made: {error.strerror}; make it, or name another one") from error
    if not os.access(state, os.W_OK | os.X_OK):
        raise StoreError(f"{state}: this user may not write to the state directory; change its owner, or name another one")
