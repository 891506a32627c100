"""A patch night as the store would know it: 41 devices, 5 rings, something of everything. Not a test."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction

from orchestrator.application.notice_facts import SendTimes, closing_notices, notices_for_plan
from orchestrator.application.ports import DeviceRun, GateRow, LogEntry, OccurrenceRow, OutboxRow
from orchestrator.domain.notice import Notice, NoticeKind, NoticeState
from orchestrator.domain.outcome import DeviceState, Outcome, RolloutState
from orchestrator.domain.person import Person, WorkingHours
from orchestrator.domain.plan import LeftOut, Plan, PlannedDevice, PlannedRing, Told
from orchestrator.domain.window import Gate, HealthProbe, Occurrence, RebootPolicy, Work

ID = "patch-night/2026-12-09"
START = datetime(2026, 12, 9, 21, 0, tzinfo=UTC)  # 22:00 in Berlin
END = START + timedelta(hours=5)
MADE = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)
DOMAIN = "example.org"
SENDER = "IT maintenance <it@example.org>"
CONTACT = "IT help desk, phone 1234, it@example.org"

NAMES = [
    "ada",
    "linus",
    "grace",
    "alan",
    "hedy",
    "edsger",
    "barbara",
    "donald",
    "margaret",
    "dennis",
    "katherine",
    "ken",
    "frances",
    "tim",
    "radia",
    "john",
]
PACKAGES = [
    ("openssl", "3.0.17-1~deb12u2", "3.0.18-1~deb12u1"),
    ("libssl3", "3.0.17-1~deb12u2", "3.0.18-1~deb12u1"),
    ("linux-image-6.1.0-41-amd64", "", "6.1.158-1"),
    ("linux-image-amd64", "6.1.153-1", "6.1.158-1"),
    ("curl", "7.88.1-10+deb12u12", "7.88.1-10+deb12u14"),
    ("libcurl4", "7.88.1-10+deb12u12", "7.88.1-10+deb12u14"),
    ("sudo", "1.9.13p3-1+deb12u1", "1.9.13p3-1+deb12u2"),
    ("libc6", "2.36-9+deb12u10", "2.36-9+deb12u13"),
    ("libc-bin", "2.36-9+deb12u10", "2.36-9+deb12u13"),
    ("tzdata", "2026a-0+deb12u1", "2026b-0+deb12u1"),
]


def person(slug: str, *, name: str = "", zone: str = "Europe/Berlin") -> Person:
    return Person(
        slug=slug,
        name=name or f"{slug.title()} Example",
        mail=f"{slug}@example.org",
        zone=zone,
        hours=WorkingHours(time(9), time(17)),
    )


PEOPLE = {
    **{name: person(name) for name in NAMES},
    "ada": person("ada", name="Ada Lovelace", zone="Europe/London"),
    "jose": person("jose", name="José Álvarez", zone="America/New_York"),
    "grace": person("grace", name="Grace Hopper"),
}


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def planned(name: str, *users: str, p95: float = 360.0) -> PlannedDevice:
    return PlannedDevice(name=name, users=users, groups=("workstations",), device_class="workstations", p95=p95)


def gate(ok: int = 95, soak: int = 10, failed: int | None = None, probe: bool = False) -> Gate:
    probes = (HealthProbe(kind="http", target="http://intranet/health"),) if probe else ()
    return Gate(ok=Fraction(ok, 100), soak=timedelta(minutes=soak), failed_at_most=failed, probes=probes)


def ring(name: str, starts: float, devices: list[PlannedDevice], g: Gate, at_once: int | None = None) -> PlannedRing:
    return PlannedRing(
        name=name,
        devices=tuple(devices),
        waves=(tuple(d.name for d in devices),),
        at_once=at_once,
        gate=g,
        starts_at=at(starts),
        p95=480.0,
    )


def occurrence(**changes) -> Occurrence:
    base = Occurrence(
        id=ID,
        window="patch-night",
        starts_at=START,
        ends_at=END,
        cutoff_at=END - timedelta(minutes=45),
        zone="Europe/Berlin",
        wall="Wed 9 Dec 2026 22:00 Europe/Berlin",
    )
    return replace(base, **changes)


def plan() -> Plan:
    broad = [planned(f"ws-{name}", name, p95=1140.0) for name in NAMES[4:]] + [
        planned(f"ws-{number}", p95=1140.0) for number in range(201, 219)
    ]
    rings = (
        ring("canary", 0, [planned("ws-ada", "ada"), planned("ws-linus", "linus")], gate(100, 20, probe=True)),
        ring(
            "early",
            26,
            [planned("ws-grace", "grace", "jose"), planned("ws-alan", "alan"), planned("ws-new-7"), planned("ws-old-3")],
            gate(failed=2),
        ),
        ring("broad", 44, broad, gate(), at_once=20),
        ring(
            "last",
            73,
            [planned("dc-1", p95=660.0), planned("dc-2", p95=660.0), planned("fs-1"), planned("fs-2"), planned("mail-1")],
            gate(100, 15),
            at_once=1,
        ),
    )
    told = [
        Told(person=slug, name=PEOPLE[slug].name, address=f"{slug}@example.org", zone=PEOPLE[slug].zone, devices=(f"ws-{slug}",))
        for slug in NAMES
    ]
    told.append(
        Told(person="jose", name="José Álvarez", address="jose@example.org", zone="America/New_York", devices=("ws-grace",))
    )
    return Plan(
        occurrence=occurrence(),
        title="Patch night",
        work=(Work(playbook="apply_os_updates", vars={"os_update_classes": ["security"]}, reboot=RebootPolicy.IF_NEEDED),),
        rings=rings,
        left_out=(
            LeftOut(name="ws-mary", rule="deferred", reason="deferred for Mary until Fri 11 Dec: on a customer call"),
            LeftOut(name="ws-shared-3", rule="nobody-owns", reason="nobody owns it (deskside_users is unset): hold"),
        ),
        told=tuple(told),
        one_at_a_time=("file_servers", "domain_controllers"),
        stay_up={},
        expected_end=at(110),
        added=("ws-new-7",),
        removed=("ws-retired-2",),
        tzdata="2026b",
        hash="7f3a9c41d2e8",
        made_at=MADE,
        facts={"unreachable_people": [{"person": "kiosk", "why": "kiosk has no mail address in people.yml"}]},
    )


def detail(count: int, *, restart: float | None = None) -> dict:
    rows = [
        {"name": n, "from": f, "to": t, "class": "security", "undo": "repository" if f else "none"} for n, f, t in PACKAGES[:count]
    ]
    data: dict = {"state": "done", "packages": rows, "services": ["ssh.service", "cron.service"] if count else []}
    if restart is not None:
        data |= {"reboot_required": True, "rebooted": {"before": "a", "after": "b", "seconds": 48, "at": at(restart).timestamp()}}
    return data


def run(device: str, ring_name: str, begin: float | None, end: float | None, outcome: Outcome, **more) -> DeviceRun:
    return DeviceRun(
        occurrence=ID,
        device=device,
        ring=ring_name,
        state=DeviceState.SETTLED,
        outcome=outcome,
        touched=begin is not None,
        started_at=at(begin) if begin is not None else None,
        finished_at=at(end) if end is not None else None,
        **more,
    )


FAILED_LINES = (
    "Setting up printer-driver-acme (4.2-1) ...",
    "dpkg: error processing package printer-driver-acme (--configure):",
    " installed printer-driver-acme package post-installation script subprocess returned error exit status 1",
    "E: Sub-process /usr/bin/dpkg returned an error code (1)",
)


def broad() -> list[DeviceRun]:
    found: list[DeviceRun] = []
    names = [d.name for d in plan().rings[2].devices]
    for index, name in enumerate(names):
        begin = 45 + (index // 20) * 11 + (index % 5) * 0.4
        took = 4 + (index * 7 % 6)
        if name == "ws-edsger":
            found.append(
                run(
                    name,
                    "broad",
                    begin,
                    begin + 5,
                    Outcome.FAILED,
                    wave=1,
                    detail=detail(4),
                    lines=FAILED_LINES,
                    reason="printer-driver-acme could not be configured: its post-installation script failed (exit status 1)",
                )
            )
        elif name == "ws-205":
            found.append(
                run(
                    name,
                    "broad",
                    begin,
                    begin + 9,
                    Outcome.REBOOT_PENDING,
                    wave=1,
                    detail=detail(10) | {"reboot_required": True, "reboot_reasons": ["linux-image-6.1.0-41-amd64"]},
                    reason="a restart is needed; 3 people are logged in",
                )
            )
        else:
            restart = begin + took - 1.5 if index % 3 else None
            found.append(
                run(
                    name,
                    "broad",
                    begin,
                    begin + took,
                    Outcome.CHANGED,
                    wave=1 + index // 20,
                    detail=detail(10 if restart else 7, restart=restart),
                )
            )
    return found


def runs() -> list[DeviceRun]:
    found = [
        run("ws-ada", "canary", 0.2, 6.4, Outcome.CHANGED, detail=detail(10, restart=5.1), wave=1),
        run("ws-linus", "canary", 0.2, 4.0, Outcome.CHANGED, detail=detail(8), wave=1),
        run("ws-grace", "early", 27, 34, Outcome.CHANGED, detail=detail(10, restart=32), wave=1),
        run("ws-alan", "early", 27, 33, Outcome.CHANGED, detail=detail(10, restart=31), wave=1),
        run("ws-new-7", "early", 27, 28, Outcome.OK, detail={"state": "nothing", "packages": []}, wave=1),
        run(
            "ws-old-3", "early", None, None, Outcome.ABSENT, reason="did not answer on port 22 within 20 s, also after it was woken"
        ),
    ]
    found += broad()
    found += [
        run("dc-1", "last", 80, 92, Outcome.CHANGED, detail=detail(10, restart=88), wave=1),
        run("dc-2", "last", 93, 117, Outcome.CHANGED, detail=detail(10, restart=112), wave=2),
        run(
            "fs-1",
            "last",
            118,
            125,
            Outcome.CHANGED,
            detail=detail(6) | {"held": ["samba"], "warnings": ["unattended-upgrades is switched on here"]},
            wave=3,
        ),
        run("fs-2", "last", None, None, Outcome.NOT_REACHED, reason="the gate of ring last was red: dc-2 took too long"),
        run("mail-1", "last", None, None, Outcome.NOT_REACHED, reason="its ring was not begun"),
    ]
    return found


def gates() -> list[GateRow]:
    def row(name: str, begin: float, soak: float, reason: str = "") -> GateRow:
        end = at(begin + soak)
        return GateRow(
            occurrence=ID,
            ring=name,
            verdict="red" if reason else "green",
            reason=reason,
            started_at=at(begin),
            soak_until=end,
            decided_at=end,
        )

    return [
        row("canary", 6.5, 20),
        row("early", 34.2, 10),
        row("broad", 66, 10),
        row("last", 125, 5, "3 of 5 devices are done, 100 % were asked for"),
    ]


def occurrence_row(**changes) -> OccurrenceRow:
    base = OccurrenceRow(
        id=ID,
        window="patch-night",
        starts_at=START,
        ends_at=END,
        state=RolloutState.FINISHED,
        opened_at=at(0),
        finished_at=at(131),
        actor="daemon",
    )
    return replace(base, **changes)


def times(the_plan: Plan) -> dict[str, SendTimes]:
    due = datetime(2026, 12, 4, 10, 0, tzinfo=UTC)
    reminder = datetime(2026, 12, 9, 15, 15, tzinfo=UTC)
    return {told.person: SendTimes(invite=due, reminders=(("before_leaving", reminder),)) for told in the_plan.told}


def invitations(the_plan: Plan) -> tuple[Notice, ...]:
    return notices_for_plan(the_plan, PEOPLE, times(the_plan), domain=DOMAIN, channel="mail")


def closings(the_plan: Plan) -> tuple[Notice, ...]:
    upcoming = datetime(2027, 1, 13, 21, 0, tzinfo=UTC)
    return closing_notices(the_plan, runs(), PEOPLE, domain=DOMAIN, channel="mail", at=at(131), next_opening=upcoming)


def outbox(the_plan: Plan) -> list[OutboxRow]:
    rows = []
    for notice in (*invitations(the_plan), *closings(the_plan)):
        row = OutboxRow(notice=notice, state=NoticeState.SENT, sent_at=notice.due + timedelta(seconds=4))
        if notice.person == "linus" and notice.kind is NoticeKind.CLOSING:
            row = replace(row, detail="resent after crash")
        if notice.person == "alan" and notice.kind is NoticeKind.REMINDER:
            row = replace(
                row,
                state=NoticeState.AMBIGUOUS,
                sent_at=None,
                detail="the sender died while it was sending: it may or may not have arrived",
            )
        if notice.person == "tim":
            row = replace(
                row,
                state=NoticeState.REJECTED,
                sent_at=None,
                detail="mail.example.org:587 refused tim@example.org: 550 5.1.1 no such mailbox",
            )
        rows.append(row)
    return rows


def log() -> list[LogEntry]:
    return [
        LogEntry(at=at(0), kind="phase", text="gate canary: soaking", occurrence=ID),
        LogEntry(at=at(26), kind="wake", text="ws-old-3: woken through fs-1", occurrence=ID, device="ws-old-3"),
        LogEntry(at=at(40), kind="pause", text="paused", occurrence=ID, actor="grace"),
        LogEntry(at=at(43), kind="resume", text="goes on", occurrence=ID, actor="grace"),
    ]
