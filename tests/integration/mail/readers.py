"""What two independent libraries understand of a calendar entry: Python's icalendar and JavaScript's ical.js.

Imports nothing of deskside: the demo and the chaos checker use it to judge mail that deskside sent.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from icalendar import Calendar

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[2] / ".cache" / "mail-readers"
NPM = ("ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
FILES = ("package.json", "package-lock.json")


class ReadersMissingError(Exception):
    """Node.js or npm is not on this machine, or the registry does not answer."""


def install() -> Path:
    """Have ical.js at hand; npm is asked once, the lock file's checksum decides what is accepted.

    Returns:
        The directory that holds ``node_modules``.

    Raises:
        ReadersMissingError: It cannot be had; says why.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise ReadersMissingError(f"{program} is missing: apt-get install nodejs npm")
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = all((HOME / name).is_file() and (HOME / name).read_bytes() == (HERE / name).read_bytes() for name in FILES)
        if not (known and (HOME / "node_modules" / "ical.js").is_dir()):
            for name in FILES:
                shutil.copy(HERE / name, HOME / name)
            done = subprocess.run(["npm", *NPM], cwd=HOME, capture_output=True, text=True, timeout=180, check=False)
            if done.returncode:
                raise ReadersMissingError(f"npm could not install ical.js: {done.stderr.strip()[-400:]}")
    return HOME


def with_ical_js(calendars: Sequence[bytes]) -> list[dict[str, Any]]:
    """What ical.js understands of each."""
    home = install()
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.ics" for number in range(len(calendars))]
        for path, content in zip(paths, calendars, strict=True):
            path.write_bytes(content)
        done = subprocess.run(
            ["node", HERE / "read_calendar.mjs", home, *paths], capture_output=True, text=True, timeout=120, check=False
        )
    if done.returncode:
        raise AssertionError(f"ical.js cannot read it: {done.stderr[-800:]}")
    return list(json.loads(done.stdout))


def with_icalendar(content: bytes) -> dict[str, Any]:
    """What icalendar understands of one."""
    calendar = Calendar.from_ical(content)
    [event] = calendar.walk("VEVENT")
    assert event.errors == [], event.errors
    attendee = event["ATTENDEE"]
    return {
        "method": str(calendar["METHOD"]),
        "uid": str(event["UID"]),
        "sequence": int(event["SEQUENCE"]),
        **{name: _instant(event.decoded(name)) for name in ("dtstamp", "dtstart", "dtend")},
        "attendee": str(attendee),
        "name": str(attendee.params.get("CN", "")),
        "organizer": str(event["ORGANIZER"]),
        "status": str(event["STATUS"]),
        "summary": str(event["SUMMARY"]),
        "description": str(event["DESCRIPTION"]),
        "transp": str(event["TRANSP"]),
        "alarms": len(event.walk("VALARM")),
    }


def agree(calendars: Sequence[bytes]) -> list[dict[str, Any]]:
    """What both readers understand of each, when they agree in every point.

    Raises:
        AssertionError: They do not.
    """
    theirs = with_ical_js(calendars)
    for content, there in zip(calendars, theirs, strict=True):
        here = with_icalendar(content)
        assert here == there, f"icalendar: {here}\nical.js:   {there}"
    return theirs


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
