"""The bench must notice when deskside took another path than its row says, and read CPU accounts of both kinds of kernel."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.benchmarks.accounts import seconds_of
from tests.benchmarks.bench import left_wrong
from tests.benchmarks.scene import Evidence, Planted, states
from tests.benchmarks.variants import Did, deskside_did

DEVICES = ("a", "b")
ONE = Planted("one", "", ("a",), fresh=True)
DONE = {"device": "a", "outcome": "changed", "reason": "", "detail": {"pending": [], "packages": []}}
PROBED = {"device": "b", "outcome": "ok", "reason": "", "detail": {"pending": [], "path": "probe"}}


def artifact(folder: Path, *hosts: str) -> Path:
    """One run of Ansible that ended with statistics of these hosts."""
    folder.mkdir()
    with gzip.open(folder / "events.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.write(json.dumps({"e": "stats", "hosts": {host: {} for host in hosts}}) + "\n")
    return folder


def did(rows: list[dict[str, Any]], *runs: Path, state: Planted = ONE) -> Did:
    return deskside_did(1.0, rows, frozenset(runs), SimpleNamespace(devices=DEVICES), state)  # type: ignore[arg-type]


def test_the_path_of_a_night_with_one_dirty_device(tmp_path: Path) -> None:
    found = did([DONE, PROBED], artifact(tmp_path / "run", "a"))
    assert found.wrong == []
    assert [found.expected_logins(device) for device in DEVICES] == [None, 1]


def test_a_run_of_ansible_on_a_clean_device_is_seen(tmp_path: Path) -> None:
    found = did([DONE, {**PROBED, "detail": {"pending": []}}], artifact(tmp_path / "run", "a", "b"))
    assert found.wrong == ["Ansible ran on ['a', 'b'], needed by ['a']", "settled by the probe alone: []"]


def test_a_missed_device_is_seen() -> None:
    found = did([{**PROBED, "device": "a"}, PROBED])
    assert found.wrong == ["Ansible ran on [], needed by ['a']", "settled by the probe alone: ['a', 'b']", "0 runs of Ansible"]


def test_a_second_run_and_files_per_event_are_seen(tmp_path: Path) -> None:
    first, second = artifact(tmp_path / "1", "a"), artifact(tmp_path / "2", "a")
    (second / "job_events").mkdir()
    assert did([DONE, PROBED], first, second).wrong == ["2 runs of Ansible", f"{second} holds one file per event"]


def test_a_failed_device_is_seen(tmp_path: Path) -> None:
    found = did([{**DONE, "outcome": "failed", "reason": "dpkg is locked"}, PROBED], artifact(tmp_path / "run", "a"))
    assert found.wrong == ["a: failed dpkg is locked"]


def test_old_lists_need_a_run_everywhere(tmp_path: Path) -> None:
    rows = [{**PROBED, "device": name, "detail": {"pending": []}} for name in DEVICES]
    assert did(rows, artifact(tmp_path / "run", "a", "b"), state=states(DEVICES)["old-lists"]).wrong == []


@pytest.mark.parametrize(
    ("name", "text"), [("cpuacct.usage", "1500000000\n"), ("cpu.stat", "nr_periods 0\nusage_usec 1500000\nuser_usec 1\n")]
)
def test_cpu_accounts_of_both_kinds(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert seconds_of(tmp_path) == 1.5


@pytest.mark.parametrize(
    ("device", "state", "after", "wrong"),
    [
        ("b", "one", Evidence("2.0", 3, 10.0), []),
        ("a", "one", Evidence("2.0", 4, 10.0), []),
        ("a", "one", Evidence("1.0", 3, 10.0), ["a: lab-harmless 1.0, installed 0 times"]),
        ("a", "one", Evidence("2.0", 5, 10.0), ["a: lab-harmless 2.0, installed 2 times"]),
        ("b", "one", Evidence("2.0", 3, 11.0), ["b: package lists were fetched"]),
        ("b", "old-lists", Evidence("2.0", 3, 11.0), []),
        ("b", "old-lists", Evidence("2.0", 3, 10.0), ["b: package lists were not fetched"]),
    ],
)
def test_devices_show_whether_equal_work_was_done(device: str, state: str, after: Evidence, wrong: list[str]) -> None:
    assert left_wrong(device, states(DEVICES)[state], Evidence("", 3, 10.0), after) == wrong
