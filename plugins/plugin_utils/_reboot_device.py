# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A device as the restart sees it: what it says about itself, what it can be asked. The only part that needs a connection.

FOR INTERNAL COLLECTION USE ONLY.
"""

# ruff: noqa: SLF001 - what an action plugin may use of its base class begins with an underscore
from __future__ import annotations

import base64
import json
import time

from ansible.errors import AnsibleConnectionFailure, AnsibleError

GUARD = "deskside.workplace.device_guard"
FIRST_PTS = 34816  # device number of pts/0
DESKTOPS = ("x11", "wayland", "mir")
PLACES = (
    "pts/",
    "tty",
    ":",
    "seat",
    "console",
    *DESKTOPS,
)  # a login without one is no person

BOOT = """
read -r id </proc/sys/kernel/random/boot_id; stat=$(cat /proc/1/stat); set -- ${stat##*) }; shift 19; boot="$id.$1"
"""
# Terminals of our own ancestors are not people: with a sudo password Ansible works in one. pts/N has device number 34816 + N.
LOOK = (
    BOOT
    + """
LC_ALL=C; export LC_ALL
echo "boot=$boot"
if [ -e /run/reboot-required ]; then echo required=1; cat /run/reboot-required.pkgs 2>/dev/null | sort -u | while read -r name; do echo "package=$name"; done; fi
mine=" "; pid=$$
while [ "${pid:-0}" -gt 1 ]; do
  stat=$(cat /proc/$pid/stat 2>/dev/null) || break
  set -- ${stat##*) }; mine="$mine$5 "; pid=$2
done
echo "mine=$mine"
who 2>/dev/null | while read -r line; do echo "person=$line"; done
for s in $(loginctl list-sessions --no-legend 2>/dev/null | while read -r id rest; do echo "$id"; done); do
  loginctl show-session "$s" -p Name -p Type -p Class -p Display -p TTY -p State 2>/dev/null | tr '\\n' ' ' | while read -r facts; do echo "session=$facts"; done
done
busctl --json=short call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager ListInhibitors 2>/dev/null \
  | while read -r json; do echo "inhibitors=$json"; done
systemctl list-units --state=failed --no-legend --plain 2>/dev/null | while read -r unit rest; do echo "failed=$unit"; done
[ -r "$RECORD" ] && echo "guard=$(base64 -w 0 <"$RECORD")"
echo end=1
"""
)
ASK = (
    BOOT
    + """
[ "$boot" = "$BEFORE" ] || { echo "this is another boot already"; exit 0; }
if command -v systemd-run >/dev/null && [ -d /run/systemd/system ]; then
  exec systemd-run --quiet --collect --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot
fi
setsid sh -c 'sleep 1; reboot' >/dev/null 2>&1 </dev/null &
"""
)
RUNNING = """
if [ -d /run/systemd/system ]; then timeout 150 systemctl is-system-running --wait; else echo running; fi
"""


class DeviceError(Exception):
    """The device did not do what it was asked."""


class Look:
    """What a device says about itself, parsed."""

    def __init__(self, text):
        lines = [line.partition("=")[::2] for line in text.splitlines()]
        if ("end", "1") not in lines:
            raise DeviceError("the device did not say whether it may be restarted: %s" % " ".join(text.split())[-200:])
        self.boot = dict(lines).get("boot", "")
        self.required = ("required", "1") in lines
        self.packages = [value for name, value in lines if name == "package"]
        self.failed = [value for name, value in lines if name == "failed"]
        self.people = _people(lines)
        self.inhibitors = _inhibitors([value for name, value in lines if name == "inhibitors"])
        record = dict(lines).get("guard")
        self.record = json.loads(base64.b64decode(record)) if record else {}

    @property
    def asked(self):
        """What the guard says about a restart of this occurrence: the boot in which it was asked for, else empty."""
        return (self.record.get("reboot") or {}).get("before") or ""


def _people(lines):
    """Everybody at a terminal or a desktop, as ``(name, where)``, but ourselves.

    Both books are read: not every system keeps both. Debian 13 puts the service into ``who``: ``ada sshd pts/0``, ``root sshd``.
    """
    mine = {"pts/%d" % (int(number) - FIRST_PTS) for name, value in lines if name == "mine" for number in value.split()}
    found = [(words[0], place) for words in (value.split() for name, value in lines if name == "person") for place in words[1:3]]
    for name, value in lines:
        facts = dict(word.partition("=")[::2] for word in value.split()) if name == "session" else {}
        place = facts.get("TTY") or facts.get("Display") or (facts["Type"] if facts.get("Type") in DESKTOPS else "")
        if facts.get("Class", "").startswith("user") and facts.get("State") != "closing":
            found.append((facts.get("Name", "somebody"), place))
    return sorted({(name, place) for name, place in found if place.startswith(PLACES) and place not in mine})


def _inhibitors(answers):
    """Programs that block a shutdown, as ``who: why``."""
    found = []
    for answer in answers:
        for what, who, why, mode, _uid, _pid in json.loads(answer)["data"][0]:
            if mode.startswith("block") and "shutdown" in what.split(":"):
                found.append("%s: %s" % (who, why))
    return found


class ActionDevice:
    """The device of a running action plugin."""

    clock = staticmethod(time.time)
    sleep = staticmethod(time.sleep)

    def __init__(self, action, task_vars):
        self._action, self._vars = action, task_vars

    def look(self, record=""):
        """What it says about itself. ``record``: path of the guard record."""
        return Look(self._run("RECORD=%s\n%s" % (_quoted(record), LOOK)))

    def guard(self, ticket, state, result=None):
        """Ask the guard on the device."""
        arguments = {"guard": ticket, "state": state, "result": result or {}}
        answer = self._action._execute_module(module_name=GUARD, module_args=arguments, task_vars=self._vars)
        if answer.get("failed"):
            raise DeviceError((answer.get("deskside") or {}).get("reason") or answer.get("msg") or "the guard does not answer")
        return answer

    def tell(self, text, people):
        """Show a line on the terminals of these people; one that does not take it is no error.

        Not through ``wall``: on Debian 13 it asks logind, which does not know the terminals of ssh logins.
        """
        terminals = [place for _name, place in people if place.startswith(("pts/", "tty"))]
        each = 'for t in %s; do TEXT=%s timeout 2 sh -c \'printf "\\r\\n\\a%%s\\r\\n" "$TEXT" >/dev/\'$t; done'
        if terminals:
            self._action._low_level_execute_command(each % (" ".join(_quoted(place) for place in terminals), _quoted(text)))

    def ask_restart(self, before):
        """Ask for a restart, if this still is the boot ``before``."""
        self._run("BEFORE=%s\n%s" % (_quoted(before), ASK))

    def boot(self):
        """The boot identity over a fresh connection, empty while the device does not answer."""
        try:
            self._action._connection.reset()
            answer = self._action._low_level_execute_command("%s\necho $boot" % BOOT)
        except (AnsibleConnectionFailure, AnsibleError):
            return ""
        return answer["stdout"].strip() if answer["rc"] == 0 else ""

    def running(self):
        """What systemd says about itself once it has started up."""
        answer = self._action._low_level_execute_command(RUNNING)
        return answer["stdout"].strip().splitlines()[-1] if answer["stdout"].strip() else "unknown"

    def _run(self, script):
        answer = self._action._low_level_execute_command(script)
        if answer["rc"] != 0:
            raise DeviceError(" ".join((answer.get("stderr") or answer["stdout"]).split())[-300:] or "exit code %s" % answer["rc"])
        return answer["stdout"]


def _quoted(text):
    return "'%s'" % text.replace("'", "'\"'\"'")
