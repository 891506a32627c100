"""Use case: propose an office directory for an inventory that already exists. Reads it through Ansible, changes nothing in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from orchestrator.application.errors import BadInputError
from orchestrator.application.ports import InventorySnapshot

CANARY = re.compile(r"canar|pilot|staging|stage|test|early|lab", re.IGNORECASE)
LAST = re.compile(r"critical|prod(?!uct)|domain_?controller|^dcs?$|database|^dbs?$", re.IGNORECASE)
TWINS = re.compile(r"domain_?controller|^dcs?$|dns|dhcp|database|^dbs?$|cluster|^ha|file|nas|proxy|gateway|printer", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an inventory suggests.

    Attributes:
        devices: How many there are.
        cap: ``devices_at_most``: some room to grow, none for a pattern gone wrong.
        canary: A group that looks like it is meant for trying things out, ``None`` = a share.
        last: Groups that look like they come last.
        twins: Groups of servers that look like they stand in for each other.
        users: Everybody whom ``deskside_users`` names.
        controllers: Devices that are this machine itself; they are left out.
    """

    devices: int
    cap: int
    canary: str | None
    last: tuple[str, ...]
    twins: tuple[str, ...]
    users: tuple[str, ...]
    controllers: tuple[str, ...]


def propose(snapshot: InventorySnapshot) -> Proposal:
    """Look at groups and devices.

    Raises:
        BadInputError: There is no device in it.
    """
    controllers = tuple(name for name, device in snapshot.devices.items() if device.vars.get("ansible_connection") == "local")
    managed = [name for name in snapshot.devices if name not in controllers]
    if not managed:
        raise BadInputError("the inventory holds no device: add one, then run deskside init again")
    groups = {
        name: set(members) & set(managed)
        for name, members in snapshot.groups.items()
        if name not in {"all", "ungrouped"} and members
    }
    small = [
        name for name, members in groups.items() if 0 < len(members) <= max(1, len(managed) // 2) and len(members) < len(managed)
    ]
    canary = next((name for name in small if CANARY.search(name)), None)
    # An empty ring proves nothing and stops a rollout: one device each stays for the canaries and for the rest.
    taken = set(groups[canary]) if canary else set(managed[:1])
    last: list[str] = []
    for name in small:
        members = groups[name]
        if (
            LAST.search(name)
            and members - taken
            and not (canary and members & groups[canary])
            and len(taken | members) < len(managed)
        ):
            last.append(name)
            taken |= members
    users = dict.fromkeys(user for device in snapshot.devices.values() for user in device.users or ())
    return Proposal(
        devices=len(managed),
        cap=len(managed) + max(2, len(managed) // 10),
        canary=canary,
        last=tuple(last),
        twins=tuple(name for name, members in groups.items() if 1 < len(members) <= 4 and TWINS.search(name)),
        users=tuple(users),
        controllers=controllers,
    )


def office_files(proposal: Proposal, *, sources: Sequence[str], zone: str, today: date) -> Mapping[str, str]:
    """The files of the new office directory, by name.

    Args:
        proposal: What the inventory suggests.
        sources: Inventory sources as the file shall name them, relative to the office directory.
        zone: IANA zone of the window.
        today: The recurrence counts from the first of this month.
    """
    return {"maintenance.yml": _maintenance(proposal, sources, zone, today), "people.yml": _people(proposal)}


def _maintenance(proposal: Proposal, sources: Sequence[str], zone: str, today: date) -> str:
    pattern = ":".join(["all", *(f"!{name}" for name in proposal.controllers)])
    owned = bool(proposal.users)
    return f"""---
# Written by `deskside init` from your inventory ({proposal.devices} devices), which it has not touched. Usable as it is; every line is yours
# to change. `deskside config check` reads it again, `deskside config sample` shows every key there is.
inventory: [{", ".join(_quoted(source) for source in sources)}]

maintenance_windows:
  patch-night:
    title: Patch night
    devices: {_quoted(pattern)}  # an Ansible pattern, as in --limit
    devices_at_most: {proposal.cap}  # when the pattern matches more, nothing starts
    starts: {{rrule: "FREQ=MONTHLY;BYDAY=2TU", plus_days: 1, at: "22:00", since: {today.replace(day=1)}}}  # the night after Patch Tuesday
    zone: {zone}
    lasts: 5h
    cutoff: 45m  # nothing new starts later than this before the end
    work:
      - {{playbook: apply_os_updates, vars: {{os_update_classes: [security]}}, reboot: if_needed}}  # reboot: never | if_needed | always
    rings:
{_rings(proposal)}
{_twins(proposal)}
    people:
      invite: 3d
      remind: [1d, before_leaving]
      # Devices without the variable deskside_users: include patches them although nobody can be told, hold leaves them out.
      nobody_owns: {"hold" if owned else "include"}
    # report: {{to: [you@example.org], at: "07:00"}}

# freezes:
#   - {{title: Christmas, from: {today.year}-12-23, to: {today.year + 1}-01-02}}

# Messages go into files in the state directory until there is a mail server here:
# mail: {{smtp: "smtps://it@mail.example.org", from: "IT <it@example.org>", password: {{env: DESKSIDE_SMTP_PASSWORD}}}}
channels:
  mail: {{files: mail, from: "IT maintenance <it@localhost>"}}
"""


def _rings(proposal: Proposal) -> str:
    if proposal.devices == 1:
        return "      - {name: all, rest: true}"
    first = f"devices: {_quoted(proposal.canary)}" if proposal.canary else "share: 10%"
    lines = [
        "      # Each ring must end well before the next one starts; soak is the time to wait and look again.",
        f"      - {{name: canary, {first}, gate: {{ok: 100%, soak: 10m}}}}",
        "      - {name: rest, rest: true, at_once: 20, gate: {ok: 95%, soak: 5m}}",
    ]
    if proposal.last:
        lines.append(f"      - {{name: last, devices: {_quoted(':'.join(proposal.last))}, at_once: 1, gate: {{ok: 100%}}}}")
    return "\n".join(lines)


def _twins(proposal: Proposal) -> str:
    why = "# of each of these groups never two devices in maintenance together"
    if proposal.twins:
        return f"    one_at_a_time: [{', '.join(_quoted(name) for name in proposal.twins)}]  {why}"
    return f"    # one_at_a_time: [domain_controllers]  {why}"


def _people(proposal: Proposal) -> str:
    text = """---
# Who uses which device: the key (here: ada) is what the inventory says, deskside_users: [ada]. It never changes; the rest may.
#
# ada:
#   name: Ada Lovelace
#   mail: ada@example.org
#   zone: Europe/London
#   hours: "09:00-17:00 mon-fri"
"""
    if not proposal.users:
        return text
    entries = "".join(f"#\n# {user}:\n#   name: \n#   mail: \n#   zone: \n" for user in proposal.users)
    return f"{text}#\n# Your inventory names these; until they stand here without the #, nobody can tell them:\n{entries}"


def _quoted(text: str | None) -> str:
    return f'"{text}"' if text and not re.fullmatch(r"[A-Za-z][\w./-]*|\.\.?/[\w./-]*", text) else text or ""
