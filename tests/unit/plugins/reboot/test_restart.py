"""Whether a device is restarted: every rule, on a device of paper."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field

import pytest
from ansible_collections.deskside.workplace.plugins.plugin_utils._reboot import Restart, logged_in, wishes
from ansible_collections.deskside.workplace.plugins.plugin_utils._reboot_device import DeviceError, Look

TICKET = {"occurrence": "night/1", "step": "1-a", "fence": 1}
ADA = "person=ada pts/0"


def look(*lines: str, boot="old") -> Look:
    return Look("\n".join([f"boot={boot}", *lines, "end=1"]))


def record(**reboot) -> str:
    return "guard=" + base64.b64encode(json.dumps({"reboot": reboot or None}).encode()).decode()


@dataclass
class Paper:
    """A device that does what a test wrote down, and remembers what was asked of it."""

    looks: list[Look]
    boots: list[str] = field(default_factory=lambda: ["", "old", "new"])
    state: str = "running"
    refuse: str = ""
    asked: list[str] = field(default_factory=list)
    time: float = 1000.0
    late: float = 0.0

    def clock(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds

    def look(self, record=""):
        del record
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def guard(self, ticket, state, result=None):
        del ticket
        if self.refuse:
            raise DeviceError(self.refuse)
        self.asked.append(f"guard {state}" + (f" {result['after']}" if result else ""))
        self.time += self.late
        return {"guard_state": "ask"}

    def tell(self, text, people):
        assert people, "nobody is told nothing"
        self.asked.append(f"tell {text.split('. ')[1]}")

    def ask_restart(self, before):
        self.asked.append(f"restart {before}")

    def boot(self):
        return self.boots.pop(0) if len(self.boots) > 1 else self.boots[0]

    def running(self):
        return self.state


def go(device: Paper, *, check=False, **wish):
    given = {
        "policy": "if_needed",
        "required": True,
        "not_after": 2000.0,
        "guard": TICKET,
        "people": "respect",
        "warning": 30,
        "timeout": 60,
    }
    return Restart(device, {**given, **wish}, check_mode=check).carry_out()


def restarted(device: Paper) -> bool:
    return "restart old" in device.asked


def test_a_restart_is_recorded_before_it_is_asked_for_and_completed_afterwards():
    device = Paper([look()])
    result = go(device)
    assert device.asked == ["guard rebooting", "restart old", "guard rebooted new"]
    assert result == {
        "changed": True,
        "deskside": {"rebooted": {"before": "old", "after": "new", "seconds": 3.0, "at": 1000.0}, "reboot_required": False},
    }


@pytest.mark.parametrize(
    ("lines", "wish", "happens"),
    [
        ([], {"required": False}, False),
        (["required=1"], {"required": False}, True),
        ([], {"required": True}, True),
        ([], {"required": False, "policy": "always"}, True),
        (["required=1"], {"policy": "never"}, False),
        ([], {"not_after": None}, False),
        ([], {"not_after": 1000.0}, False),
        ([], {"not_after": 1000.1}, True),
        ([ADA], {}, False),
        ([ADA], {"people": "warn"}, True),
    ],
)
def test_the_rules(lines, wish, happens):
    device = Paper([look(*lines)])
    assert bool(go(device, **wish).get("changed")) is happens
    assert restarted(device) is happens


@pytest.mark.parametrize(
    ("lines", "wish", "reason"),
    [
        ([], {"policy": "never"}, "a restart is needed; the window says reboot: never"),
        ([], {"not_after": None}, "nobody said until when it may be restarted (deskside_no_reboot_after)"),
        ([], {"not_after": 60.0}, "too late: no restart may begin after 1970-01-01 00:01 UTC"),
        ([ADA], {}, "ada is logged in (pts/0)"),
        (
            [
                'inhibitors={"type":"a(ssssuu)","data":[[["sleep","x","y","block",0,1],["shutdown:sleep","backup","last file","block",0,2]]]}'
            ],
            {},
            "a program holds back a restart: backup: last file",
        ),
    ],
)
def test_a_restart_that_stays_due_is_no_failure_and_has_a_reason(lines, wish, reason):
    result = go(Paper([look(*lines)]), **wish)
    assert not result.get("failed")
    assert result["deskside"] == {"reboot_required": True, "reason": reason}


def test_the_packages_that_ask_for_a_restart_are_named_where_the_device_knows_them():
    result = go(Paper([look("required=1", "package=linux-image", "package=dbus")]), policy="never")
    assert result["deskside"]["reboot_reasons"] == ["linux-image", "dbus"]


def test_a_delaying_inhibitor_holds_nothing_back():
    inhibitors = 'inhibitors={"type":"a(ssssuu)","data":[[["shutdown","NetworkManager","x","delay",0,1]]]}'
    assert go(Paper([look(inhibitors)]))["changed"]


def test_somebody_who_logs_out_after_the_warning_lets_the_restart_happen():
    device = Paper([look(ADA), look()])
    assert go(device)["changed"]
    assert device.asked[0] == "tell Please save your work and log out within 30 s, or restart it yourself."
    assert device.time >= 1030.0


def test_the_clock_is_looked_at_again_after_the_warning():
    device = Paper([look(ADA), look()])
    assert go(device, not_after=1020.0)["deskside"]["reason"].startswith("too late")
    assert len(device.asked) == 1, "people were told, and nothing was recorded"


def test_the_clock_is_looked_at_again_right_before_the_restart():
    device = Paper([look()], late=1500.0)
    assert go(device)["deskside"]["reason"].startswith("too late")
    assert not restarted(device)


def test_a_restart_that_has_happened_is_never_asked_for_again_even_when_one_is_due():
    device = Paper([look("required=1", record(before="older", at=1.0), boot="old")])
    result = go(device, policy="always")
    assert not restarted(device)
    assert (result["changed"], result["deskside"]["rebooted"]) == (
        False,
        {"before": "older", "after": "old", "seconds": None, "at": 1.0},
    )
    assert device.asked == ["guard rebooted old"]


def test_a_restart_recorded_in_this_boot_is_asked_for_because_the_worker_died_before():
    device = Paper([look(record(before="old", at=1.0)), look(record(before="old", at=1.0)), look()])
    assert go(device)["changed"]
    assert device.asked.count("restart old") == 1


def test_a_newer_worker_stops_the_restart():
    device = Paper([look()], refuse="a newer worker (fence 9) has taken over")
    result = go(device)
    assert (result["failed"], result["deskside"]["reason"]) == (True, "a newer worker (fence 9) has taken over")
    assert not restarted(device)


def test_a_device_that_does_not_come_back_in_time_has_failed():
    device = Paper([look()], boots=[""])
    assert go(device)["deskside"] == {"state": "failed", "reason": "it was asked to restart and did not come back within 60 s"}
    assert device.time < 1070


def test_a_device_whose_boot_identity_stays_has_not_restarted():
    assert go(Paper([look()], boots=["old"]))["failed"]


@pytest.mark.parametrize(
    ("before", "after", "state", "failed"),
    [
        ([], ["failed=web.service"], "degraded", True),
        (["failed=old.service"], ["failed=old.service"], "degraded", False),
        ([], [], "maintenance", True),
        ([], [], "unknown", True),
        ([], [], "running", False),
    ],
)
def test_services_that_fail_only_after_the_restart_make_it_a_failure(before, after, state, failed):
    result = go(Paper([look(*before), look(*after)], state=state))
    assert bool(result.get("failed")) is failed
    assert result["deskside"]["rebooted"]["after"] == "new"
    if before:
        assert result["deskside"]["warnings"] == ["failed before the restart and after it: old.service"]


def test_check_mode_predicts_and_asks_nothing_of_the_device():
    device = Paper([look()])
    assert go(device, check=True)["changed"]
    assert device.asked == []
    device = Paper([look(ADA)])
    assert go(device, check=True)["deskside"]["reason"] == "ada is logged in (pts/0)"
    assert (device.asked, device.time) == ([], 1000.0)


def test_a_bad_guard_is_a_failure_before_anything_is_asked():
    device = Paper([look()])
    assert go(device, guard={"occurrence": "x"})["failed"]
    assert device.asked == []


def test_a_device_that_does_not_say_all_is_not_restarted():
    with pytest.raises(DeviceError):
        Look("boot=x\nrequired=1\n")


def test_graphical_sessions_are_people_and_greeters_are_not():
    found = look(
        "session=Name=ada Display=:0 Type=x11 Class=user State=active",
        "session=Name=gdm Display= Type=wayland Class=greeter State=active",
        "session=Name=root Display= Type=unspecified Class=user State=active",
        "session=Name=bob Display= Type=wayland Class=user State=closing",
    )
    assert found.people == [("ada", ":0")]


def test_our_own_terminals_are_nobody_in_whichever_book_they_stand():
    ours = "mine= 34817 34816 0 "
    sessions = [
        "session=Name=tech Display= TTY=pts/1 Type=tty Class=user State=active",
        "session=Name=tech Display= TTY= Type=tty Class=user State=active",
        "session=Name=ada Display= TTY=pts/2 Type=tty Class=user State=active",
        "session=Name=bob Display= TTY=tty1 Type=tty Class=user State=active",
    ]
    found = look(ours, "person=tech pts/0", "person=tech pts/1", "person=ada pts/2", *sessions)
    assert found.people == [("ada", "pts/2"), ("bob", "tty1")]


def test_a_login_without_a_terminal_is_no_person():
    """Debian 13: ``who`` asks logind and lists such a login by its service; classes have finer names."""
    found = look(
        "person=root     sshd         2026-11-22 14:09 (10.99.103.1)",
        "person=ada      sshd pts/0   2026-11-22 14:09 (10.99.103.1)",
        "person=eve      pts/3        2026-11-22 14:09 (10.99.103.1)",
        "session=Name=root Display= TTY= Type=tty Class=user-early State=active",
        "session=Name=bob Display= TTY=tty2 Type=wayland Class=user-light State=active",
    )
    assert found.people == [("ada", "pts/0"), ("bob", "tty2"), ("eve", "pts/3")]


def test_people_are_named_as_one_would_say_it():
    assert logged_in([("ada", "pts/0")]) == "ada is logged in (pts/0)"
    assert logged_in([("ada", "pts/0"), ("bob", ":0")]) == "ada (pts/0) and bob (:0) are logged in"


class Plain:
    """A templar that has nothing to do."""

    def template(self, value):
        return value


def test_the_orchestrators_variables_fill_what_the_task_leaves_open_and_bare_ansible_never_restarts():
    empty = dict.fromkeys(("policy", "not_after", "guard", "people", "warning"))
    assert wishes(empty, {}, Plain()) == {"policy": "never", "not_after": None, "guard": None, "people": "respect", "warning": 60}
    filled = wishes(
        {**empty, "warning": 5}, {"deskside_reboot": "always", "deskside_reboot_warning": 9, "deskside_guard": TICKET}, Plain()
    )
    assert (filled["policy"], filled["warning"], filled["guard"]) == ("always", 5, TICKET)
    assert time.time() > 0
