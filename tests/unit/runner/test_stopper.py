"""When a run has to end."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest

from orchestrator.adapters.runner.stopper import Stopper
from orchestrator.adapters.runner.unsafe import literal
from orchestrator.application.ports import RunStatus


def broken() -> bool:
    raise RuntimeError("the store is down")


@pytest.mark.parametrize(
    ("seconds", "cancelled", "status"),
    [
        (60.0, lambda: False, None),
        (60.0, lambda: True, RunStatus.CANCELED),
        (-1.0, lambda: False, RunStatus.TIMEOUT),
        (60.0, broken, RunStatus.CANCELED),
    ],
    ids=["goes on", "cancelled", "too long", "doubt"],
)
def test_a_run_ends_when_it_is_cancelled_too_long_or_in_doubt(tmp_path, seconds, cancelled, status):
    stopper = Stopper(seconds, cancelled, tmp_path / "pid")
    assert stopper() is (status is not None)
    assert stopper.status is status


def test_a_decision_stands_when_the_reason_goes_away(tmp_path):
    answers = iter([True, False])
    stopper = Stopper(60.0, lambda: next(answers, False), tmp_path / "pid")
    assert stopper()
    assert stopper()
    assert stopper.status is RunStatus.CANCELED


def test_a_keeper_is_asked_first_and_killed_only_when_it_does_not_end(tmp_path, monkeypatch):
    keeper = subprocess.Popen(["sleep", "60"])
    (tmp_path / "pid").write_text(str(keeper.pid))
    stopper = Stopper(60.0, lambda: True, tmp_path / "pid")
    assert not stopper(), "it has been asked and gets some seconds"
    assert keeper.wait(5) == -signal.SIGTERM
    monkeypatch.setattr("orchestrator.adapters.runner.stopper.KEEPER_SECONDS", 0.0)
    time.sleep(0.01)
    assert stopper()


def test_only_texts_with_template_marks_are_flagged():
    given = {"a": "plain", "b": ["{{ x }}", 3, None, True], "c": {"d": "{% if %}"}}
    assert literal(given) == {
        "a": "plain",
        "b": [{"__ansible_unsafe": "{{ x }}"}, 3, None, True],
        "c": {"d": {"__ansible_unsafe": "{% if %}"}},
    }
