"""The calendar entry of a notice: one single instance in UTC (RFC 5545), as a request or a cancellation (RFC 5546)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orchestrator.domain.notice import Notice, NoticeKind, named_address, one_line

PRODUCT = "-//deskside//maintenance//EN"


def build_calendar(notice: Notice, facts: Mapping[str, Any], *, sender: str, summary: str, description: str) -> str | None:
    """The iCalendar text of a notice; ``None`` for kinds without one.

    Single instances in UTC need no VTIMEZONE, so no client can read them in another zone; the text names local time.
    DTSTAMP is the instant the plan was made (a cancellation: of the cancellation): sent again, it is the same entry.
    It has no alarm: reminders come by mail, in working hours.

    Args:
        notice: Identity: UID, SEQUENCE, kind.
        facts: Its facts, parsed.
        sender: The organizer, ``Name <address>``.
        summary: Title of the entry.
        description: Text of the entry.
    """
    method = notice.kind.method
    if method is None:
        return None
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    calendar.add_component(_event(notice, facts, sender=sender, summary=summary, description=description))
    return str(calendar.to_ical().decode())


def _event(notice: Notice, facts: Mapping[str, Any], *, sender: str, summary: str, description: str) -> Any:
    from icalendar import Event

    cancelled = notice.kind is NoticeKind.CANCELLED
    event = Event()
    event.add("uid", notice.uid)
    event.add("sequence", notice.sequence)
    event.add("dtstamp", datetime.fromisoformat(facts["stamp"]))
    event.add("dtstart", datetime.fromisoformat(facts["starts"]))
    event.add("dtend", datetime.fromisoformat(facts["ends"]))
    event.add("summary", one_line(summary))
    event.add("description", description)
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    event.add("transp", "TRANSPARENT")
    event.add("class", "PUBLIC")
    name, address = named_address(sender)
    event.add("organizer", _person(address, name), encode=False)
    event.add("attendee", _person(notice.address, facts["to"]["name"], attendee=True), encode=False)
    event.add("x-microsoft-cdo-busystatus", "FREE")  # Outlook's own word for TRANSPARENT
    event.add("x-microsoft-disallow-counter", "TRUE")  # nobody reads counter proposals
    return event


def _person(address: str, name: str, *, attendee: bool = False) -> Any:
    from icalendar import vCalAddress

    person = vCalAddress(f"mailto:{address}")
    if shown := one_line(name).replace('"', "'"):  # a double quote cannot stand in a parameter (RFC 5545 3.1)
        person.params["CN"] = shown
    if attendee:
        person.params.update({"CUTYPE": "INDIVIDUAL", "ROLE": "REQ-PARTICIPANT", "PARTSTAT": "NEEDS-ACTION", "RSVP": "FALSE"})
    return person
