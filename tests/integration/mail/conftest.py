"""A real Postfix and Dovecot: the lab's mail server, in a lab of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from deskside_lab.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Only the mail server of the office; down again afterwards."""
    made = Lab("mail")
    made.up(devices=["mail"])
    try:
        yield made
    finally:
        made.down()


@pytest.fixture
def office(lab: Lab) -> Lab:
    """The same, with empty mailboxes."""
    lab.mail.clear()
    return lab
