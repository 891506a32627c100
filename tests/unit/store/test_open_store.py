"""How the file is made, migrated, refused: what a technician sees when the state cannot be used."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.adapters.store import FILE, open_store, schema
from orchestrator.adapters.store.database import Database, explain
from orchestrator.application.errors import BusyError, StoreError
from orchestrator.application.ports import LogEntry


def entry(now) -> LogEntry:
    return LogEntry(at=now, kind="test", text="one line")


def test_a_new_state_is_made_for_this_user_alone_and_is_durable(tmp_path: Path) -> None:
    store = open_store(tmp_path / "var" / "deskside")
    assert (tmp_path / "var" / "deskside").stat().st_mode & 0o777 == 0o700
    assert store.path.stat().st_mode & 0o777 == 0o600
    with store._database.read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    store.close()


def test_the_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    store = open_store(tmp_path)
    with store._database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    store.close()
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    assert scripts.get_current_head() == schema.HEAD
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == schema.REVISIONS


def test_a_reader_makes_nothing_and_writes_nothing(tmp_path: Path, now) -> None:
    with pytest.raises(StoreError, match=r"there is no state yet; `deskside plan`"):
        open_store(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []
    open_store(tmp_path).close()
    reader = open_store(tmp_path, create=False)
    assert reader.log_entries() == []
    with pytest.raises(StoreError, match="may not be written"):
        reader.log(entry(now))
    reader.close()


def test_a_newer_schema_is_refused_and_both_are_named(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.close()
    for create in (True, False):
        with pytest.raises(StoreError, match=r"its schema is 0999, this deskside knows schemas up to 0001: .* upgrade this one"):
            open_store(tmp_path, create=create)


def test_an_older_schema_is_migrated_by_a_writer_and_reported_by_a_reader(tmp_path: Path, monkeypatch) -> None:
    open_store(tmp_path).close()
    monkeypatch.setattr("orchestrator.adapters.store.migration.HEAD", "0002")
    monkeypatch.setattr("orchestrator.adapters.store.HEAD", "0002")
    with pytest.raises(StoreError, match=r"its schema is 0001, this deskside needs 0002; run a command that writes once"):
        open_store(tmp_path, create=False)
    asked: list[Database] = []
    monkeypatch.setattr("orchestrator.adapters.store.migration._upgrade", asked.append)
    open_store(tmp_path).close()
    assert len(asked) == 1


def test_a_migration_that_another_process_never_ends_is_busy(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("orchestrator.adapters.store.migration.LOCK_SECONDS", 0.2)
    with (tmp_path / f"{FILE}.migrate.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match=r"migrate.lock: another process has been migrating for 0 seconds; wait for it"):
            open_store(tmp_path)
    open_store(tmp_path).close()


def test_a_migration_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    from orchestrator.adapters.store.migrations.versions import v0001_first

    del v0001_first
    monkeypatch.setattr("alembic.op.create_index", lambda *_a, **_k: (_ for _ in ()).throw(RuntimeError("half way")))
    with pytest.raises(RuntimeError, match="half way"):
        open_store(tmp_path)
    monkeypatch.undo()
    with sqlite3.connect(tmp_path / FILE) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    open_store(tmp_path).close()


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(StoreError, match=r"deskside.db: it is not a database: move it away, or restore it from a backup"):
        open_store(tmp_path)
    assert (tmp_path / FILE).read_bytes().startswith(b"this is a letter")


def test_a_database_of_another_program_is_refused_and_kept(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    with pytest.raises(StoreError, match=r"is not deskside's \(it holds bookmarks\)"):
        open_store(tmp_path)


def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.close()
    content = bytearray((tmp_path / FILE).read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreError, match=r"deskside.db: it is damaged: restore it from a backup"):
        open_store(tmp_path).log_entries()


def test_a_state_that_is_a_file_or_lies_in_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StoreError, match=r"state: the state directory cannot be made: File exists"):
        open_store(tmp_path / "state")
    with pytest.raises(StoreError, match=r"the state directory cannot be made: Not a directory"):
        open_store(tmp_path / "state" / "inside")


def test_a_directory_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreError, match=r"deskside.db: it cannot be opened"):
        open_store(tmp_path)


def test_a_state_that_may_not_be_written_is_refused() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o555)
        with pytest.raises(StoreError, match="this user may not write to the state directory"):
            as_somebody_else(lambda: open_store(Path(folder)))


def test_a_file_that_may_not_be_written_or_read_is_refused() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        state = Path(folder)
        state.chmod(0o777)
        open_store(state).close()
        (state / FILE).chmod(0o444 if os.geteuid() == 0 else 0o400)
        with pytest.raises(StoreError, match=r"deskside\.db: it may not be written: give this user write permission on it"):
            as_somebody_else(lambda: open_store(state).free_lock("ws-1", "nobody"))
        (state / FILE).chmod(0o000)
        with pytest.raises(StoreError, match=r"deskside\.db: it cannot be opened"):
            as_somebody_else(lambda: open_store(state))


def as_somebody_else(act: Callable[[], object]) -> None:
    """Do it in a child that is not root; raise what it raised."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        try:
            act()
        except StoreError as error:
            os.write(writing, str(error).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        text = answer.read().decode()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    if text:
        raise StoreError(text)


def test_a_full_disk_loses_nothing_and_says_so(tmp_path: Path, now) -> None:
    store = open_store(tmp_path)
    store.log(entry(now))

    def smaller(connection, _record) -> None:
        connection.execute("PRAGMA max_page_count=1").close()  # SQLite takes the present size as the least

    from sqlalchemy import event

    store._database.close()
    event.listen(store._database._engine, "connect", smaller)
    long = LogEntry(at=now, kind="test", text="x" * 400_000)
    with pytest.raises(StoreError, match=r"deskside.db: the disk is full: free some space; nothing was lost"):
        store.log(long)
    store.close()
    again = open_store(tmp_path)
    assert [line.text for line in again.log_entries()] == ["one line"]
    again.close()


def test_a_writer_that_never_ends_is_busy_not_broken(tmp_path: Path, now, monkeypatch) -> None:
    monkeypatch.setattr("orchestrator.adapters.store.database.BUSY_SECONDS", 0.1)
    store = open_store(tmp_path)
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyError, match=r"another process has been writing for 0 seconds \(database is locked\); try again"):
        store.log(entry(now))
    assert store.log_entries() == [], "a reader never waits for a writer"
    other.execute("ROLLBACK")
    other.close()
    store.log(entry(now))
    store.close()


def test_an_error_nobody_foresaw_still_names_the_file() -> None:
    error = explain(Path("/var/lib/deskside/deskside.db"), sqlite3.OperationalError("no such table: moon"))
    assert isinstance(error, StoreError)
    assert "/var/lib/deskside/deskside.db: the database refused: no such table: moon" in str(error)


def _open(state: Path, go) -> None:
    go.wait(10)
    store = open_store(state)
    store.locks()
    store.close()


def test_four_processes_that_open_a_new_state_at_once_migrate_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    go = context.Event()
    processes = [context.Process(target=_open, args=(tmp_path, go)) for _ in range(4)]
    for process in processes:
        process.start()
    go.set()
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0] * 4
