"""docs/reference/states.md is drawn from the tables that the code obeys."""

import importlib.util
import re
from pathlib import Path

import pytest

from orchestrator.domain.outcome import MOVES, ROLLOUT_MOVES, Outcome

ROOT = Path(__file__).parents[3]


@pytest.fixture
def generator():
    spec = importlib.util.spec_from_file_location("generate_states", ROOT / "tests/policy/generate_states.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_page_is_up_to_date(generator):
    assert generator.main(["--check"]) == 0


def test_the_page_draws_every_move_and_no_other(generator):
    drawn = re.findall(r"^    (\w+) --> (\w+)$", generator.page(), re.MULTILINE)
    wanted = [(now, then) for table in (MOVES, ROLLOUT_MOVES) for now, following in table.items() for then in following]
    assert sorted(drawn) == sorted(wanted)


def test_the_page_lists_every_outcome(generator):
    assert all(f"| `{outcome}` |" in generator.page() for outcome in Outcome)


def test_an_edited_or_missing_page_is_noticed_and_written_anew(generator, tmp_path, monkeypatch, capsys):
    page = tmp_path / "reference" / "states.md"
    monkeypatch.setattr(generator, "PAGE", page)
    assert generator.main(["--check"]) == 1
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0
    page.write_text(page.read_text().replace("settled", "done"))
    assert generator.main(["--check"]) == 1
    assert "run python -m tests.policy.generate_states" in capsys.readouterr().out
