"""The words people read, kept as files: a change of wording shows up as a change of a file.

``WRITE_GOLDEN=yes pytest tests/unit/render/test_golden.py`` writes them anew; read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.render.samples import kinds, renderer
from tests.unit.report import night

GOLDEN = Path(__file__).parent / "golden"
NOTICES = kinds(night.plan())


def compare(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("WRITE_GOLDEN") == "yes":
        GOLDEN.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    assert text == path.read_bytes().decode(), f"{path} differs"


@pytest.mark.parametrize("name", NOTICES)
def test_the_text_reads_as_agreed(name):
    message = renderer().render(NOTICES[name])
    compare(f"{name}.txt", f"Subject: {message.subject}\n\n{message.text}")


@pytest.mark.parametrize("name", ["invitation", "cancelled"])
def test_the_calendar_entry_is_as_agreed(name):
    compare(f"{name}.ics", renderer().render(NOTICES[name]).calendar or "")


def test_the_page_of_an_invitation_is_as_agreed():
    compare("invitation.html", renderer().render(NOTICES["invitation"]).html)


def test_every_golden_file_belongs_to_a_notice():
    names = {f"{name}.txt" for name in NOTICES} | {"invitation.ics", "cancelled.ics", "invitation.html"}
    assert {path.name for path in GOLDEN.iterdir()} == names
