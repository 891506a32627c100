"""For every key of the schema: changing it changes the plan or the run, as somebody outside sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.policy.settings_table import ROWS, W, write_office
from tests.policy.watched_night import watch

FIRST: dict[str, dict[str, Any]] = {
    "maintenance_windows.starts.dst": {f"{W}.starts.0.rrule": "FREQ=WEEKLY;BYDAY=SA", f"{W}.starts.0.at": "02:30"},
    "sites": {f"{W}.zone": "site"},
    "sites.zone": {f"{W}.zone": "site"},
    "sites.group": {f"{W}.absent.wake": True},
    "sites.waker": {f"{W}.absent.wake": True},
    "wake_wait": {f"{W}.absent.wake": True},
}
"""What must hold on both sides so that the key has something to say."""


@pytest.fixture(autouse=True)
def _passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "one")
    monkeypatch.setenv("B", "two")


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is seen of the office as the table has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A", "one")
        return watch(write_office(tmp_path_factory.mktemp("usual") / "office", {}))


def test_the_watched_night_is_a_real_one(usual: dict[str, Any]) -> None:
    night = usual["night"]["night"]
    assert usual["jobs"], night
    assert any("ws-4" in job for job in usual["jobs"]) is False, "asleep, and nobody may wake it"
    assert usual["questions"]
    assert any("report" in notice for notice in night["notices"])
    assert usual["mail"]
    assert any("Christmas" in str(plan) for plan in usual["night"]["christmas"])


def test_the_same_office_looks_the_same_also_with_another_comment_in_its_file(usual: dict[str, Any], tmp_path: Path) -> None:
    office = write_office(tmp_path / "office", {})
    text = (office / "maintenance.yml").read_text()
    (office / "maintenance.yml").write_text(f"# a comment\n\n{text}")
    assert watch(office) == usual, "where something is written is no part of a plan, not even of its hash"


@pytest.mark.parametrize("key", ROWS)
def test_changing_the_key_changes_what_is_seen(key: str, usual: dict[str, Any], tmp_path: Path) -> None:
    first = FIRST.get(key, {})
    before = watch(write_office(tmp_path / "office", first)) if first else usual
    after = watch(write_office(tmp_path / "office", {**first, **ROWS[key][0]}))
    assert after != before, f"nobody could tell that {key} was changed"
