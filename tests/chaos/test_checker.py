"""Each rule of the checker turns red on its own, on a night that is otherwise in order."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos import checker

OCCURRENCE = "chaos/2026-11-22"
CALL = f"Invoked with guard={{'occurrence': '{OCCURRENCE}', 'step': '1-apply_os_updates', 'fence': 2}}"
UNIT = "deskside-chaos_2026-11-22.1-apply_os_updates.service"
MAIL = [("invitation", "<i@x>"), ("reminder", "<r@x>"), ("closing", "<c@x>")]


def device(name: str, start: float, night: dict[str, Any]) -> checker.Device:
    """A device that was updated once and restarted once."""
    found = object.__new__(checker.Device)
    found.name, found._night = name, night
    found.facts = {"witness": 1, "reboots": 1}
    found.witness, found.boots = ["1795354700 2.0"], ["1795354709 468330"]
    found.dpkg = [
        "2026-11-22 13:38:21 upgrade lab-harmless:all 1.0 2.0",
        "2026-11-22 13:38:22 configure lab-harmless:all 2.0 <none>",
    ]
    found.journal = [
        (start, "ansible-deskside.workplace.os_update", CALL),
        (start + 1, "systemd", f"Started {UNIT} - deskside: chaos."),
        (start + 5, "systemd", f"{UNIT}: Deactivated successfully."),
    ]
    return found


class Scene:
    """A night in order; tests break one thing."""

    def __init__(self) -> None:
        self.night: dict[str, Any] = {
            "occurrence": OCCURRENCE, "steps": 1, "poll_seconds": 2.0, "one_at_a_time": ["fs-1", "fs-2"], "people": ["ada"], "lead": "leads",
            "kills": [{"at": 50.0, "phase": "apply", "survivors": []}],
        }  # fmt: skip
        self.devices = {name: device(name, start, self.night) for name, start in (("fs-1", 100.0), ("fs-2", 200.0))}
        rows = [{"device": name, "package": "lab-harmless", "from": "1.0", "to": "2.0"} for name in self.devices]
        self.report: dict[str, Any] = {
            "occurrence": {"id": OCCURRENCE, "state": "finished", "note": ""},
            "changes": rows,
            "devices": [{"device": name, "outcome": "changed", "reason": ""} for name in self.devices],
            "ambiguous": [],
        }
        self.status: dict[str, Any] = {"locks": []}
        self.boxes = {"ada": list(MAIL), "leads": [("report", "<p@x>")]}

    def judge(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What the checker says."""
        monkeypatch.setattr(checker, "messages", lambda _night, box: self.boxes[box])
        found = [line for one in self.devices.values() for line in checker.once_per_device(one, self.night)]
        found += checker.never_together(self.devices, self.night)
        found += checker.same_changes(self.devices, self.report)
        found += checker.finished(self.devices, self.report, self.night)
        found += checker.told_once(self.night, self.report)
        found += checker.nothing_left(self.night, self.status)
        return found


def _journal(scene: Scene, at: float, who: str, text: str) -> None:
    scene.devices["fs-1"].journal.append((at, who, text))


BROKEN: dict[str, tuple[Callable[[Scene], object], str]] = {
    "witness twice": (lambda s: s.devices["fs-1"].witness.append("again"), "fs-1: 2 lines in the witness file"),
    "witness missing": (lambda s: s.devices["fs-1"].witness.clear(), "fs-1: 0 lines in the witness file"),
    "restarted twice": (lambda s: s.devices["fs-1"].boots.append("again"), "PID 1 was started 2 times, 1 expected"),
    "unit twice": (lambda s: _journal(s, 103, "systemd", f"Started {UNIT} - deskside"), "was started 2 times"),
    "other unit": (lambda s: _journal(s, 103, "systemd", "Started deskside-x.service - x"), "2 changing applies for 1 steps"),
    "called again": (lambda s: _journal(s, 103, "ansible-deskside.workplace.os_update", CALL), "invoked 2 times with 0 kills"),
    "no guard": (
        lambda s: s.devices["fs-1"].journal.__setitem__(0, (100.0, "ansible-os_update", "Invoked with guard=None")),
        "without a guard",
    ),
    "upgraded twice": (lambda s: s.devices["fs-1"].dpkg.append(s.devices["fs-1"].dpkg[0]), "was upgraded 2 times"),
    "not reported": (lambda s: s.report["changes"].pop(), "fs-2: dpkg.log says lab-harmless"),
    "invented": (lambda s: s.devices["fs-2"].dpkg.clear(), "fs-2: report.json says lab-harmless"),
    "together": (lambda s: _journal(s, 201, "ansible-x", "Invoked with x"), "fs-1 and fs-2 were in maintenance together"),
    "stopped": (lambda s: s.report["occurrence"].update(state="stopped"), "is stopped, not finished"),
    "unknown": (lambda s: s.report["devices"][0].update(outcome="unknown"), "the report calls it unknown"),
    "reminded twice": (lambda s: s.boxes["ada"].append(("reminder", "<r@x>")), "2 messages of kind reminder"),
    "two ids": (lambda s: s.boxes["ada"].append(("closing", "<d@x>")), "2 Message-IDs of kind closing"),
    "copy unnamed": (lambda s: s.boxes["ada"].append(("closing", "<c@x>")), "closing came 2 times"),
    "missing unnamed": (lambda s: s.boxes["ada"].remove(("closing", "<c@x>")), "no closing"),
    "no report": (lambda s: s.boxes["leads"].clear(), "one report expected"),
    "lock": (lambda s: s.status["locks"].append({"device": "fs-1", "holder": "b", "purpose": "p"}), "still locked at the end"),
    "survivor": (lambda s: s.night["kills"][0]["survivors"].append("7 ansible-playbook"), "alive 2 s after its worker died"),
}


def test_a_night_in_order_is_green(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Scene().judge(monkeypatch) == []


@pytest.mark.parametrize("name", BROKEN)
def test_one_broken_promise_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    breaks, line = BROKEN[name]
    breaks(scene)
    assert any(line in found for found in scene.judge(monkeypatch)), scene.judge(monkeypatch)


def test_what_a_kill_explains_and_what_the_report_names_is_no_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    _journal(scene, 103, "ansible-deskside.workplace.os_update", CALL)
    scene.night["kills"][0]["at"] = 101.0
    scene.boxes["ada"].append(copy.copy(MAIL[2]))
    scene.report["ambiguous"] = [{"person": "ada", "kind": "closing"}]
    assert scene.judge(monkeypatch) == []
