"""The words of every message to a person: from facts to one letter, from which text and HTML are laid out. Pure.

Words stand here once; the templates only arrange them. Times are the reader's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from orchestrator.adapters.render.moments import Zone, count
from orchestrator.adapters.render.wording import closing_line, closing_subject
from orchestrator.domain.notice import Notice, NoticeKind

HOW_LONG = "How long"
NAMED = 3
"""So many computers are named in a subject; more are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading with short points below it."""

    title: str
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message, laid out by the templates. ``tone``: ``plan``, ``good``, ``bad`` or ``off``; ``event`` titles the calendar entry."""

    subject: str
    title: str
    greeting: str
    opening: str
    rows: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...] = ()
    footer: str = ""
    tone: str = "plan"
    event: str = ""


def write(notice: Notice, facts: Mapping[str, Any], *, contact: str) -> Letter:
    """Put a notice into words.

    Args:
        notice: Kind and due time count.
        facts: Its facts, parsed.
        contact: Whom to call or write to, as people read it.
    """
    return WRITERS[notice.kind](notice, facts, contact)


# -- before ------------------------------------------------------------------------------------------------------------


def _invitation(notice: Notice, facts: Mapping[str, Any], contact: str) -> Letter:
    zone = Zone(facts["to"]["zone"])
    yours = computers(facts)
    subject = f"Maintenance of {yours}: {zone.when(facts['starts'])} ({duration(facts)})"
    return Letter(
        subject=_emergency(facts, subject),
        title=f"Maintenance of {yours}",
        greeting=_greeting(facts),
        opening=f"{_sentence(yours)} will be maintained on {zone.span(facts['starts'], facts['ends'])} ({zone.label(facts['starts'])}).",
        rows=_rows(facts, zone),
        sections=(_what_to_do(facts), _postpone(notice, facts, zone, contact)),
        footer=_footer(facts, "When it is done you get one more mail that says what was done."),
        event=f"Maintenance of {yours} ({duration(facts)})",
    )


def _reminder(notice: Notice, facts: Mapping[str, Any], contact: str) -> Letter:
    zone = Zone(facts["to"]["zone"])
    yours = computers(facts)
    days = (zone.local(facts["starts"]).date() - zone.local(notice.due).date()).days
    when = {0: f"today, {zone.clock(facts['starts'])}", 1: f"tomorrow, {zone.when(facts['starts'])}"}.get(
        days, zone.when(facts["starts"])
    )
    return Letter(
        subject=_emergency(facts, f"Reminder: maintenance of {yours} {when} ({duration(facts)})"),
        title=f"Reminder: maintenance of {yours}",
        greeting=_greeting(facts),
        opening=f"{_sentence(yours)} will be maintained {when.split(',')[0]}: "
        f"{zone.span(facts['starts'], facts['ends'])} ({zone.label(facts['starts'])}).",
        rows=_rows(facts, zone),
        sections=(_what_to_do(facts), _postpone(notice, facts, zone, contact)),
        footer=_footer(facts),
    )


def _started(notice: Notice, facts: Mapping[str, Any], contact: str) -> Letter:
    zone = Zone(facts["to"]["zone"])
    yours = computers(facts)
    return Letter(
        subject=_emergency(facts, f"Maintenance of {yours} has begun"),
        title=f"Maintenance of {yours} has begun",
        greeting=_greeting(facts),
        opening=f"The maintenance of {yours} began at {zone.clock(notice.due)} ({zone.label(notice.due)}) and takes {duration(facts)}.",
        rows=tuple(row for row in _rows(facts, zone) if row[0] != HOW_LONG),
        sections=(
            Section(
                title="What you should do", points=("If you are working on it: save your work now.", f"Whom to call: {contact}")
            ),
        ),
        footer=_footer(facts),
    )


def _cancelled(notice: Notice, facts: Mapping[str, Any], contact: str) -> Letter:
    del notice
    zone = Zone(facts["to"]["zone"])
    yours = computers(facts)
    return Letter(
        subject=f"Cancelled: maintenance of {yours} on {zone.when(facts['starts'])}",
        title=f"Cancelled: maintenance of {yours}",
        greeting=_greeting(facts),
        opening=f"The maintenance of {yours} on {zone.when(facts['starts'])} ({zone.label(facts['starts'])}) will not take place.",
        rows=(("Why", facts["reason"]), ("Whom to call", contact)),
        sections=(
            Section(
                title="What happens now",
                points=("Nothing will be done to it then.", "The entry in your calendar is taken back with this mail."),
            ),
        ),
        footer=_footer(facts),
        tone="off",
        event=f"Cancelled: maintenance of {yours}",
    )


# -- afterwards --------------------------------------------------------------------------------------------------------


def _closing(notice: Notice, facts: Mapping[str, Any], contact: str) -> Letter:
    del notice
    zone = Zone(facts["to"]["zone"])
    lines = [closing_line(device, zone, facts["next_opening"]) for device in facts["devices"]]
    good = all(line.done for line in lines)
    what = "What was done" if good else "What was done, and what was not"
    following = tuple(dict.fromkeys(line.following for line in lines if line.following))
    return Letter(
        subject=closing_subject(facts["devices"], lines, computers(facts)),
        title=f"Maintenance of {computers(facts)}: {'done' if good else 'not done' if not any(line.done for line in lines) else 'partly done'}",
        greeting=_greeting(facts),
        opening=f"{facts['title']} of {zone.date(facts['starts'])} is over. All times are {zone.label(facts['starts'])}.",
        rows=tuple((line.device, line.text) for line in lines),
        sections=(Section(title="What happens next", points=(*following, f"Whom to call: {contact}")),)
        if following
        else (Section(title="Something not as before?", points=(f"Whom to call: {contact}",)),),
        footer=_footer(facts),
        tone="good" if good else "bad",
        event=what,
    )


# -- for the lead ------------------------------------------------------------------------------------------------------


def _readiness(notice: Notice, facts: Mapping[str, Any], contact: str) -> Letter:
    del contact
    zone = Zone(facts["to"]["zone"])
    ready, missing = list(facts["ready"]), list(facts["not_ready"])
    tonight = zone.local(notice.due).date() == zone.local(facts["starts"]).date()
    head = f"{'Tonight' if tonight else zone.day(facts['starts'])}: {len(ready)} ready, {len(missing)} not"
    sections = []
    if facts["problems"]:
        sections.append(Section(title="Not about a device", points=tuple(facts["problems"])))
    if missing:
        sections.append(Section(title="Not ready, and why", points=tuple(f"{row['device']}: {row['why']}" for row in missing)))
    if ready:
        sections.append(Section(title="Ready", points=(", ".join(sorted(ready)),)))
    good = not missing and not facts["problems"]
    advice = "Nothing to do." if good else "What is still not ready then cannot be done; the report will say so."
    return Letter(
        subject=f"{head} ({facts['window']}, {zone.clock(facts['starts'])})",
        title=head,
        greeting="",
        opening=f"{facts['window']} opens on {zone.when(facts['starts'])} ({zone.label(facts['starts'])}). {advice}",
        sections=tuple(sections),
        footer=f"deskside doctor looked at every device before {notice.occurrence}. Look again: deskside doctor",
        tone="good" if good else "bad",
    )


WRITERS: Mapping[NoticeKind, Callable[[Notice, Mapping[str, Any], str], Letter]] = MappingProxyType(
    {
        NoticeKind.INVITATION: _invitation,
        NoticeKind.REMINDER: _reminder,
        NoticeKind.STARTED: _started,
        NoticeKind.CANCELLED: _cancelled,
        NoticeKind.CLOSING: _closing,
        NoticeKind.READINESS: _readiness,
    }
)
"""Every kind but the report, which is a document of its own."""


# -- the parts ---------------------------------------------------------------------------------------------------------


def computers(facts: Mapping[str, Any]) -> str:
    """``your computer ws-ada``, ``your computers ws-ada and ws-lab``, ``your 5 computers``."""
    names: Sequence[str] = [device["name"] for device in facts["devices"]]
    if len(names) == 1:
        return f"your computer {names[0]}"
    if len(names) > NAMED:
        return f"your {len(names)} computers"
    return f"your computers {', '.join(names[:-1])} and {names[-1]}"


def duration(facts: Mapping[str, Any]) -> str:
    """``about 10 minutes``; with several computers the longest, ``each``."""
    longest = max((device["minutes"] for device in facts["devices"]), default=0)
    return f"about {count(longest, 'minute')}{' each' if len(facts['devices']) > 1 else ''}"


def _greeting(facts: Mapping[str, Any]) -> str:
    return f"Hello {facts['to']['name']}," if facts["to"]["name"] else "Hello,"


def _emergency(facts: Mapping[str, Any], subject: str) -> str:
    return f"Emergency: {subject}" if facts["emergency"] else subject


def _rows(facts: Mapping[str, Any], zone: Zone) -> tuple[tuple[str, str], ...]:
    restart = {
        "always": "It will be restarted once.",
        "if_needed": "It is restarted once if an update needs it.",
        "never": "It will not be restarted.",
    }[facts["restart"]]
    emergency = (("Why now", facts["emergency"]),) if facts["emergency"] else ()
    several = len(facts["devices"]) > 1
    likely = "; ".join(f"{device['name']} around {zone.clock(device['expected'])}" for device in facts["devices"])
    only = zone.clock(facts["devices"][0]["expected"]) if facts["devices"] else ""
    return (
        *emergency,
        ("What happens", f"{_sentence(' and '.join(facts['work']))}."),
        (
            HOW_LONG,
            f"{_sentence(duration(facts))}, at some time in that span. Most likely: {likely if several else f'around {only}'}.",
        ),
        ("Restart", restart.replace("It ", "Each ", 1) if several else restart),
    )


def _what_to_do(facts: Mapping[str, Any]) -> Section:
    it = "them" if len(facts["devices"]) > 1 else "it"
    points = [f"Leave {it} switched on and connected to the network; locked is fine."]
    points.append("Save your work and close your documents before you leave.")
    return Section(title="What you should do", points=tuple(points))


def _postpone(notice: Notice, facts: Mapping[str, Any], zone: Zone, contact: str) -> Section:
    name = facts["devices"][0]["name"] if facts["devices"] else "NAME"
    begun = notice.due >= datetime.fromisoformat(facts["starts"])
    by = "at once" if begun else f"before {zone.when(facts['starts'])}"
    return Section(
        title="If the time does not suit you",
        points=(
            f"Tell IT {by}: {contact}",
            f"They postpone it for you (deskside defer {name}).",
            "Declining or moving the calendar entry changes nothing yet: nobody reads the answer.",
        ),
    )


def _footer(facts: Mapping[str, Any], more: str = "") -> str:
    why = f"You get this because you use {_names(facts)}; as it is about your own computer, there is nothing to unsubscribe from."
    return f"{more} {why} ({facts['occurrence']})".strip()


def _names(facts: Mapping[str, Any]) -> str:
    return ", ".join(device["name"] for device in facts["devices"])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
