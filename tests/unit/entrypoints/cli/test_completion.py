"""Completion of names: from plain files, at once, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.entrypoints.cli._complete import devices, people, windows

MAINTENANCE = "maintenance_windows:\n  patch-night: {title: !vault x}\n  kiosks: {}\n"
HOSTS = "workstations:\n  vars: {hosts: {not-a-device: 1}}\n  children:\n    berlin:\n      hosts:\n        ws-ada: {deskside_users: [ada]}\n        ws-[01:50]:\n        fs-1:\n"
INI = "bare ansible_host=1.2.3.4\n[web]\nweb-1\nweb-[2:9]\n# web-3\n[web:vars]\nport=80\n[all:children]\nweb\n"


@pytest.fixture
def office(tmp_path: Path) -> Path:
    (tmp_path / "maintenance.yml").write_text(MAINTENANCE)
    (tmp_path / "maintenance.d").mkdir()
    (tmp_path / "maintenance.d" / "more.yml").write_text("maintenance_windows: {servers: {}}\n")
    (tmp_path / "people.yml").write_text("ada: {name: Ada}\ngrace: {name: Grace}\n")
    (tmp_path / "hosts.yml").write_text(HOSTS)
    return tmp_path


def completed(office: Path, line: str) -> list[str]:
    environment = {
        **os.environ,
        "_DESKSIDE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    ended = subprocess.run(
        [sys.executable, "-c", "from orchestrator.entrypoints.cli import main; main()"],
        env=environment, cwd=office, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert ended.stderr == ""
    return ended.stdout.split()


def test_names_come_from_plain_files(office: Path) -> None:
    assert list(windows(office)) == ["patch-night", "kiosks", "servers"]
    assert list(people(office)) == ["ada", "grace"]
    assert list(devices(office)) == ["ws-ada", "fs-1"]


def test_an_ini_inventory_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text(INI)
    assert list(devices(tmp_path)) == ["bare", "web-1"]


def test_the_shell_is_offered_windows_and_commands(office: Path) -> None:
    assert completed(office, "deskside plan ") == ["kiosks", "patch-night", "servers"]
    assert completed(office, "deskside plan p") == ["patch-night"]
    assert "maintenance" in completed(office, "deskside ma")
    assert {"list", "show", "next"} <= set(completed(office, "deskside maintenance "))


def test_the_office_that_was_named_counts(office: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    away = tmp_path_factory.mktemp("away")
    assert completed(away, f"deskside --office {office} plan k") == ["kiosks"]


def test_a_broken_office_offers_nothing_and_says_nothing(office: Path) -> None:
    (office / "maintenance.yml").write_text("maintenance_windows: [")
    assert completed(office, "deskside plan ") == []


def test_it_costs_a_blink(office: Path) -> None:
    """Processor time, not wall time: a busy machine must not make this red."""
    completed(office, "deskside plan ")
    before = os.times()
    completed(office, "deskside plan ")
    after = os.times()
    assert (after.children_user + after.children_system) - (before.children_user + before.children_system) < 1.0
