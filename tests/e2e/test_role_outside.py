"""A role made outside the repository, by the commands of the how-to, from what the wheel holds, goes green."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = ROOT / "docs/how-to/write-and-test-a-role.md"
LAB = "outside"

pytestmark = [pytest.mark.lab, pytest.mark.slow]


class Outside:
    """An empty directory, and a Python that finds deskside only as the wheel has it."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "DESKSIDE_", "MOLECULE_"))}
        self.environment = {
            **kept,
            "PYTHONPATH": str(wheel),
            "XDG_STATE_HOME": str(folder / "state"),
            "ANSIBLE_HOME": str(folder / "ansible"),
        }

    def python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
        return done.stdout + done.stderr


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    wheel = tmp_path / "wheel"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(next((tmp_path / "dist").glob("*.whl"))) as archive:
        archive.extractall(wheel)
    (tmp_path / "empty").mkdir()
    made = Outside(tmp_path / "empty", wheel)
    assert str(wheel) in made.python("-c", "import deskside_lab; print(deskside_lab.__file__)")
    try:
        yield made
    finally:
        made.python("-c", f"from deskside_lab.lab import Lab; Lab({LAB!r}).down()")


def commands() -> list[list[str]]:
    """The commands of the how-to's part about other places."""
    part = HOW_TO.read_text().split("## Outside this repository", 1)[1].split("```")[1]
    return [line.split()[1:] for line in part.strip().splitlines()]


def test_the_commands_of_the_how_to_make_a_role_that_is_green(outside):
    asked = commands()
    assert [words[1] for words in asked] == [
        "deskside_lab.new_role",
        "deskside_lab.try_role",
        "deskside_lab.try_role",
        "deskside_lab.role_readme",
    ]
    for words in asked:
        more = ["--lab", LAB] if words[1] == "deskside_lab.try_role" else []
        said = outside.python(*words, *more)
        if more:
            assert len(re.findall(r"successful=4", re.sub(r"\x1b\[[0-9;]*m", "", said))) == len(
                [w for w in words if w.startswith("printer_driver")]
            )
    assert (outside.folder / "roles/printer_driver/tasks/apply.yml").exists()
