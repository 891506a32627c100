"""What is generated is generated: nobody edits it by hand, nobody forgets to write it again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.entrypoints.cli._table import COMMANDS
from tests.policy import generate
from tests.policy.tree import ROOT, roles

PAGES = "import json; from tests.policy import generate; print(json.dumps({str(k): v for k, v in generate.pages().items()}))"


def test_generated_pages_are_up_to_date() -> None:
    # In a process of its own, as `make docs` does it: other tests have called commands in this one.
    ended = subprocess.run([sys.executable, "-c", PAGES], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    stale = [
        name
        for name, page in json.loads(ended.stdout).items()
        if not (ROOT / name).exists() or (ROOT / name).read_text(encoding="utf8") != page
    ]
    assert stale == [], "run: make docs"


@pytest.mark.parametrize("generator", sorted(path.name for path in Path(__file__).parent.glob("generate_*.py")))
def test_what_other_generators_write_is_up_to_date(generator: str) -> None:
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).parent / generator), "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_command_of_the_table_is_in_this_version() -> None:
    assert [name for name, entry in COMMANDS.items() if not entry.present()] == []


def test_every_command_and_option_says_what_it_is() -> None:
    silent = []
    for path, command, ctx in generate.commands():
        silent += [path] if not (command.help or "").strip() else []
        silent += [f"{path} {names}" for names, text in generate.parameters(command, ctx) if not text.strip()]
    assert silent == []


def test_every_command_answers_as_json() -> None:
    leaves = [(path, command) for path, command, _ in generate.commands() if not hasattr(command, "commands")]
    assert leaves
    assert [path for path, command in leaves if not any("--json" in param.opts for param in command.params)] == []


def test_every_way_to_refuse_has_its_own_exit_code() -> None:
    codes = [error.exit_code for error in generate.error_classes()]
    assert len(codes) == len(set(codes))
    assert min(codes) >= 10


def test_marks_that_are_missing_are_an_error() -> None:
    with pytest.raises(ValueError, match="lacks the marks"):
        generate.put("no marks here", {"exit codes": "x"}, "README.md")


def test_every_role_has_a_page_with_its_variables() -> None:
    assert [role for role in roles() if not (ROOT / "roles" / role / "README.md").exists()] == []
