"""Which schema a file has, and how an older one is brought up to date (Alembic, under a file lock)."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import inspect, text

from orchestrator.adapters.store.database import Database
from orchestrator.adapters.store.schema import HEAD, REVISIONS
from orchestrator.application.errors import BusyError, StoreError

LOCK_SECONDS = 60.0


def revision(database: Database) -> str | None:
    """Return the schema revision of the file, ``None`` when it is new.

    Raises:
        StoreError: The file cannot be used or belongs to another program.
    """
    with database.read() as connection:
        tables = inspect(connection).get_table_names()
        if "alembic_version" in tables:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if tables:
        raise StoreError(f"{database.path}: this database is not deskside's (it holds {tables[0]}); name another state directory")
    return None


def check(path: Path, found: str | None) -> bool:
    """Return True when the file has the schema of this code, False when it must be migrated.

    Raises:
        StoreError: A newer deskside wrote it.
    """
    if found is not None and found not in REVISIONS:
        raise StoreError(
            f"{path}: its schema is {found}, this deskside knows schemas up to {HEAD}: a newer deskside has written it; upgrade this one"
        )
    return found == HEAD


def migrate(database: Database) -> None:
    """Bring the file to :data:`HEAD`. Safe from several processes at once.

    Raises:
        StoreError: A newer deskside wrote it, or it cannot be written.
        BusyError: Another process is migrating and does not end.
    """
    with _locked(database.path.with_name(database.path.name + ".migrate.lock")):
        _make_private(database.path)
        if not check(database.path, revision(database)):
            _upgrade(database)


def _make_private(path: Path) -> None:
    """Make the file for this user alone (it names people); SQLite gives its side files the same permissions."""
    if not path.exists():
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreError(f"{path}: cannot be made: {error.strerror}; give this user write permission there") from error


def _upgrade(database: Database) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: cannot be made: {error.strerror}; give this user write permission there") from error
    try:
        _wait_for(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise BusyError(
                    f"{path}: another process has been migrating for {LOCK_SECONDS:.0f} seconds; wait for it, then try again"
                ) from None
            time.sleep(0.05)
        else:
            return
