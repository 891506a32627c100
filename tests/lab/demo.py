"""The demonstration: a practice office in containers, one patch night on it with real security updates, and where to look afterwards.

``python -m deskside_lab.demo`` asks nothing, may be run again, and goes on where it was interrupted; ``--down`` removes everything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from .errors import LabError
from .lab import Lab

ZONE = ZoneInfo("Europe/Berlin")
WINDOW = "demo-night"
LENGTH = timedelta(hours=3)
WORK_FAILED = 21

FRAGMENT = """\
---
# Written by `make demo`: patch-night's work and rings in a window that is simply open now, with short soaks.
maintenance_windows:
  {window}:
    title: Demo patch night
    devices: "workstations:servers:!bare"
    devices_at_most: 50
    starts: {{rrule: "FREQ=DAILY;COUNT=1", at: "{at}", since: {day}}}
    zone: Europe/Berlin
    lasts: 3h
    cutoff: 45m
    work:
      - {{playbook: apply_os_updates, vars: {{os_update_classes: [security]}}, reboot: if_needed}}
    rings:
      - {{name: canary, devices: ring_canary, gate: {{ok: 100%, soak: 10s, probes: [{{command: systemctl is-active --quiet ssh}}]}}}}
      - {{name: broad, rest: true, at_once: 4, gate: {{ok: 90%, soak: 5s}}}}
      - {{name: last, devices: "critical:mail_servers", at_once: 1, gate: {{ok: 100%, soak: 2s}}}}
    one_at_a_time: [file_servers]
    absent: {{wake: true, then: next}}
    on_red_gate: stop
    people: {{invite: 3d, remind: [1d], nobody_owns: hold}}
    report: {{to: [it-leads@example.org]}}
wake_wait: 60s
"""


class Demo:
    """One practice office and its state directory, both below the lab's own directory."""

    def __init__(self) -> None:
        self.lab = Lab(say=lambda line: print(f"  {line}", flush=True))
        self.state = self.lab.inventory_dir.parent / "deskside-state"
        self.office = self.lab.inventory_dir

    def up(self) -> int:
        """Build, patch, tell, show. Returns the exit code."""
        print("1. The practice office: ten devices in containers, a mail server, their owners.", flush=True)
        if self._interrupted():
            print("  an interrupted night goes on")  # and nobody who was woken for it is put to sleep again
        else:
            self.lab.up("demo")
            self._open_window()
        print("\n2. A whole patch night on it, now.", flush=True)
        code = self._deskside("run", WINDOW)
        if code not in {0, WORK_FAILED}:
            code = self._deskside("run", WINDOW, "--emergency", "--reason", "the demonstration is run again")
        if code not in {0, WORK_FAILED}:
            return code
        self._show()
        return 0 if code == 0 else code

    def down(self) -> int:
        """Remove the containers, the network, the processes and all state."""
        self.lab.down()
        print(
            "The practice office is gone. Its images stay for the next time: podman images --filter reference='localhost/deskside/*'"
        )
        return 0

    # -- the night -----------------------------------------------------------------------------------------------

    def _open_window(self) -> None:
        """A window that began a minute ago. One that is still open is kept: an interrupted night goes on."""
        path = self.office / "maintenance.d" / "demo.yml"
        now = datetime.now(ZONE)
        if path.exists() and now.timestamp() - path.stat().st_mtime < (LENGTH - timedelta(hours=1)).total_seconds():
            return
        start = max(now - timedelta(minutes=1), now.replace(hour=0, minute=0, second=0, microsecond=0))
        path.parent.mkdir(exist_ok=True)
        path.write_text(FRAGMENT.format(window=WINDOW, at=f"{start:%H:%M}", day=start.date()), encoding="utf-8")

    def _interrupted(self) -> bool:
        done = self._ask("status", WINDOW, "--json")
        return done.returncode == 0 and json.loads(done.stdout)["occurrence"]["state"] == "running"

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "orchestrator.entrypoints.cli",
            "--office",
            str(self.office),
            "--state",
            str(self.state),
            *words,
        ]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    def _deskside(self, *words: str) -> int:
        command = [
            sys.executable,
            "-m",
            "orchestrator.entrypoints.cli",
            "--office",
            str(self.office),
            "--state",
            str(self.state),
            *words,
        ]
        return subprocess.run(command, check=False, env={**os.environ, "COLUMNS": os.environ.get("COLUMNS", "140")}).returncode

    def _report(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._ask("report", "last", "--format", "json").stdout)
        return document

    # -- what happened -------------------------------------------------------------------------------------------

    def _show(self) -> None:
        document = self._report()
        html, pdf = self.state / "report.html", self.state / "report.pdf"
        (self.state / "report.json").write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        self._deskside("report", "last", "--format", "html", "-o", str(html))
        self._deskside("report", "last", "--format", "pdf", "-o", str(pdf))
        print(f"\n3. What happened: {document['headline']}")
        self._patched(document)
        self._told()
        here = Path.cwd()
        flags = f"--office {_near(self.office, here)} --state {_near(self.state, here)}"
        print(f"""
4. Look again
   the report          {_near(html, here)}  (and {pdf.name} beside it; a mail to it-leads@example.org has it too)
   what is happening   .venv/bin/deskside {flags} status
   the report, short   .venv/bin/deskside {flags} report
   what is pending     .venv/bin/deskside {flags} patches
   the practice office .venv/bin/deskside lab status; .venv/bin/deskside lab shell ws-ada
   stop it             make demo-down""")

    def _patched(self, document: dict[str, Any]) -> None:
        changes: dict[str, list[str]] = {}
        for change in document["changes"]:
            changes.setdefault(change["device"], []).append(f"{change['package']} {change['from'] or '(new)'} → {change['to']}")
        print("\n   patched")
        for device, lines in sorted(changes.items()):
            print(f"   {device:10} {len(lines)} packages: {'; '.join(lines[:2])}{' …' if len(lines) > 2 else ''}")
        if not changes:
            print("   nothing: every device was up to date")

    def _told(self) -> None:
        print("\n   told (read in the mail server's mailboxes)")
        for box, messages in sorted(self.lab.mail.all().items()):
            if messages:
                print(f"   {box:10} {len(messages)}: {' | '.join(str(message['Subject']) for message in messages[-2:])}")


def _near(path: Path, here: Path) -> str:
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def main(argv: list[str]) -> int:
    """``--down`` removes the practice office; without it the demonstration runs."""
    demo = Demo()
    try:
        return demo.down() if "--down" in argv else demo.up()
    except LabError as error:
        print(f"{error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
