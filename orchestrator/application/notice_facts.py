"""What each message to a person says, as facts: from the frozen plan and, for the closing notice, from what was done. Pure.

A notice carries its facts as canonical JSON, so that it reads the same whenever it is sent, and sent twice it is the same
message byte for byte. Times are ISO 8601 UTC here; the renderer turns them into the person's own zone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from orchestrator.application import run_detail
from orchestrator.application.ports import DeviceRun
from orchestrator.domain import schedule
from orchestrator.domain.notice import Notice, NoticeKind, calendar_uid
from orchestrator.domain.person import Person, WorkingHours
from orchestrator.domain.plan import Plan, PlannedDevice, Told
from orchestrator.domain.window import PeopleRule, RebootPolicy, Work

VERSION = 1
ROUND_UP_TO = 5
"""Minutes: a prediction in a mail is a round number, never too small."""

WORK_WORDS = MappingProxyType({"apply_os_updates": "updates are installed"})
"""What a person who is not a technician reads about a playbook; others are named as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTimes:
    """When one person is written to (aware UTC): ``invite`` None = not invited; reminders as (key, instant)."""

    invite: datetime | None = None
    reminders: tuple[tuple[str, datetime], ...] = ()


def send_times(plan: Plan, rule: PeopleRule, people: Mapping[str, Person], *, now: datetime) -> dict[str, SendTimes]:
    """When everybody who is told is written to: in their own working hours; an invitation planned late is due at once (contract 11)."""
    found = {}
    for told in plan.told:
        person = people.get(told.person)
        zone, hours = (person.zone, person.hours) if person else (told.zone, WorkingHours())
        invite = schedule.invite_time(rule, plan.occurrence, zone, hours, now)
        if invite is None and rule.invite is not None:
            invite = now
        found[told.person] = SendTimes(invite=invite, reminders=schedule.reminder_times(rule, plan.occurrence, zone, hours, now))
    return found


def notices_for_plan(
    plan: Plan,
    people: Mapping[str, Person],
    times: Mapping[str, SendTimes],
    *,
    domain: str,
    channel: str,
    sequences: Mapping[str, int] = MappingProxyType({}),
) -> tuple[Notice, ...]:
    """Invitations and reminders for everybody who is told: one invitation per person, all their devices in it.

    Args:
        plan: The frozen plan; ``plan.told`` decides who.
        people: By slug; somebody missing here is written to in the zone and under the name the plan froze.
        times: By slug; somebody missing here gets nothing.
        domain: Right side of UIDs.
        channel: The channel's name.
        sequences: Slug → SEQUENCE of the invitation, where an earlier one was cancelled (default 0).

    Returns:
        In the order of ``plan.told``; empty for people without an address.
    """
    found: list[Notice] = []
    for told in plan.told:
        when = times.get(told.person)
        if when is None or not told.address:
            continue
        base = _notice(plan, told, people.get(told.person), domain=domain, channel=channel, sequence=sequences.get(told.person, 0))
        if when.invite is not None:
            found.append(replace(base, kind=NoticeKind.INVITATION, due=when.invite, expires=plan.occurrence.ends_at))
        found.extend(
            replace(base, kind=NoticeKind.REMINDER, key=key, due=due, expires=plan.occurrence.starts_at)
            for key, due in when.reminders
        )
    return tuple(found)


def started_notices(
    plan: Plan, people: Mapping[str, Person], devices: Collection[str], *, domain: str, channel: str, at: datetime
) -> tuple[Notice, ...]:
    """``It begins now`` for the people of these devices; one per person and set of devices."""
    found = []
    for told in plan.told:
        mine = tuple(name for name in told.devices if name in devices)
        if mine and told.address:
            base = _notice(plan, replace(told, devices=mine), people.get(told.person), domain=domain, channel=channel)
            found.append(
                replace(base, kind=NoticeKind.STARTED, key="+".join(sorted(mine)), due=at, expires=plan.occurrence.ends_at)
            )
    return tuple(found)


def closing_notices(
    plan: Plan,
    runs: Sequence[DeviceRun],
    people: Mapping[str, Person],
    *,
    domain: str,
    channel: str,
    at: datetime,
    next_opening: datetime | None = None,
) -> tuple[Notice, ...]:
    """One closing notice per person: what was done on each of their devices, or why not, and what happens next.

    Args:
        plan: The plan that was carried out.
        runs: What is known about each device; a device without a run was not reached.
        people: By slug.
        domain: Right side of UIDs.
        channel: The channel's name.
        at: When the occurrence was closed: the notice is due now.
        next_opening: Start of the window's next occurrence, named where a device goes first then.
    """
    by_device = {run.device: run for run in runs}
    found = []
    for told in plan.told:
        if not told.address:
            continue
        base = _notice(plan, told, people.get(told.person), domain=domain, channel=channel)
        facts = json.loads(base.facts)
        facts["stamp"] = iso(at)
        facts["next_opening"] = iso(next_opening) if next_opening else None
        facts["devices"] = [{**device, **_done(by_device.get(device["name"]))} for device in facts["devices"]]
        found.append(replace(base, kind=NoticeKind.CLOSING, due=at, facts=canonical(facts)))
    return tuple(found)


def cancel_notices(
    invitations: Sequence[Notice], *, reason: str, at: datetime, only: Collection[str] | None = None
) -> tuple[Notice, ...]:
    """Take back invitations: same UID, SEQUENCE + 1 (RFC 5546 3.2.5).

    Args:
        invitations: The invitation notices that left, or may have left, the house; other kinds are passed over.
        reason: Why, in one sentence; the person reads it.
        at: Now: the cancellation is due and stamped with it.
        only: Person slugs, where not everybody is un-invited.
    """
    return tuple(
        replace(
            notice,
            kind=NoticeKind.CANCELLED,
            sequence=notice.sequence + 1,
            due=at,
            expires=None,
            facts=canonical({**json.loads(notice.facts), "stamp": iso(at), "reason": reason}),
        )
        for notice in invitations
        if notice.kind is NoticeKind.INVITATION and (only is None or notice.person in only)
    )


def sequences_after(notices: Iterable[Notice]) -> dict[str, int]:
    """The SEQUENCE a new invitation needs for people whose earlier one was taken back: one more than the cancellation's."""
    found: dict[str, int] = {}
    for notice in notices:
        if notice.kind is NoticeKind.CANCELLED:
            found[notice.person] = max(found.get(notice.person, 0), notice.sequence + 1)
    return found


def report_notices(document: Mapping[str, Any], recipients: Sequence[str], *, channel: str, due: datetime) -> tuple[Notice, ...]:
    """The breakfast report for each plain address; the whole document is in the notice.

    Args:
        document: What :func:`orchestrator.application.report_document.build` returned.
        recipients: Plain mail addresses.
        channel: The channel's name.
        due: Not before this instant (``report.at``).
    """
    facts = canonical({"v": VERSION, "document": document, "to": {"name": "", "zone": document["occurrence"]["zone"]}})
    return tuple(
        Notice(
            occurrence=document["occurrence"]["id"],
            kind=NoticeKind.REPORT,
            person=address,
            address=address,
            channel=channel,
            due=due,
            facts=facts,
        )
        for address in dict.fromkeys(recipients)
    )


def readiness_notices(
    facts: Mapping[str, Any],
    recipients: Sequence[str],
    *,
    occurrence: str,
    zone: str,
    channel: str,
    due: datetime,
    expires: datetime,
) -> tuple[Notice, ...]:
    """The afternoon mail of `deskside doctor`: ``tonight: 41 ready, 3 not, why``.

    Args:
        facts: ``{window, starts, ready: [name], not_ready: [{device, why}], problems: [text]}``; ``starts`` ISO UTC, ``problems`` optional.
        recipients: Plain mail addresses.
        occurrence: Its id.
        zone: IANA zone in which the lead reads times.
        channel: The channel's name.
        due: Now.
        expires: The start of the window: afterwards nobody needs it.
    """
    body = canonical({"v": VERSION, "problems": [], **facts, "to": {"name": "", "zone": zone}})
    return tuple(
        Notice(
            occurrence=occurrence,
            kind=NoticeKind.READINESS,
            person=address,
            address=address,
            channel=channel,
            due=due,
            expires=expires,
            facts=body,
        )
        for address in dict.fromkeys(recipients)
    )


def canonical(facts: Mapping[str, Any]) -> str:
    """JSON with sorted keys: equal facts are equal text."""
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def iso(at: datetime) -> str:
    """Aware instant → ISO 8601 in UTC, to the second."""
    return at.astimezone(UTC).replace(microsecond=0).isoformat()


# -- the parts ---------------------------------------------------------------------------------------------------------


def _notice(plan: Plan, told: Told, person: Person | None, *, domain: str, channel: str, sequence: int = 0) -> Notice:
    return Notice(
        occurrence=plan.occurrence.id,
        kind=NoticeKind.INVITATION,
        person=told.person,
        address=told.address,
        channel=channel,
        due=plan.occurrence.starts_at,
        uid=calendar_uid(plan.occurrence.id, told.person, domain),
        sequence=sequence,
        facts=canonical(_facts(plan, told, person)),
    )


def _facts(plan: Plan, told: Told, person: Person | None) -> dict[str, Any]:
    """Everything the templates of a person's notice need. The span is the whole window, so that a slipping ring changes nothing."""
    occurrence = plan.occurrence
    return {
        "v": VERSION,
        "occurrence": occurrence.id,
        "title": plan.title,
        "starts": iso(occurrence.starts_at),
        "ends": iso(occurrence.ends_at),
        "stamp": iso(plan.made_at or occurrence.starts_at),
        "emergency": occurrence.emergency_reason or "",
        "work": [_words(work) for work in plan.work],
        "restart": _restart(plan.work),
        "devices": [_device(plan, name) for name in told.devices],
        "to": {
            "person": told.person,
            "name": person.name if person else told.name,
            "zone": person.zone if person else told.zone,
            "language": person.language if person else "en",
        },
    }


def _words(work: Work) -> str:
    classes = work.vars.get("os_update_classes")
    words = WORK_WORDS.get(work.playbook)
    if words is None:
        return f"“{work.playbook.replace('_', ' ')}” is carried out"
    return f"security {words}" if classes == ["security"] else words


def _restart(work: Sequence[Work]) -> str:
    policies = {step.reboot for step in work}
    for policy in (RebootPolicy.ALWAYS, RebootPolicy.IF_NEEDED):
        if policy in policies:
            return policy.value
    return RebootPolicy.NEVER.value


def _device(plan: Plan, name: str) -> dict[str, Any]:
    for ring in plan.rings:
        for device in ring.devices:
            if device.name == name:
                return {"name": name, "expected": iso(max(ring.starts_at, plan.occurrence.starts_at)), "minutes": _minutes(device)}
    return {"name": name, "expected": iso(plan.occurrence.starts_at), "minutes": ROUND_UP_TO}


def _minutes(device: PlannedDevice) -> int:
    return max(ROUND_UP_TO, math.ceil(device.p95 / 60 / ROUND_UP_TO) * ROUND_UP_TO)


def _done(run: DeviceRun | None) -> dict[str, Any]:
    if run is None:
        return {"outcome": "not-reached", "updates": 0, "restarted": False, "restarted_at": None, "reason": "", "services": []}
    at = run_detail.restarted_at(run)
    return {
        "outcome": run_detail.outcome_of(run).value,
        "updates": len(run_detail.packages(run)),
        "restarted": run_detail.restarted(run),
        "restarted_at": iso(at) if at else None,
        "reason": run.reason,
        "services": list(run_detail.texts(run, "services")),
    }
