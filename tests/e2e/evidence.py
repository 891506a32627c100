"""What the devices and mailboxes themselves say, read without anything of the product."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from email.message import EmailMessage

import icalendar
from deskside_lab import Lab

LINE = re.compile(r"^(\S+ \S+) (upgrade|install) (.*)$")


def device_time(lab: Lab, device: str) -> str:
    """The device's own wall clock as dpkg.log writes it."""
    return lab.exec(device, ["date", "+%Y-%m-%d %H:%M:%S"]).stdout.strip()


def changed_packages(log: str, since: str) -> set[tuple[str, str, str]]:
    """(package, from, to) of everything dpkg put another version of on the disk since then, also what it then failed to configure.

    Args:
        log: dpkg.log.
        since: ``YYYY-MM-DD HH:MM:SS`` of the device.
    """
    begun: dict[str, tuple[str, str]] = {}
    for line in log.splitlines():
        match = LINE.match(line)
        if match and match[1] >= since:
            words = match[3].split()
            name, old, new = words[0].partition(":")[0], words[1].replace("<none>", ""), words[2]
            begun[name] = (begun.get(name, (old, ""))[0], new)
    return {(name, old, new) for name, (old, new) in begun.items() if old != new}


def spans(journal: str, word: str) -> list[tuple[datetime, datetime]]:
    """First and last instant of each run of lines that name ``word``, from a journal in short-iso-precise."""
    times = [datetime.fromisoformat(line.split()[0]) for line in journal.splitlines() if word in line]
    return [(min(times), max(times))] if times else []


def invitations(messages: Iterable[EmailMessage]) -> list[icalendar.Event]:
    """The events of every message that asks for attendance."""
    found = []
    for message in messages:
        for part in message.walk():
            if part.get_content_type() == "text/calendar" and part.get_param("method") == "REQUEST":
                calendar = icalendar.Calendar.from_ical(part.get_content())
                found += list(calendar.walk("VEVENT"))
    return found


def closings(messages: Iterable[EmailMessage]) -> list[EmailMessage]:
    """The notices that say how it ended."""
    return [message for message in messages if message["X-Deskside-Kind"] == "closing"]
