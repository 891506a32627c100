"""One small lab for all tests that need containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from deskside_lab import Lab
from deskside_lab.host import can_run_containers

DEVICES = ("ws-ada", "ws-grace", "ws-alan", "ws-asima", "mail")


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A lab with the test profile; refused loudly where containers cannot run."""
    verdict = can_run_containers()
    if not verdict:
        pytest.fail(verdict.reason)
    made = Lab("t-lab")
    made.down()
    made.up("test", DEVICES)
    yield made
    made.down()
