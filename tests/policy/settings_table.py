"""One row per key of the schema: a good value, a change of it, and the attribute that carries it into the domain."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

MAINTENANCE: dict[str, Any] = {
    "inventory": ["hosts.yml"],
    "sites": {"berlin": {"group": "site_berlin", "zone": "Europe/Berlin", "waker": "fs-1"}},
    "maintenance_windows": {
        "night": {
            "title": "Night",
            "devices": "all",
            "devices_at_most": 9,
            "starts": [
                {
                    "rrule": "FREQ=WEEKLY;BYDAY=MO",
                    "plus_days": 1,
                    "at": "22:00",
                    "since": "2026-01-01",
                    "until": "2030-01-01",
                    "except": ["2026-02-03"],
                    "dst": "shift",
                }
            ],
            "zone": "Europe/Berlin",
            "lasts": "5h",
            "cutoff": "30m",
            "missed": "skip",
            "work": [{"playbook": "apply_os_updates", "vars": {"a": 1}, "reboot": "if_needed"}],
            "rings": [
                {
                    "name": "canary",
                    "devices": "ring_canary",
                    "at_once": 2,
                    "gate": {
                        "ok": "95%",
                        "failed_at_most": 1,
                        "soak": "30s",
                        "probes": [{"http": "http://a/", "from": "controller", "timeout": "5s"}],
                        "present_at_least": "60%",
                    },
                },
                {"name": "early", "share": "10%"},
                {"name": "broad", "rest": True},
            ],
            "one_at_a_time": ["servers"],
            "stay_up": {"servers": 1},
            "absent": {"wake": False, "then": "next"},
            "on_red_gate": "stop",
            "people": {"invite": "3d", "remind": ["1d"], "nobody_owns": "hold"},
            "report": {"to": ["a@example.org"], "at": "07:00"},
        }
    },
    "freezes": [{"title": "Christmas", "from": "2026-12-23", "to": "2027-01-02", "devices": "servers"}],
    "channels": {
        "mail": {"smtp": "smtps://it@mail.example.org", "from": "IT <it@example.org>", "password": {"env": "A"}, "ca": "ca.pem"}
    },
    "reboot_reserve": "15m",
    "wake_wait": "5m",
    "priors": {"apply_os_updates": "10m"},
    "limits": {"oldest_security_fix": "14d"},
}
PEOPLE: dict[str, Any] = {
    "ada": {"name": "Ada", "mail": "ada@example.org", "zone": "Europe/London", "hours": "09:00-17:00 mon-fri"}
}

W = "maintenance_windows.night"
R, G = f"{W}.rings.0", f"{W}.rings.0.gate"
DROP = object()
"""In a mutation: remove the key."""

# Key in the schema → (edits, the attribute of the settings that carries it). An edit is path → new value.
ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "inventory": ({"inventory": ["other.yml"]}, "Office.sources"),
    "sites": ({"sites.bonn": {"group": "g", "zone": "America/New_York"}}, "OfficeFacts.sites"),
    "sites.group": ({"sites.berlin.group": "other"}, "Site.group"),
    "sites.zone": ({"sites.berlin.zone": "Europe/London"}, "Site.zone"),
    "sites.waker": ({"sites.berlin.waker": "fs-2"}, "Site.waker"),
    "maintenance_windows": ({f"{W}": DROP, "priors": DROP}, "OfficeFacts.windows"),
    "maintenance_windows.title": ({f"{W}.title": "Other"}, "Window.title"),
    "maintenance_windows.devices": ({f"{W}.devices": "servers"}, "Window.devices"),
    "maintenance_windows.devices_at_most": ({f"{W}.devices_at_most": 8}, "Window.devices_at_most"),
    "maintenance_windows.starts": (
        {f"{W}.starts.1": {"rrule": "FREQ=DAILY", "at": "01:00", "since": "2026-01-01"}},
        "Window.starts",
    ),
    "maintenance_windows.starts.rrule": ({f"{W}.starts.0.rrule": "FREQ=WEEKLY;BYDAY=FR"}, "StartRule.rrule"),
    "maintenance_windows.starts.plus_days": ({f"{W}.starts.0.plus_days": 2}, "StartRule.plus_days"),
    "maintenance_windows.starts.at": ({f"{W}.starts.0.at": "23:00"}, "StartRule.at"),
    "maintenance_windows.starts.since": ({f"{W}.starts.0.since": "2026-06-01"}, "StartRule.since"),
    "maintenance_windows.starts.until": ({f"{W}.starts.0.until": "2028-01-01"}, "StartRule.until"),
    "maintenance_windows.starts.except": ({f"{W}.starts.0.except": []}, "StartRule.except_dates"),
    "maintenance_windows.starts.dst": ({f"{W}.starts.0.dst": "skip"}, "StartRule.dst"),
    "maintenance_windows.zone": ({f"{W}.zone": "Europe/London"}, "Window.zone"),
    "maintenance_windows.lasts": ({f"{W}.lasts": "4h"}, "Window.lasts"),
    "maintenance_windows.cutoff": ({f"{W}.cutoff": "1h"}, "Window.cutoff"),
    "maintenance_windows.work": ({f"{W}.work.1": {"playbook": "other"}}, "Window.work"),
    "maintenance_windows.work.playbook": ({f"{W}.work.0.playbook": "other", "priors": DROP}, "Work.playbook"),
    "maintenance_windows.work.vars": ({f"{W}.work.0.vars": {"a": 2}}, "Work.vars"),
    "maintenance_windows.work.reboot": ({f"{W}.work.0.reboot": "never"}, "Work.reboot"),
    "maintenance_windows.rings": ({f"{W}.rings.1": DROP}, "Window.rings"),
    "maintenance_windows.rings.name": ({f"{R}.name": "first"}, "Ring.name"),
    "maintenance_windows.rings.devices": ({f"{R}.devices": "servers"}, "Ring.devices"),
    "maintenance_windows.rings.share": ({f"{W}.rings.1.share": "20%"}, "Ring.share"),
    "maintenance_windows.rings.rest": (
        {f"{W}.rings.1.share": DROP, f"{W}.rings.1.rest": True, f"{W}.rings.2.rest": DROP, f"{W}.rings.2.share": "5%"},
        "Ring.rest",
    ),
    "maintenance_windows.rings.at_once": ({f"{R}.at_once": 3}, "Ring.at_once"),
    "maintenance_windows.rings.gate": ({f"{R}.gate": DROP}, "Ring.gate"),
    "maintenance_windows.rings.gate.ok": ({f"{G}.ok": "50%"}, "Gate.ok"),
    "maintenance_windows.rings.gate.failed_at_most": ({f"{G}.failed_at_most": 0}, "Gate.failed_at_most"),
    "maintenance_windows.rings.gate.soak": ({f"{G}.soak": "1m"}, "Gate.soak"),
    "maintenance_windows.rings.gate.probes": ({f"{G}.probes": []}, "Gate.probes"),
    "maintenance_windows.rings.gate.probes.http": ({f"{G}.probes.0.http": "http://b/"}, "HealthProbe.target"),
    "maintenance_windows.rings.gate.probes.tcp": ({f"{G}.probes.0": {"tcp": "a:1"}}, "HealthProbe.kind"),
    "maintenance_windows.rings.gate.probes.command": ({f"{G}.probes.0": {"command": "true"}}, "HealthProbe.kind"),
    "maintenance_windows.rings.gate.probes.timeout": ({f"{G}.probes.0.timeout": "9s"}, "HealthProbe.timeout"),
    "maintenance_windows.rings.gate.present_at_least": ({f"{G}.present_at_least": "10%"}, "Gate.present_at_least"),
    "maintenance_windows.one_at_a_time": ({f"{W}.one_at_a_time": []}, "Window.one_at_a_time"),
    "maintenance_windows.stay_up": ({f"{W}.stay_up": {"servers": "50%"}}, "Window.stay_up"),
    "maintenance_windows.absent": ({f"{W}.absent": {"wake": True}}, "Window.wake"),
    "maintenance_windows.absent.wake": ({f"{W}.absent.wake": True}, "Window.wake"),
    "maintenance_windows.people": ({f"{W}.people": DROP}, "Window.people"),
    "maintenance_windows.people.invite": ({f"{W}.people.invite": "never"}, "PeopleRule.invite"),
    "maintenance_windows.people.remind": ({f"{W}.people.remind": ["1d", "before_leaving"]}, "PeopleRule.before_leaving"),
    "maintenance_windows.people.nobody_owns": ({f"{W}.people.nobody_owns": "include"}, "PeopleRule.nobody_owns"),
    "maintenance_windows.report": ({f"{W}.report": DROP}, "Window.report"),
    "maintenance_windows.report.to": ({f"{W}.report.to": ["b@example.org"]}, "ReportRule.to"),
    "maintenance_windows.report.at": ({f"{W}.report.at": "08:00"}, "ReportRule.at"),
    "freezes": ({"freezes": []}, "OfficeFacts.freezes"),
    "freezes.title": ({"freezes.0.title": "Easter"}, "Freeze.title"),
    "freezes.from": ({"freezes.0.from": "2026-12-24"}, "Freeze.first"),
    "freezes.to": ({"freezes.0.to": "2027-01-03"}, "Freeze.last"),
    "freezes.devices": ({"freezes.0.devices": DROP}, "Freeze.devices"),
    "channels": ({"channels": DROP, f"{W}.report": DROP}, "Office.channels"),
    "channels.mail": ({"channels.mail": DROP, f"{W}.report": DROP}, "Office.channels"),
    "channels.mail.smtp": ({"channels.mail.smtp": "smtp+starttls://it@mail.example.org"}, "ChannelSettings.tls"),
    "channels.mail.files": (
        {"channels.mail": {"files": "mail", "from": "IT <it@example.org>"}},
        "ChannelSettings.directory",
    ),
    "channels.mail.from": ({"channels.mail.from": "IT <other@example.org>"}, "ChannelSettings.sender"),
    "channels.mail.password": ({"channels.mail.password": {"env": "B"}}, "ChannelSettings.password"),
    "channels.mail.ca": ({"channels.mail.ca": "other.pem"}, "ChannelSettings.ca"),
    "reboot_reserve": ({"reboot_reserve": "20m"}, "OfficeFacts.reboot_reserve"),
    "wake_wait": ({"wake_wait": "1m"}, "OfficeFacts.wake_wait"),
    "priors": ({"priors": {"apply_os_updates": "11m"}}, "OfficeFacts.priors"),
    "limits": ({"limits": {"oldest_security_fix": "1h"}}, "OfficeFacts.security_limit"),
    "limits.oldest_security_fix": ({"limits.oldest_security_fix": "1h"}, "OfficeFacts.security_limit"),
    "people.name": ({"people.ada.name": "Ada L."}, "Person.name"),
    "people.mail": ({"people.ada.mail": "other@example.org"}, "Person.mail"),
    "people.zone": ({"people.ada.zone": "Europe/Paris"}, "Person.zone"),
    "people.hours": ({"people.ada.hours": "10:00-12:00 mon"}, "Person.hours"),
}

# Keys with one possible value, and a value that must be refused.
ONLY_ONE: dict[str, tuple[str, Any]] = {
    "maintenance_windows.missed": (f"{W}.missed", "catch_up"),
    "maintenance_windows.on_red_gate": (f"{W}.on_red_gate", "undo"),
    "maintenance_windows.absent.then": (f"{W}.absent.then", "when_seen"),
    "maintenance_windows.rings.gate.probes.from": (f"{G}.probes.0.from", "device"),
}


def edited(tree: dict[str, Any], edits: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a tree with some paths changed, added or removed."""
    result = copy.deepcopy(tree)
    removed: list[tuple[Any, Any]] = []
    for path, value in edits.items():
        *parents, last = (int(step) if step.isdigit() else step for step in path.split("."))
        place: Any = result
        for step in parents:
            place = place[step]
        if value is DROP:
            removed.append((place, last))
        elif isinstance(place, list) and last == len(place):
            place.append(value)
        else:
            place[last] = value
    for place, key in removed:
        del place[key]
    return result


def write_office(root: Path, edits: Mapping[str, Any]) -> Path:
    """Write the office of the table, with these edits."""
    tree = edited({**MAINTENANCE, "people": PEOPLE}, edits)
    people = tree.pop("people")
    root.mkdir(exist_ok=True)
    (root / "maintenance.yml").write_text(yaml.safe_dump(tree, sort_keys=False))
    (root / "people.yml").write_text(yaml.safe_dump(people, sort_keys=False))
    for name in ("hosts.yml", "other.yml"):
        (root / name).touch()
    return root
