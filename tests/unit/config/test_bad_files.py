"""Bad office files and flags: the exact text, the exit code, and nothing changed. The table is tests/bad_inputs/cases.yml."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.adapters.inventory import AnsibleInventory
from orchestrator.application.ports import InventorySnapshot
from orchestrator.entrypoints.cli import main

TABLE = Path(__file__).parents[2] / "bad_inputs"
CASES = yaml.safe_load((TABLE / "cases.yml").read_text(encoding="utf-8"))
SECRET_IN_SOME_CASES = "hunter2"


def digest(root: Path) -> str:
    """Names and contents of everything below a directory."""
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        found.update(f"{path.relative_to(root)}\n".encode())
        if path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()


def prepare(parent: Path, edits: list[dict[str, str]]) -> Path:
    """A copy of the good office with the mistakes of one case."""
    office = parent / "office"
    shutil.copytree(TABLE / "office", office)
    for edit in edits:
        path = office / edit["file"]
        path.parent.mkdir(exist_ok=True)
        if "content" in edit:
            path.write_text(edit["content"], encoding="utf-8")
            continue
        text = path.read_text(encoding="utf-8")
        assert text.count(edit["replace"]) == 1, f"the edit of {edit['file']} fits {text.count(edit['replace'])} times"
        path.write_text(text.replace(edit["replace"], edit["with"]), encoding="utf-8")
    return office


def said(text: str, office: Path) -> str:
    return text.replace(str(office), "OFFICE").replace(str(office.parent), "PARENT")


@pytest.fixture(scope="module", autouse=True)
def _one_reading_per_inventory() -> Iterator[None]:
    """Most cases have the same inventory: Ansible's real answer to the same question about the same bytes is asked for once."""
    patch = pytest.MonkeyPatch()
    answers: dict[tuple[str, ...], InventorySnapshot] = {}
    read = AnsibleInventory.load

    def load(self: AnsibleInventory, patterns: Collection[str] = ()) -> InventorySnapshot:
        contents = [path.read_text() for path in map(Path, self._sources) if path.is_file()]
        key = (*contents, *sorted(patterns))
        if not contents or key not in answers:
            snapshot = read(self, patterns)
            answers[key] = snapshot
            return snapshot
        return answers[key]

    patch.setattr(AnsibleInventory, "load", load)
    yield
    patch.undo()


@pytest.mark.parametrize("case", CASES, ids=[case["name"].replace(" ", "-") for case in CASES])
def test_bad_input_gets_its_text_and_code_and_changes_nothing(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    office = prepare(tmp_path.resolve(), case.get("edits", []))
    monkeypatch.chdir(office)
    before = digest(tmp_path)

    code = main(case["argv"])

    shown = capsys.readouterr()
    assert said(shown.err, office) == case["stderr"]
    assert code == case["exit"]
    assert shown.out == ""
    assert digest(tmp_path) == before
    assert SECRET_IN_SOME_CASES not in shown.err


def test_the_office_the_cases_start_from_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(prepare(tmp_path.resolve(), []))
    assert main(["config", "check"]) == 0, capsys.readouterr().err
    assert "1 window, 4 devices, 2 people: no errors." in capsys.readouterr().out


def test_the_same_refusal_as_json_has_every_problem_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = next(case for case in CASES if case["name"] == "two mistakes at once")
    monkeypatch.chdir(prepare(tmp_path.resolve(), case["edits"]))
    assert main(["config", "check", "--json"]) == 11
    error = yaml.safe_load(capsys.readouterr().out)["error"]
    assert [(each["file"], each["line"], each["column"]) for each in error["problems"]] == [
        ("maintenance.yml", 12, 13),
        ("maintenance.yml", 16, 33),
    ]


def test_there_are_enough_cases_and_no_two_are_the_same() -> None:
    assert len(CASES) >= 25
    assert len({case["name"] for case in CASES}) == len(CASES)
