"""The probe's lines → can this device be left alone? Only a proof counts."""

from __future__ import annotations

import base64
import json

import pytest

from orchestrator.adapters.prober.answer import NEEDED, AnswerError, result

GOOD = {
    "v": "1", "uid": "0", "clock": "1000", "uptime": "5.0", "boot": "b.1", "python": "/usr/bin/python3", "os": "debian 12",
    "reboot": "no", "timers": "0", "dpkg": "0", "locked": "0", "unattended": "absent", "key": "1 2", "scan": "cached",
    "refreshed": "900", "sources_newer": "0",
}  # fmt: skip


def text(*more: str, **changed: str | None) -> str:
    lines = {**GOOD, **changed}
    return "\n".join([*(f"{name}={value}" for name, value in lines.items() if value is not None), *more, "end=1"]) + "\n"


def ask(answer: str, occurrence: str | None = None):
    return result("ws-1", answer, occurrence=occurrence, refresh_after=3600.0, now=990.0)


def guard(state: str, occurrence="night/1", step="1-a") -> str:
    return "guard=" + base64.b64encode(json.dumps({"occurrence": occurrence, "step": step, "state": state}).encode()).decode()


def test_a_device_with_every_proof_can_be_left_alone():
    answer = ask(text("disk=/ 1024 1048576 7", "disk=/boot 10 1048576 8", "person=ada pts/0"), "night/1")
    assert (answer.needs_run, answer.pending, answer.reboot_required, answer.unit_active, answer.guard, answer.boot) == (
        False, (), False, False, None, "b.1",
    )  # fmt: skip
    facts = answer.facts
    assert (facts["free_mb"], facts["boot_free_mb"], facts["become"], facts["skew"]) == ({"/": 1024}, 10, "root", 10.0)
    assert facts["people"] == [{"name": "ada", "line": "pts/0"}]


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_line_means_a_run(name):
    answer = "\n".join(line for line in text().splitlines() if not line.startswith(f"{name}="))
    if name == "v":
        with pytest.raises(AnswerError):
            ask(answer)
    else:
        found = ask(answer)
        assert found.needs_run
        assert f"line {name!r} is missing" in found.facts["why_run"]


@pytest.mark.parametrize("name", GOOD)
def test_a_line_that_comes_twice_means_a_run(name):
    assert ask(text(f"{name}={GOOD[name]}")).needs_run


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"uid": "1000"}, "not asked as root"),
        ({"refreshed": None}, "its package lists were never refreshed by us"),
        ({"refreshed": "x"}, "its package lists were never refreshed by us"),
        ({"clock": "4501"}, "its package lists are old"),
        ({"clock": "899"}, "its package lists are old"),
        ({"sources_newer": "1"}, "its package sources changed"),
        ({"scan": "needed"}, "what is pending is not known"),
        ({"scan": "banana"}, "what is pending is not known"),
        ({"dpkg": "1"}, "packages are half installed"),
        ({"dpkg": ""}, "packages are half installed"),
        ({"locked": "2"}, "another program is changing packages"),
        ({"reboot": "required"}, "a restart is due"),
        ({"reboot": ""}, "a restart is due"),
    ],
)
def test_every_missing_proof_means_a_run_and_is_named(changed, why):
    answer = ask(text(**changed))
    assert answer.needs_run
    assert answer.facts["why_run"] == [why]


def test_lists_that_are_as_old_as_allowed_still_prove_something():
    assert not ask(text(clock="4500")).needs_run


def test_work_of_ours_that_still_runs_means_a_run():
    answer = ask(text("unit=deskside-x.service"))
    assert (answer.unit_active, answer.needs_run) == (True, True)


@pytest.mark.parametrize(("held", "needs"), [("0", True), ("1", False)])
@pytest.mark.parametrize("kind", ["security", "other"])
def test_a_pending_update_means_a_run_unless_it_is_on_hold(kind, held, needs):
    answer = ask(text(f"pending=bash 1:5.1-2 5.2~rc1 {kind} {held}"))
    assert answer.needs_run is needs
    assert answer.pending == ({"name": "bash", "from": "1:5.1-2", "to": "5.2~rc1", "class": kind, "held": held == "1"},)


@pytest.mark.parametrize("row", ["a 1 2 security", "a 1 2 urgent 0", "a 1 2 other 2", "a 1 2 other 0 x", ""])
def test_a_stored_scan_that_cannot_be_read_is_no_scan(row):
    answer = ask(text(f"pending={row}"))
    assert (answer.pending, answer.needs_run) == (None, True)


@pytest.mark.parametrize("line", ["hello", "banana=1", "=", "sh: 1: x: not found"])
def test_an_unexpected_line_means_a_run(line):
    assert ask(text(line)).needs_run


@pytest.mark.parametrize("garbage", ["", "v=2\n", "sudo: a password is required\n", "\x00\xff"])
def test_what_is_not_the_scripts_output_is_an_error(garbage):
    with pytest.raises(AnswerError):
        ask(garbage)


@pytest.mark.parametrize(("state", "needs"), [("done", False), ("failed", True), ("claimed", True), ("applying", True)])
def test_an_unfinished_guard_of_the_occurrence_means_a_run(state, needs):
    answer = ask(text(guard(state)), "night/1")
    assert answer.needs_run is needs
    assert answer.guard == {"1-a": {"occurrence": "night/1", "step": "1-a", "state": state}}


def test_a_guard_of_another_occurrence_is_not_ours():
    assert ask(text(guard("claimed", occurrence="night/10")), "night/1").guard is None


@pytest.mark.parametrize(
    "line", ["guard=###", "guard=" + base64.b64encode(b"{").decode(), "guard=" + base64.b64encode(b"[]").decode()]
)
def test_a_guard_that_cannot_be_read_means_a_run(line):
    answer = ask(text(line), "night/1")
    assert answer.needs_run
    assert "a guard record cannot be read" in answer.facts["why_run"]


def test_no_subset_of_the_answer_is_ever_a_proof():
    """Cut anywhere: the answer of a device whose connection broke must not let it be left alone."""
    whole = text("pending=bash 1 2 security 1")
    for length in range(len(whole) - 1):
        try:
            assert ask(whole[:length]).needs_run, whole[:length]
        except AnswerError:
            continue
    assert not ask(whole).needs_run
