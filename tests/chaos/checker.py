"""Judges a night of kills by what devices and mailboxes say themselves. Imports nothing of deskside.

    python checker.py EVIDENCE.json

Reads, besides that file: each device's witness file, boot lines, dpkg.log and journal (``podman exec``), the mailboxes (IMAP), and the
two documents deskside printed at the end, report.json and status.json. Prints one line per violation; exit code 1 if there is one.
"""

from __future__ import annotations

import email
import email.policy
import imaplib
import itertools
import json
import re
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EARLY = 10.0
"""Seconds: a kill may precede the first line a device wrote about the work that was killed by so much (the command was on its way)."""

UNIT = re.compile(r"^(?:Started|Starting) (deskside-\S+?\.service)\b")
ENDED = re.compile(r"^(deskside-\S+?\.service): (?:Deactivated|Failed|Main process exited)")
EXACTLY_ONE = ("invitation", "closing")


class Device:
    """What one device says about the night."""

    def __init__(self, name: str, facts: dict[str, Any], night: dict[str, Any]) -> None:
        self.name, self.facts, self._night = name, facts, night
        self.witness = self._lines("/var/log/lab-harmless.witness")[facts["witness_before"] :]
        self.boots = self._lines("/var/log/lab-boots")[facts["boots_before"] :]
        self.dpkg = self._lines("/var/log/dpkg.log")[facts["dpkg_before"] :]
        self.journal = list(self._entries())

    def _ask(self, *words: str) -> str:
        argv = [*self._night["podman"], "exec", self.facts["container"], *words]
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=120, check=False)
        if done.returncode:
            raise SystemExit(f"cannot judge: {self.name}: {' '.join(words)}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def _lines(self, path: str) -> list[str]:
        return self._ask("sh", "-c", f"if [ -e {path} ]; then cat {path}; fi").splitlines()

    def _entries(self) -> Iterator[tuple[float, str, str]]:
        """(epoch, identifier, message) of the night, also from before restarts."""
        told = self._ask("journalctl", "--quiet", "--no-pager", "--output=json", f"--since=@{int(self._night['since'])}")
        for line in told.splitlines():
            entry = json.loads(line)
            message = entry.get("MESSAGE")
            if isinstance(message, str):
                yield int(entry["__REALTIME_TIMESTAMP"]) / 1e6, str(entry.get("SYSLOG_IDENTIFIER", "")), message

    @property
    def invocations(self) -> list[tuple[float, str]]:
        """When Ansible's updating module was called on the device, with its arguments."""
        return [
            (at, text)
            for at, who, text in self.journal
            if who.endswith("os_update") and text.startswith("Invoked with") and "check_mode=True" not in text
        ]

    @property
    def applies(self) -> list[tuple[float, str]]:
        """When systemd started changing work on the device, with the unit's name."""
        return [(at, found[1]) for at, who, text in self.journal if who == "systemd" and (found := UNIT.match(text))]

    @property
    def span(self) -> tuple[float, float] | None:
        """First to last line about work of ours."""
        times = [at for at, who, text in self.journal if (who.startswith("ansible-") and "Invoked with" in text)]
        times += [at for at, who, text in self.journal if who == "systemd" and (UNIT.match(text) or ENDED.match(text))]
        return (min(times), max(times)) if times else None

    @property
    def upgrades(self) -> list[tuple[str, str, str, str]]:
        """(device, package, from, to) from dpkg.log."""
        rows = [line.split() for line in self.dpkg]
        return [(self.name, row[3].partition(":")[0], row[4], row[5]) for row in rows if len(row) >= 6 and row[2] == "upgrade"]


# -- devices -----------------------------------------------------------------------------------------------------------


def once_per_device(device: Device, night: dict[str, Any]) -> Iterator[str]:
    """Never twice: the witness, the restarts, the changing work."""
    name = device.name
    if len(device.witness) != device.facts["witness"]:
        yield f"{name}: {len(device.witness)} lines in the witness file, {device.facts['witness']} expected: {device.witness}"
    if len(device.boots) != device.facts["reboots"]:
        yield f"{name}: PID 1 was started {len(device.boots)} times, {device.facts['reboots']} expected"
    for unit, times in Counter(unit for _, unit in device.applies).items():
        if times > 1:
            yield f"{name}: {unit} was started {times} times"
    units = {unit for _, unit in device.applies}
    if len(units) > night["steps"]:
        yield f"{name}: {len(units)} changing applies for {night['steps']} steps: {', '.join(sorted(units))}"
    for (_, package, *_rest), times in Counter(device.upgrades).items():
        if times > 1:
            yield f"{name}: dpkg.log says {package} was upgraded {times} times"
    yield from called_again(device, night)


def called_again(device: Device, night: dict[str, Any]) -> Iterator[str]:
    """Each call of the module beyond the first needs a kill that explains it, and each is made for this occurrence."""
    calls = device.invocations
    if not calls:
        if device.facts["witness"]:
            yield f"{device.name}: its journal knows no call of os_update"
        return
    first, last = calls[0][0] - EARLY, calls[-1][0]
    kills = sum(first <= kill["at"] <= last for kill in night["kills"])
    if len(calls) > 1 + kills:
        yield f"{device.name}: os_update was invoked {len(calls)} times with {kills} kills in between: at most {1 + kills} are explained"
    strangers = [text for _, text in calls if f"'occurrence': '{night['occurrence']}'" not in text]
    if strangers:
        yield f"{device.name}: os_update was invoked {len(strangers)} times without a guard of {night['occurrence']}"


def never_together(devices: dict[str, Device], night: dict[str, Any]) -> Iterator[str]:
    """The file servers' own journals: their maintenance spans do not overlap."""
    spans = sorted((span, name) for name in night["one_at_a_time"] if (span := devices[name].span))
    for ((_, end), one), ((start, _), other) in itertools.pairwise(spans):
        if start < end:
            yield f"{one} and {other} were in maintenance together for {end - start:.1f} s"


# -- the report --------------------------------------------------------------------------------------------------------


def same_changes(devices: dict[str, Device], report: dict[str, Any]) -> Iterator[str]:
    """The set in report.json equals the set in the dpkg.log of the devices, both directions."""
    told = {(row["device"], row["package"], row["from"], row["to"]) for row in report["changes"]}
    real = {row for device in devices.values() for row in device.upgrades}
    for device, package, old, new in sorted(real - told):
        yield f"{device}: dpkg.log says {package} {old} -> {new}; report.json does not"
    for device, package, old, new in sorted(told - real):
        yield f"{device}: report.json says {package} {old} -> {new}; dpkg.log does not"


def finished(devices: dict[str, Device], report: dict[str, Any], night: dict[str, Any]) -> Iterator[str]:
    """The night came to its end, and what was changed is called changed."""
    if report["occurrence"]["id"] != night["occurrence"] or report["occurrence"]["state"] != "finished":
        yield f"{report['occurrence']['id']} is {report['occurrence']['state']}, not finished: {report['occurrence']['note']}"
    outcomes = {row["device"]: (row["outcome"], row["reason"]) for row in report["devices"]}
    for name, device in devices.items():
        outcome, reason = outcomes.get(name, ("missing", ""))
        if device.facts["witness"] and outcome != "changed":
            yield f"{name}: it was to be changed; the report calls it {outcome}{': ' + reason if reason else ''}"


# -- people ------------------------------------------------------------------------------------------------------------


def messages(night: dict[str, Any], box: str) -> list[tuple[str, str]]:
    """(kind, Message-ID) of this occurrence's mail in one mailbox."""
    mail = night["mail"]
    with imaplib.IMAP4(mail["host"], mail["port"], timeout=30) as connection:
        connection.starttls(ssl.create_default_context(cafile=mail["ca"]))
        connection.login(box, mail["passwords"][box])
        connection.select("INBOX", readonly=True)
        _kind, found = connection.search(None, "ALL")
        raw = [connection.fetch(number.decode(), "(BODY.PEEK[HEADER])")[1] for number in found[0].split()]
    parsed = [
        email.message_from_bytes(part[1], policy=email.policy.default) for parts in raw for part in parts if isinstance(part, tuple)
    ]
    return [
        (str(mail["X-Deskside-Kind"]), str(mail["Message-ID"]))
        for mail in parsed
        if mail["X-Deskside-Occurrence"] == night["occurrence"]
    ]


def told_once(night: dict[str, Any], report: dict[str, Any]) -> Iterator[str]:
    """Reminders at most once; invitation and closing one Message-ID; what is missing or repeated is named as ambiguous."""
    doubts = {(row["person"], row["kind"]) for row in report["ambiguous"]}
    for person in night["people"]:
        got = messages(night, person)
        for kind in sorted({kind for kind, _ in got} | {*EXACTLY_ONE}):
            ids = [message_id for this, message_id in got if this == kind]
            yield from _one(person, kind, ids, named=(person, kind) in doubts)
    leads = messages(night, night["lead"])
    if len({message_id for kind, message_id in leads if kind == "report"}) != 1:
        yield f"{night['lead']}: {len(leads)} messages with {len(set(leads))} Message-IDs; one report expected"


def _one(person: str, kind: str, ids: list[str], *, named: bool) -> Iterator[str]:
    if kind not in EXACTLY_ONE:
        if len(ids) > 1:
            yield f"{person}: {len(ids)} messages of kind {kind}; at most one is allowed"
    elif len(set(ids)) > 1:
        yield f"{person}: {len(set(ids))} Message-IDs of kind {kind}; exactly one is allowed"
    elif not ids and not named:
        yield f"{person}: no {kind}, and report.json does not name it as ambiguous"
    elif len(ids) > 1 and not named:
        yield f"{person}: {kind} came {len(ids)} times, and report.json does not name it as ambiguous"


# -- the controller ----------------------------------------------------------------------------------------------------


def nothing_left(night: dict[str, Any], status: dict[str, Any]) -> Iterator[str]:
    """No lock is left, and no Ansible outlived its worker."""
    for lock in status["locks"]:
        yield f"{lock['device']}: still locked at the end by {lock['holder']} ({lock['purpose']})"
    for number, kill in enumerate(night["kills"], start=1):
        for process in kill["survivors"]:
            yield f"kill {number} ({kill['phase']}): alive {night['poll_seconds']:.0f} s after its worker died: {process}"


def judge(night: dict[str, Any]) -> list[str]:
    """Every violation of one night."""
    report, status = (json.loads(Path(night[name]).read_text(encoding="utf-8")) for name in ("report", "status"))
    devices = {name: Device(name, facts, night) for name, facts in night["devices"].items()}
    found = [line for device in devices.values() for line in once_per_device(device, night)]
    found += never_together(devices, night)
    found += same_changes(devices, report)
    found += finished(devices, report, night)
    found += told_once(night, report)
    found += nothing_left(night, status)
    return found


def main() -> int:
    """Judge the night whose evidence file is the one argument."""
    night = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    violations = judge(night)
    for line in violations:
        print(f"violation: {line}")
    return int(bool(violations))


if __name__ == "__main__":
    sys.exit(main())
