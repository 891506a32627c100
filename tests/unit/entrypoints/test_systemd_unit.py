"""The shipped unit is one that systemd reads, and kills what the daemon started."""

from __future__ import annotations

import configparser
from pathlib import Path

import orchestrator

UNIT = Path(orchestrator.__file__).parent / "entrypoints" / "systemd" / "deskside.service"


def test_the_unit_ends_ansible_with_the_daemon_and_keeps_its_state() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    assert unit["Service"]["KillMode"] == "control-group"
    assert unit["Service"]["ExecStart"].endswith("deskside daemon")
    assert unit["Service"]["User"] == "deskside"
    assert unit["Service"]["StateDirectory"] == "deskside"
    assert unit["Install"]["WantedBy"] == "multi-user.target"
