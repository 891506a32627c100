"""A night under kill -9, judged from outside; in `make test-full` also the nights with planted faults that must turn the judge red."""

from __future__ import annotations

import os
import secrets

import pytest

from tests.chaos.drive import chaos
from tests.chaos.night import bring_up
from tests.chaos.planted_nights import PLANTS, planted_night

pytestmark = [pytest.mark.lab, pytest.mark.slow]

FULL = bool(os.environ.get("DESKSIDE_TEST_FULL"))


def test_a_daemon_killed_in_every_phase_keeps_its_promises() -> None:
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6))
    assert chaos(seed=seed, count=30 if FULL else 15) == []


@pytest.mark.skipif(not FULL, reason="planted faults: make chaos-planted, or make test-full")
@pytest.mark.parametrize("name", PLANTS)
def test_the_checker_goes_red_on_a_planted_fault_and_only_then(name: str) -> None:
    wrong, judged = planted_night(name, bring_up())
    assert not wrong, judged.violations
