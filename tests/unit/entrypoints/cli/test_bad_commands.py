"""What working commands say to bad flags, wrong moments and unusable state. The table is tests/bad_inputs/commands.yml."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.adapters.engine import process_identity
from orchestrator.adapters.engine.executor_lock import executor_lock
from orchestrator.adapters.store import open_store
from orchestrator.application.ports import Actor
from orchestrator.bootstrap import House
from orchestrator.entrypoints.cli import main

TABLE = Path(__file__).parents[3] / "bad_inputs"
CASES = yaml.safe_load((TABLE / "commands.yml").read_text(encoding="utf-8"))
ADA = Actor("ada", "cli")
NOBODY = 65534
DATES = re.compile(r"(?:\w{3} )?\d{1,2} \w{3} \d{4} \d\d:\d\d \w+/\w+|\d{4}-\d\d-\d\d(?: \d\d:\d\d)?(?=[/ \".]|$)|\d{4}-\d\d-\d\d")


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory in which the next patch night is planned."""
    office = tmp_path_factory.mktemp("planned") / "office"
    shutil.copytree(TABLE / "office", office)
    house = House(office=office, state=office.parent / "state")
    window = house.facts.windows["patch-night"]
    house.open_occurrence.book(window, house.plan_rollout.next_occurrence(window), actor=ADA)
    house.store.close()
    return office.parent / "state"


def fill(kind: str, state: Path, planned: Path, stack: ExitStack) -> None:
    """Make the state directory that a case begins with."""
    if kind in {"planned", "locked", "cancelled", "newer"}:
        shutil.copytree(planned, state)
    if kind == "cancelled":
        house = House(state=state)
        house.steer.cancel("patch-night", actor=ADA, reason="rain")
        house.store.close()
    elif kind == "locked":
        store = open_store(state)
        store.lock_devices(
            ["ws-ada"], "another machine", "run-playbook x by linus", groups={}, stay_up={}, now=datetime.now(UTC), ttl=60
        )
        store.close()
    elif kind == "newer":
        with closing(sqlite3.connect(state / "deskside.db", isolation_level=None)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
    elif kind == "garbage":
        state.mkdir()
        (state / "deskside.db").write_bytes(b"this is no database\n" * 200)
    elif kind == "busy":
        state.mkdir()
        stack.enter_context(executor_lock(state, "local", process_identity("local")))
    elif kind == "foreign":
        state.mkdir(mode=0o700)
        os.seteuid(NOBODY)
        stack.callback(os.seteuid, 0)


def digest(root: Path) -> str:
    """The office's bytes and the store's content (not its bytes: SQLite keeps side files)."""
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix not in {".db", ".db-wal", ".db-shm", ".lock", ".log"} and "executor" not in path.name:
            found.update(str(path.relative_to(root)).encode() + path.read_bytes())
    database = root / "state" / "deskside.db"
    if database.exists() and database.read_bytes()[:6] == b"SQLite":
        with closing(sqlite3.connect(database)) as connection:
            rows = [line for line in connection.iterdump() if line.startswith("INSERT") and "alembic_version" not in line]
        found.update("\n".join(rows).encode())
    return found.hexdigest()


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that other users may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="deskside-bad-") as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve()


@pytest.mark.parametrize("case", CASES, ids=[case["name"].replace(" ", "-") for case in CASES])
def test_a_bad_command_gets_its_text_and_code_and_changes_nothing(
    case: dict[str, Any],
    place: Path,
    planned: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if case.get("state") == "foreign" and os.geteuid() != 0:
        pytest.fail("this case needs root: it becomes another user")
    office, state = place / "office", place / "state"
    shutil.copytree(TABLE / "office", office)
    for edit in case.get("edits", ()):
        (office / edit["file"]).write_text(edit["content"], encoding="utf-8")
    monkeypatch.chdir(office)
    monkeypatch.setenv("DESKSIDE_STATE", str(state))
    for name, value in case.get("env", {}).items():
        monkeypatch.setenv(name, value)
    with ExitStack() as stack:
        fill(case.get("state", "none"), state, planned, stack)
        if case.get("state") == "foreign":
            code = main(case["argv"])
            before = after = ""
        else:
            before = digest(place)
            code = main(case["argv"])
            after = digest(place)
    shown = capsys.readouterr()
    text = DATES.sub("DATE", shown.err.replace(str(state), "STATE").replace(str(office), "OFFICE"))
    assert code == case["exit"], shown.err
    if "stderr" in case:
        assert text.rstrip("\n") == case["stderr"]
    assert f"(exit {case['exit']}:" in text
    if case["exit"] != 21:
        assert before == after


def test_no_two_cases_are_the_same() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)
