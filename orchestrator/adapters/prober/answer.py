"""Reads what the probe's script prints. Anything missing, doubled or unexpected means: this device needs a run."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from orchestrator.application.ports import ProbeResult

MANY = frozenset({"disk", "person", "unit", "guard", "pending", "reboot_package"})
ONCE = frozenset({
    "v", "uid", "clock", "uptime", "boot", "python", "os", "reboot", "timers", "dpkg", "locked", "unattended", "key", "scan",
    "refreshed", "sources_newer", "end",
})  # fmt: skip
NEEDED = ("v", "uid", "clock", "boot", "reboot", "dpkg", "locked", "key", "scan", "sources_newer", "end")
CLASSES = frozenset({"security", "other"})


class AnswerError(ValueError):
    """The device did not print what the script prints."""


class Answer:
    """The lines of one device, sorted by name.

    Args:
        text: Standard output of the script.

    Raises:
        AnswerError: It is not this script's output at all.
    """

    def __init__(self, text: str) -> None:
        self.single: dict[str, str] = {}
        self.many: dict[str, list[str]] = {}
        self.doubts: list[str] = []
        for line in text.splitlines():
            name, equals, value = line.partition("=")
            if equals and name in MANY:
                self.many.setdefault(name, []).append(value)
            elif equals and name in ONCE and name not in self.single:
                self.single[name] = value
            else:
                self.doubts.append(f"unexpected line {line[:80]!r}")
        if self.single.get("v") != "1":
            raise AnswerError("the probe's script did not run")
        self.doubts += [f"line {name!r} is missing" for name in NEEDED if name not in self.single]

    def number(self, name: str) -> float | None:
        """A numeric line, ``None`` when there is none."""
        try:
            return float(self.single[name])
        except (KeyError, ValueError):
            return None

    def pending(self) -> tuple[Mapping[str, Any], ...] | None:
        """The stored scan, ``None`` when it is not to be believed."""
        if self.single.get("scan") != "cached":
            return None
        rows = []
        for line in self.many.get("pending", []):
            words = line.split(" ")
            if len(words) != 5 or words[3] not in CLASSES or words[4] not in {"0", "1"}:
                self.doubts.append(f"unexpected line {line[:80]!r} in the stored scan")
                return None
            rows.append({"name": words[0], "from": words[1], "to": words[2], "class": words[3], "held": words[4] == "1"})
        return tuple(rows)

    def guards(self, occurrence: str | None) -> dict[str, Any]:
        """Work step → guard record of this occurrence; one that cannot be read is a doubt, and stands under ``?``."""
        found: dict[str, Any] = {}
        for line in self.many.get("guard", []):
            try:
                record = json.loads(base64.b64decode(line, validate=True))
                if record["occurrence"] == occurrence:
                    found[str(record["step"])] = record
            except (binascii.Error, ValueError, KeyError, TypeError):
                self.doubts.append("a guard record cannot be read")
                found["?"] = {"state": "unreadable"}
        return found


def result(host: str, text: str, *, occurrence: str | None, refresh_after: float, now: float) -> ProbeResult:
    """What the device says, and whether it can be left alone.

    Args:
        host: Its name.
        text: The script's output.
        occurrence: Whose guard records are wanted.
        refresh_after: Package lists older than so many seconds say nothing.
        now: The controller's clock when the answer came.

    Raises:
        AnswerError: It is not this script's output at all.
    """
    answer = Answer(text)
    guards, pending = answer.guards(occurrence), answer.pending()
    why = _why_run(answer, pending, guards, refresh_after)
    return ProbeResult(
        host=host,
        reachable=True,
        needs_run=bool(why),
        pending=pending,
        reboot_required=answer.single.get("reboot") != "no",
        guard=guards or None,
        unit_active=bool(answer.many.get("unit")),
        boot=answer.single.get("boot", ""),
        facts=_facts(answer, why, now),
    )


def _why_run(
    answer: Answer, pending: tuple[Mapping[str, Any], ...] | None, guards: Mapping[str, Any], refresh_after: float
) -> list[str]:
    """Every reason why this device cannot be left alone; the list is empty only when all was proven."""
    single, clock, refreshed = answer.single, answer.number("clock"), answer.number("refreshed")
    age = clock - refreshed if clock is not None and refreshed is not None else None
    checks = {
        "its answer was cut short": single.get("end", "1") != "1",
        "not asked as root": single.get("uid") != "0",
        "its package lists were never refreshed by us": age is None,
        "its package lists are old": age is not None and not 0 <= age <= refresh_after,
        "its package sources changed": single.get("sources_newer") != "0",
        "what is pending is not known": pending is None,
        "updates are pending": any(not row["held"] for row in pending or ()),
        "packages are half installed": single.get("dpkg") != "0",
        "another program is changing packages": single.get("locked") != "0",
        "a restart is due": single.get("reboot") != "no",
        "work of ours runs there": bool(answer.many.get("unit")),
        "work of this occurrence is not finished": any(record.get("state") != "done" for record in guards.values()),
    }
    return [*answer.doubts, *(reason for reason, holds in checks.items() if holds)]


def _facts(answer: Answer, why: list[str], now: float) -> dict[str, Any]:
    single, clock = answer.single, answer.number("clock")
    free = _free_mb(answer.many.get("disk", []))
    return {
        "become": "root" if single.get("uid") == "0" else f"uid {single.get('uid', '?')}",
        "python": single.get("python", ""),
        "os": single.get("os", ""),
        "dpkg": single.get("dpkg", ""),
        "locked": single.get("locked") not in {"0", None},
        "free_mb": {path: mb for path, mb in free.items() if path in {"/", "/var"}},
        "boot_free_mb": free.get("/boot"),
        "people": [dict(zip(("name", "line"), line.split(" ", 1), strict=False)) for line in answer.many.get("person", [])],
        "units": answer.many.get("unit", []),
        "reboot_packages": answer.many.get("reboot_package", []),
        "auto_update_timers": answer.number("timers"),
        "unattended_upgrades": single.get("unattended", ""),
        "uptime": answer.number("uptime"),
        "clock": clock,
        "skew": clock - now if clock is not None else None,
        "key": single.get("key", ""),
        "why_run": why,
    }


def _free_mb(lines: list[str]) -> dict[str, int]:
    free = {}
    for line in lines:
        words = line.split()
        if len(words) == 4 and all(word.isdigit() for word in words[1:]):
            free[words[0]] = int(words[1]) * int(words[2]) // 2**20
    return free
