"""For every test: nothing of the machine it runs on leaks in."""

from __future__ import annotations

import os

import pytest

LEAKS = ("DESKSIDE_", "ANSIBLE_", "MOLECULE_")
KEPT = frozenset({"ANSIBLE_HOME", "DESKSIDE_LAB", "DESKSIDE_TEST_FULL"})


def pytest_configure(config: pytest.Config) -> None:
    """Drop variables that would change what is tested, before anything is imported."""
    del config
    for name in [n for n in os.environ if n.startswith(LEAKS) and n not in KEPT]:
        del os.environ[name]


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds or leaves state in the home of whoever runs it."""
    home = tmp_path_factory.getbasetemp() / "state-home"
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    monkeypatch.setenv("DESKSIDE_STATE", str(home / "deskside"))  # root's standard place is the service's own
