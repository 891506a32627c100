"""How the end of a run is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.adapters.runner import runner
from orchestrator.adapters.runner.events import Tally
from orchestrator.adapters.runner.stopper import Stopper
from orchestrator.application.errors import BadInputError
from orchestrator.application.ports import Job, RunStatus

ZERO = {"ok": 1, "failures": 0, "unreachable": 0, "changed": 0, "skipped": 0, "rescued": 0, "ignored": 0}


def told(*, stats=True, failures=0, status="successful", rc=0, stopped=None, garbled=False, output=()):
    tally = Tally(lambda _event: None)
    tally.feed(json.dumps({"e": "ok", "t": 1, "host": "ws-1", "task": "t", "action": "command", "res": {}}))
    if stats:
        tally.feed(json.dumps({"e": "stats", "t": 2, "hosts": {"ws-1": ZERO | {"failures": failures}}}))
    stopper = Stopper(60, lambda: False, Path("/nowhere"))
    stopper.status = stopped
    ended = runner._Ended(status=status, rc=rc, output=list(output))
    job = Job(id="j", playbook="p", hosts=("ws-1",))
    return runner._result(job, tally, ended, stopper, Path("/a"), seconds=1.0, garbled=garbled)


@pytest.mark.parametrize(
    ("case", "status", "complete", "ok"),
    [
        ({}, RunStatus.SUCCESSFUL, True, True),
        ({"status": "failed", "rc": 2, "failures": 1}, RunStatus.FAILED, True, False),
        ({"status": "failed", "rc": 2}, RunStatus.SUCCESSFUL, True, True),
        ({"status": "failed", "rc": 1, "stats": False}, RunStatus.BROKEN, False, False),
        ({"status": "failed", "rc": 250}, RunStatus.BROKEN, True, True),
        ({"status": "canceled", "rc": 254, "stats": False, "stopped": RunStatus.CANCELED}, RunStatus.CANCELED, False, False),
        ({"status": "canceled", "rc": 254, "stats": False, "stopped": RunStatus.TIMEOUT}, RunStatus.TIMEOUT, False, False),
        ({"status": "failed", "rc": 143, "stats": False, "stopped": RunStatus.TIMEOUT}, RunStatus.TIMEOUT, False, False),
        ({"stopped": RunStatus.CANCELED}, RunStatus.SUCCESSFUL, True, True),
        ({"garbled": True}, RunStatus.BROKEN, False, False),
        ({"stats": False}, RunStatus.BROKEN, False, False),
    ],
    ids=["well", "failed", "only adopted", "broken", "crashed late", "cancelled", "timed out", "keeper", "cancelled too late", "garbled", "no end"],
)  # fmt: skip
def test_the_end_of_a_run(case, status, complete, ok):
    result = told(**case)
    assert (result.status, result.complete, result.hosts["ws-1"].ok) == (status, complete, ok)


def test_a_status_that_is_not_known_is_an_error_and_never_a_guess():
    with pytest.raises(ValueError, match="exploded"):
        told(status="exploded")


def test_a_broken_run_tells_ansibles_own_words():
    result = told(stats=False, status="failed", rc=4, output=["[WARNING]: x", "ERROR! no such role", ""])
    assert result.hosts["ws-1"].reason == "ansible-playbook ended with rc 4 before it had finished: ERROR! no such role"


@pytest.mark.parametrize("name", ["web*", "web[1]", "!web", "&web", "~web", "", "a,b", "a b", "@file"])
def test_a_name_that_ansible_would_read_as_a_pattern_is_refused(name):
    with pytest.raises(BadInputError):
        runner._check_names([name])


@pytest.mark.parametrize("name", ["ws-1", "ws-1.example.org", "fe80::1", "ws_1"])
def test_ordinary_names_pass(name):
    runner._check_names([name])
