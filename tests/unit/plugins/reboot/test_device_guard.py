"""The module's states against real records in a directory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.deskside.workplace.plugins.module_utils._device_guard import settle
from ansible_collections.deskside.workplace.plugins.module_utils._guard import GuardError, GuardRefusedError, GuardRoom, Ticket


class Room:
    """A device's guard room whose boot and units a test decides."""

    def __init__(self, root):
        self.boot, self.alive = "boot-1", False
        self.room = GuardRoom(root=str(root), boot=lambda: self.boot, alive=lambda _unit: self.alive)

    def ask(self, state, fence=1, result=None, *, check=False):
        return settle(self.room, self.ticket(fence), state, result or {}, check_mode=check)

    def ticket(self, fence=1):
        return Ticket.of({"occurrence": "night/1", "step": "1-a", "fence": fence})

    def record(self):
        path = Path(self.room.path(self.ticket()))
        return json.loads(path.read_text()) if path.exists() else None


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path)


def test_a_device_is_claimed_done_and_then_adopted_by_whoever_comes_later(room):
    assert room.ask("claimed") == {"state": "claimed"}
    assert room.ask("claimed") == {"state": "claimed"}, "the same worker may ask again"
    assert room.ask("done", result={"packages": ["a"]}) == {"state": "done"}
    assert room.ask("done") == {"state": "done"}
    adopted = room.ask("claimed", fence=2)
    assert (adopted["state"], adopted["packages"]) == ("adopted", ["a"])
    assert "earlier run" in adopted["reason"]


def test_an_old_worker_is_refused_and_may_not_call_it_done(room):
    room.ask("claimed", fence=5)
    assert room.ask("claimed", fence=4) == {"state": "refused", "reason": "a newer worker (fence 5) has taken over"}
    with pytest.raises(GuardRefusedError):
        room.ask("done", fence=4)


def test_a_step_that_failed_is_not_tried_again_and_says_why(room):
    room.ask("claimed")
    room.room.finish(room.ticket(), None, ok=False, result={"reason": "disk full"})
    assert room.ask("claimed", fence=2) == {"state": "failed", "reason": "disk full"}


def test_work_that_still_runs_there_keeps_the_device(room):
    room.ask("claimed")
    room.room.begin(room.ticket())
    room.alive = True
    assert room.ask("claimed", fence=2)["state"] == "refused"


def test_a_claim_under_which_nothing_was_done_can_be_released_by_its_own_worker_only(room):
    room.ask("claimed")
    room.ask("released", fence=2)
    assert room.record()
    room.ask("released")
    assert room.record() is None


def test_a_record_of_a_restart_is_never_forgotten(room):
    room.ask("claimed")
    assert room.ask("rebooting") == {"state": "ask"}
    room.ask("released")
    assert room.record()["reboot"]["before"] == "boot-1"


def test_a_restart_is_noted_before_and_completed_after(room):
    room.ask("claimed")
    assert room.ask("rebooting") == {"state": "ask"}
    assert room.ask("rebooting") == {"state": "asked"}
    room.boot = "boot-2"
    assert room.ask("rebooting") == {"state": "happened"}
    room.ask("rebooted", result={"before": "boot-1", "after": "boot-2", "seconds": 4.2})
    room.ask("rebooted", result={"before": "boot-1", "after": "boot-2", "seconds": None})
    restart = room.record()["reboot"]
    assert (restart["before"], restart["after"], restart["seconds"]) == ("boot-1", "boot-2", 4.2), "what is known is kept"
    assert restart["at"] > 0


def test_a_restart_is_completed_by_no_old_worker(room):
    room.ask("claimed", fence=3)
    room.ask("rebooting", fence=3)
    with pytest.raises(GuardRefusedError):
        room.ask("rebooted", fence=2, result={"after": "x"})


@pytest.mark.parametrize("state", ["claimed", "released", "done", "rebooting", "rebooted"])
def test_check_mode_writes_nothing(room, state):
    room.ask("claimed")
    before = room.record()
    room.ask(state, check=True, result={"after": "x"})
    assert room.record() == before


def test_a_record_that_cannot_be_believed_stops_everything(room):
    room.ask("claimed")
    Path(room.room.path(room.ticket())).write_text("{")
    with pytest.raises(GuardError, match="cannot be believed"):
        room.ask("claimed", fence=2)
