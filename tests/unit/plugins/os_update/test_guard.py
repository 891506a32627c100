"""The five rules of the guard, and everything that makes it say no."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest
from ansible_collections.deskside.workplace.plugins.module_utils import _guard
from ansible_collections.deskside.workplace.plugins.module_utils._guard import (
    ADOPT,
    ATTACH,
    GO,
    REFUSE,
    RESUME,
    GuardError,
    GuardRefusedError,
    GuardRoom,
    Ticket,
)

NIGHT = {"occurrence": "patch-night/2026-12-09", "step": "1-apply_os_updates", "fence": 3}


def ticket(fence: int = 3) -> Ticket:
    return Ticket.of({**NIGHT, "fence": fence})


@pytest.fixture
def alive() -> set[str]:
    return set()


@pytest.fixture
def room(tmp_path: Path, alive: set[str]) -> GuardRoom:
    return GuardRoom(str(tmp_path), boot=lambda: "boot-1", alive=lambda unit: unit in alive, now=lambda: 1000.0)


def test_slug_and_unit_name_the_occurrence_and_the_step():
    assert ticket().slug == "patch-night_2026-12-09.1-apply_os_updates"
    assert ticket().unit == "deskside-patch-night_2026-12-09.1-apply_os_updates.service"


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {**NIGHT, "fence": "three"},
        {**NIGHT, "fence": -1},
        {**NIGHT, "fence": None},
        {**NIGHT, "occurrence": ""},
        {**NIGHT, "occurrence": "../../etc"},
        {**NIGHT, "occurrence": "a b"},
        {**NIGHT, "step": "x\n"},
        {**NIGHT, "occurrence": "n" * 200},
        {**NIGHT, "more": 1},
    ],
)
def test_a_ticket_that_could_not_name_a_file_and_a_unit_is_refused(value):
    with pytest.raises(GuardError):
        Ticket.of(value)


def test_a_fence_that_went_through_a_template_is_still_a_number():
    assert Ticket.of({**NIGHT, "fence": "7"}).fence == 7


def test_rule_5_the_first_to_come_claims_and_goes_on(room):
    claim = room.claim(ticket())
    assert claim.verdict == GO
    assert room.read(ticket()) == {
        "v": 1, "occurrence": "patch-night/2026-12-09", "step": "1-apply_os_updates", "fence": 3, "state": "claimed",
        "unit": ticket().unit, "started": 1000.0, "finished": None, "boot": "boot-1", "reboot": None, "result": None,
    }  # fmt: skip


def test_the_record_is_for_root_only(room):
    room.claim(ticket())
    assert Path(room.path(ticket())).stat().st_mode & 0o777 == 0o600
    assert Path(room.path(ticket())).parent.stat().st_mode & 0o777 == 0o700


def test_rule_1_an_older_worker_is_refused_with_the_reason(room):
    room.claim(ticket(5))
    claim = room.claim(ticket(4))
    assert (claim.verdict, claim.reason) == (REFUSE, "a newer worker (fence 5) has taken over")
    assert room.read(ticket())["fence"] == 5


def test_rule_1_comes_before_rule_2(room):
    room.claim(ticket(5))
    room.finish(ticket(5), None, ok=True, result={"state": "nothing"})
    assert room.claim(ticket(4)).verdict == REFUSE


@pytest.mark.parametrize(("ok", "state"), [(True, "done"), (False, "failed")])
def test_rule_2_a_settled_step_is_adopted_with_its_result(room, ok, state):
    room.claim(ticket())
    room.finish(ticket(), room.begin(ticket()), ok=ok, result={"state": state, "reason": "x"})
    claim = room.claim(ticket(4))
    assert (claim.verdict, claim.record["state"], claim.record["result"]["reason"]) == (ADOPT, state, "x")
    assert room.read(ticket())["fence"] == 3, "adopting changes nothing"


def test_rule_3_a_living_apply_is_attached_to_and_still_finishes_although_the_fence_was_raised(room, alive):
    room.claim(ticket(3))
    owner = room.begin(ticket(3))
    alive.add(ticket().unit)
    assert room.claim(ticket(4)).verdict == ATTACH
    assert room.read(ticket())["fence"] == 4
    room.finish(ticket(3), owner, ok=True, result={"state": "done"})
    assert room.settled(ticket())["result"] == {"state": "done"}


def test_rule_4_a_dead_apply_is_resumed_and_the_dead_one_cannot_finish_any_more(room):
    room.claim(ticket(3))
    dead = room.begin(ticket(3), {"changes": {"a": {"from": "1"}}})
    assert room.claim(ticket(4)).verdict == RESUME
    owner = room.begin(ticket(4), {"changes": {"a": {"from": "2"}, "b": {"from": "5"}}})
    with pytest.raises(GuardRefusedError, match="taken over"):
        room.finish(ticket(3), dead, ok=True, result={})
    assert room.read(ticket())["plan"]["changes"] == {"a": {"from": "1"}, "b": {"from": "5"}}, "what was planned first stays"
    room.finish(ticket(4), owner, ok=True, result={"state": "done"})


def test_rule_5_a_claim_without_an_apply_is_taken_by_the_next_fence_and_the_old_one_cannot_begin(room):
    room.claim(ticket(3))
    assert room.claim(ticket(4)).verdict == GO
    with pytest.raises(GuardRefusedError, match=r"newer worker \(fence 4\)"):
        room.begin(ticket(3))
    assert room.read(ticket())["state"] == "claimed"


def test_the_same_worker_may_come_again(room):
    room.claim(ticket(3))
    assert room.claim(ticket(3)).verdict == GO


def test_a_new_claim_keeps_the_note_of_a_restart(room):
    room.claim(ticket(3))
    room.note_reboot(ticket(3))
    room.claim(ticket(4))
    assert room.read(ticket())["reboot"]["before"] == "boot-1"


def test_an_apply_cannot_begin_twice_once_it_is_settled(room):
    room.claim(ticket())
    room.finish(ticket(), room.begin(ticket()), ok=True, result={"state": "done"})
    with pytest.raises(GuardError, match="already done"):
        room.begin(ticket())


def test_ending_without_an_apply_needs_the_fence_and_a_claim(room):
    room.claim(ticket(3))
    room.claim(ticket(4))
    with pytest.raises(GuardRefusedError):
        room.finish(ticket(3), None, ok=True, result={})
    room.begin(ticket(4))
    with pytest.raises(GuardRefusedError, match="applying, not claimed"):
        room.finish(ticket(4), None, ok=True, result={})


def test_a_record_that_has_vanished_stops_the_apply(room):
    room.claim(ticket())
    Path(room.path(ticket())).unlink()
    with pytest.raises(GuardError, match="vanished"):
        room.begin(ticket())


@pytest.mark.parametrize(
    "change",
    [
        "not json",
        "[]",
        {"v": 2},
        {"fence": "3"},
        {"fence": True},
        {"state": "maybe"},
        {"occurrence": "other"},
        {"unit": None},
        {"state": "done", "result": None},
        {"result": "text"},
        {"reboot": 1},
        {"plan": []},
    ],
)
def test_a_record_that_cannot_be_believed_stops_everything_and_names_the_file(room, change):
    room.claim(ticket())
    path = Path(room.path(ticket()))
    path.write_text(change if isinstance(change, str) else json.dumps({**json.loads(path.read_text()), **change}))
    before = path.read_text()
    for question in (room.claim, room.begin, room.note_reboot, room.settled):
        with pytest.raises(GuardError, match="cannot be believed") as said:
            question(ticket(9))
        assert str(path) in str(said.value)
    assert path.read_text() == before


def test_a_lock_that_cannot_be_had_stops_everything(room, monkeypatch):
    monkeypatch.setattr(_guard, "LOCK_WAIT", 0.1)
    room.claim(ticket())
    with Path(room.root, "guard/lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(GuardError, match="held by another process"):
            room.claim(ticket(4))


def test_doubt_about_the_unit_stops_everything(room):
    def doubt(_unit):
        raise GuardError("systemd does not say")

    room.claim(ticket())
    room.begin(ticket())
    room.alive = doubt
    with pytest.raises(GuardError, match="systemd does not say"):
        room.claim(ticket(4))
    assert room.read(ticket())["fence"] == 3


def test_a_restart_is_noted_before_it_is_asked_for_and_known_afterwards(room):
    room.claim(ticket())
    assert room.note_reboot(ticket()) == "ask"
    assert room.read(ticket())["reboot"] == {"before": "boot-1", "at": 1000.0}
    assert room.note_reboot(ticket()) == "asked"
    room.boot = lambda: "boot-2"
    assert room.note_reboot(ticket()) == "happened"
    assert room.read(ticket())["reboot"] == {"before": "boot-1", "at": 1000.0}, "the note of the first asking stays"
    with pytest.raises(GuardRefusedError):
        room.note_reboot(ticket(2))


def test_boot_identity_is_the_boot_and_the_start_of_pid_1(tmp_path):
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "1").mkdir()
    (tmp_path / "sys/kernel/random/boot_id").write_text("abc\n")
    fields = " ".join(str(number) for number in range(3, 53))
    (tmp_path / "1/stat").write_text(f"1 (a ) b) {fields}\n")
    assert _guard.boot_identity(str(tmp_path)) == "abc.22"
    (tmp_path / "1/stat").write_text("1 (x)")
    with pytest.raises(GuardError):
        _guard.boot_identity(str(tmp_path))


def test_a_write_that_is_cut_off_leaves_the_old_record(tmp_path, monkeypatch):
    path = tmp_path / "record"
    path.write_text("old")

    def full(*_args):
        raise OSError("No space left on device")

    monkeypatch.setattr(_guard.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        _guard.write_atomically(str(path), "new")
    assert path.read_text() == "old"
