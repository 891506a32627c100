"""One lab for all nights; every test gets its own state directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from deskside_lab import Lab

from tests.e2e.practice import Practice


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The office of the example with the lab's own packages in their old versions; removed afterwards."""
    made = Lab("e2e")
    made.up("test")
    yield made
    made.down()


@pytest.fixture
def practice(lab: Lab, tmp_path: Path) -> Practice:
    """A practice office with an empty state and empty mailboxes; the devices are as the test before left them."""
    lab.mail.clear()
    return Practice(lab, tmp_path)
