# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a device is restarted now, and how it is proven that it came back. Once per occurrence, never outside its window.

FOR INTERNAL COLLECTION USE ONLY.
"""

from __future__ import annotations

import time

from ansible_collections.deskside.workplace.plugins.module_utils._guard import GuardError, GuardRoom, Ticket
from ansible_collections.deskside.workplace.plugins.plugin_utils._reboot_device import DeviceError

ARGUMENTS = {
    "policy": {"type": "str", "choices": ["never", "if_needed", "always"]},
    "required": {"type": "bool", "default": False},
    "not_after": {"type": "float"},
    "guard": {"type": "dict"},
    "people": {"type": "str", "choices": ["respect", "warn"]},
    "warning": {"type": "int"},
    "timeout": {"type": "int", "default": 600},
}
FROM_VARIABLES = {
    "policy": ("deskside_reboot", "never"),
    "not_after": ("deskside_no_reboot_after", None),
    "guard": ("deskside_guard", None),
    "people": ("deskside_reboot_people", "respect"),
    "warning": ("deskside_reboot_warning", 60),
}
POLL = 1.0


def wishes(given, task_vars, templar):
    """The arguments, with the orchestrator's variables where the task says nothing."""
    filled = dict(given)
    for name, (variable, default) in FROM_VARIABLES.items():
        if filled.get(name) is None:
            filled[name] = templar.template(task_vars[variable]) if variable in task_vars else default
    return filled


class Restart:
    """One decision about one device; ``device`` is an ActionDevice, or a fake of it in tests."""

    def __init__(self, device, wish, check_mode=False):
        self._device, self._wish, self._check_mode = device, wish, check_mode
        self._look = None

    def carry_out(self):
        """The result of the action."""
        try:
            ticket = Ticket.of(self._wish["guard"]) if self._wish["guard"] else None
            self._look = self._device.look(GuardRoom().path(ticket) if ticket else "")
            return self._decide()
        except (DeviceError, GuardError) as error:
            return self._failed(str(error))

    def _decide(self):
        look, wish = self._look, self._wish
        if look.asked and look.asked != look.boot:
            known = look.record["reboot"]
            return self._came_back(look.asked, look.boot, (known.get("at"), known.get("seconds")), again=True)
        needed = wish["policy"] == "always" or wish["required"] or look.required
        if not needed:
            return {"changed": False, "deskside": {"reboot_required": False}}
        reason = self._hindrance()
        if reason:
            return self._pending(reason)
        if self._check_mode:
            return {
                "changed": True,
                "msg": "the device would be restarted",
                "deskside": {"reboot_required": True, "reason": "check mode"},
            }
        return self._restart()

    def _hindrance(self):
        """Why it may not be restarted now; empty when it may. People are asked last: that takes a while."""
        wish, look = self._wish, self._look
        if wish["policy"] == "never":
            return "a restart is needed; the window says reboot: never"
        if wish["not_after"] is None:
            return "nobody said until when it may be restarted (deskside_no_reboot_after)"
        if look.inhibitors:
            return "a program holds back a restart: %s" % "; ".join(look.inhibitors)
        return self._too_late() or self._people()

    def _too_late(self):
        limit = float(self._wish["not_after"])
        if self._device.clock() < limit:
            return ""
        return "too late: no restart may begin after %s UTC" % time.strftime("%Y-%m-%d %H:%M", time.gmtime(limit))

    def _people(self):
        """Warn whoever is logged in, wait, look again."""
        if not self._look.people:
            return ""
        seconds, insist = int(self._wish["warning"]), self._wish["people"] == "warn"
        if not self._check_mode:
            self._device.tell(_notice(seconds, insist), self._look.people)
            self._device.sleep(seconds)
            self._look = self._device.look(GuardRoom().path(Ticket.of(self._wish["guard"])) if self._wish["guard"] else "")
        if not self._look.people or insist:
            return self._too_late()
        return logged_in(self._look.people)

    def _restart(self):
        before, wish = self._look.boot, self._wish
        if wish["guard"] and self._device.guard(wish["guard"], "rebooting").get("guard_state") == "happened":
            return self._failed("it restarted by itself just now; look at it")
        late = self._too_late()
        if late:
            return self._pending(late)
        began = self._device.clock()
        self._device.ask_restart(before)
        deadline = began + wish["timeout"]
        while self._device.clock() < deadline:
            self._device.sleep(POLL)
            after = self._device.boot()
            if after and after != before:
                return self._came_back(before, after, (round(began, 1), round(self._device.clock() - began, 1)), again=False)
        return self._failed("it was asked to restart and did not come back within %d s" % wish["timeout"])

    def _came_back(self, before, after, when, again):
        """Say how it came back; ``when`` is (epoch seconds at which the restart was asked for, seconds it took), as far as known."""
        at, seconds = when
        state = self._device.running()
        look = self._device.look()
        rebooted = {"before": before, "after": after, "seconds": seconds, "at": at}
        if self._wish["guard"] and not self._check_mode:
            self._device.guard(self._wish["guard"], "rebooted", rebooted)
        said = {"rebooted": rebooted, "reboot_required": look.required}
        broken = sorted(set(look.failed) - set([] if again else self._look.failed))
        if state not in ("running", "degraded") or (broken and not again):
            return self._failed("it restarted, but is %s: %s" % (state, ", ".join(broken) or "no unit named"), said)
        if look.failed:
            said["warnings"] = ["failed before the restart and after it: %s" % ", ".join(look.failed)]
        return {"changed": not again, "deskside": said}

    def _pending(self, reason):
        said = {"reboot_required": True, "reason": reason}
        if self._look.packages:  # else what the role said stands
            said["reboot_reasons"] = self._look.packages
        return {"changed": False, "msg": "a restart is due: %s" % reason, "deskside": said}

    def _failed(self, reason, said=None):
        return {"failed": True, "msg": reason, "deskside": dict(said or {}, state="failed", reason=reason)}


def _notice(seconds, insist):
    end = (
        "It restarts in %d s: please save your work now."
        if insist
        else "Please save your work and log out within %d s, or restart it yourself."
    )
    return "IT maintenance: this computer has to restart. " + end % seconds


def logged_in(people):
    """``ada is logged in (pts/0)``."""
    shown = ["%s (%s)" % person for person in people]
    if len(shown) == 1:
        return "%s is logged in (%s)" % people[0]
    return "%s and %s are logged in" % (", ".join(shown[:-1]), shown[-1])
