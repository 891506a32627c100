"""The application's own state: one SQLite file, SQLAlchemy Core, Alembic migrations that travel with the package."""

from __future__ import annotations

from pathlib import Path

from orchestrator.adapters.store.database import Database, prepare_directory
from orchestrator.adapters.store.history import SqlHistory
from orchestrator.adapters.store.leases import SqlLeases
from orchestrator.adapters.store.locks import SqlLocks
from orchestrator.adapters.store.migration import check, migrate, revision
from orchestrator.adapters.store.occurrences import SqlOccurrences
from orchestrator.adapters.store.outbox import SqlOutbox
from orchestrator.adapters.store.schema import HEAD
from orchestrator.application.errors import StoreError

FILE = "deskside.db"

__all__ = ["FILE", "SqlStore", "open_store"]


class SqlStore(SqlOccurrences, SqlLeases, SqlLocks, SqlHistory, SqlOutbox):
    """Every part of the port ``Store`` on one database. Safe for several threads and processes."""

    @property
    def path(self) -> Path:
        """The database file."""
        return self._database.path

    def close(self) -> None:
        """Give every connection back; the store may be used again afterwards."""
        self._database.close()


def open_store(state: Path, *, create: bool = True) -> SqlStore:
    """Open ``<state>/deskside.db``.

    Args:
        state: The state directory.
        create: Make or migrate the file when that is needed. False is for commands that only read: they change nothing,
            and SQLite itself refuses them every write.

    Raises:
        StoreError: The directory or file cannot be used, was written by a newer deskside, or (``create=False``) is missing or old.
        BusyError: Another process is migrating it and does not end.
    """
    path = state / FILE
    if create:
        prepare_directory(state)
    database = Database(path, read_only=not create)
    try:
        _make_current(database, create=create)
    except BaseException:
        database.close()
        raise
    return SqlStore(database)


def _make_current(database: Database, *, create: bool) -> None:
    path = database.path
    new = _is_new(path)
    if new and not create:
        raise StoreError(f"{path}: there is no state yet; `deskside plan`, `deskside run` and `deskside daemon` make it")
    if new or not check(path, found := revision(database)):
        if not create:
            raise StoreError(
                f"{path}: its schema is {found}, this deskside needs {HEAD}; "
                "run a command that writes once (`deskside plan WINDOW`, or restart `deskside daemon`): it migrates the file"
            )
        migrate(database)


def _is_new(path: Path) -> bool:
    try:
        return not path.exists() or path.stat().st_size == 0
    except OSError as error:
        raise StoreError(f"{path}: cannot be looked at: {error.strerror}; give this user access to the state directory") from error
