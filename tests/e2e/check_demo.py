"""After `make demo`: is what the report says what the devices and the mailboxes say? Reads them without anything of the product.

``make demo-check`` runs it; exit 1 names every difference.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from deskside_lab import Lab

from tests.integration.mail.readers import agree

FLOOR = 3
UPGRADE = re.compile(r"^(\S+ \S+) (?:upgrade|install) (\S+?)(?::\S+)? (\S+) (\S+)$", re.MULTILINE)


def main() -> int:
    """Compare and say what differs."""
    lab = Lab()
    report = json.loads((lab.inventory_dir.parent / "deskside-state" / "report.json").read_text(encoding="utf-8"))
    wrong = [*packages(lab, report), *mail(lab, report)]
    print(
        "\n".join(wrong)
        or f"{len(report['changes'])} package changes on the devices and every message in the mailboxes are as the report says"
    )
    return 1 if wrong else 0


def packages(lab: Lab, report: dict[str, Any]) -> list[str]:
    """Both directions: what dpkg wrote since the lab was made, and what the report says. The lab installs nothing else."""
    told = {(c["device"], c["package"], c["from"], c["to"]) for c in report["changes"]}
    found = set()
    for device in sorted({row["device"] for row in report["devices"]}):
        log = lab.dpkg_log(device)
        begun = report["occurrence"]["opened_at"][:19].replace("T", " ")
        spans: dict[str, tuple[str, str]] = {}
        for when, name, old, new in UPGRADE.findall(log):
            if when >= begun:
                spans[name] = (spans.get(name, (old.replace("<none>", ""), ""))[0], new)
        found |= {(device, name, old, new) for name, (old, new) in spans.items() if old != new}
    wrong = [f"dpkg.log has it, the report not: {row}" for row in sorted(found - told)]
    wrong += [f"the report has it, dpkg.log not: {row}" for row in sorted(told - found)]
    patched = {device for device, *_ in found}
    return wrong if len(patched) >= FLOOR else [*wrong, f"only {len(patched)} devices were patched, {FLOOR} at least are needed"]


def mail(lab: Lab, report: dict[str, Any]) -> list[str]:
    """One invitation that two calendar readers read alike, one closing notice; for everybody affected and nobody else."""
    occurrence, wrong = report["occurrence"]["id"], []
    affected = {person["address"].partition("@")[0] for person in report["people"]}
    for box, messages in sorted(lab.mail.all().items()):
        mine = [message for message in messages if message["X-Deskside-Occurrence"] == occurrence]
        kinds = [str(message["X-Deskside-Kind"]) for message in mine]
        for kind in ("invitation", "closing"):
            expected = 1 if box in affected else 0
            if kinds.count(kind) != expected:
                wrong.append(f"{box}: {kinds.count(kind)} messages of kind {kind}, expected {expected}")
        invitations = [
            part.get_payload(decode=True)
            for message in mine
            for part in message.walk()
            if part.get_content_type() == "text/calendar" and message["X-Deskside-Kind"] == "invitation"
        ]
        try:
            agree([bytes(text) for text in invitations])
        except AssertionError as error:
            wrong.append(f"{box}: the two calendar readers differ: {error}")
    return wrong


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    sys.exit(main())
