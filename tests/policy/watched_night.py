"""One office, watched for a while: its openings, its plans, a whole night with its jobs, probes and messages, and the morning after.

The composition root is the real one; only the outside is scripted. What is seen is plain data without file names and line numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.adapters.secrets import channel_settings
from orchestrator.application.errors import DesksideError
from orchestrator.application.keep_time import KeepTime
from orchestrator.application.list_patches import list_patches
from orchestrator.application.plan_json import plan_to_json
from orchestrator.application.ports import Actor, InventorySnapshot, ProbeResult
from orchestrator.bootstrap import House
from orchestrator.domain import occurrences
from orchestrator.domain.device import Device
from orchestrator.domain.notice import NoticeKind
from orchestrator.domain.window import HealthProbe, Window
from orchestrator.testing import FakeClock, FixedInventory, MemoryStore, RecordingChannel, ScriptedProber, ScriptedRunner

START = datetime(2026, 1, 28, tzinfo=UTC)
YEARS = timedelta(days=5 * 366)
CHRISTMAS = (datetime(2026, 12, 14, tzinfo=UTC), datetime(2027, 1, 13, tzinfo=UTC))
DEVICES: Mapping[str, tuple[frozenset[str], tuple[str, ...] | None]] = {
    **{
        f"ws-{n}": (frozenset({"workstations", "site_berlin"} | ({"ring_canary"} if n < 3 else set())), ("ada",))
        for n in range(1, 6)
    },
    **{f"fs-{n}": (frozenset({"servers", "site_berlin"}), ()) for n in range(1, 4)},
    "fs-4": (frozenset({"servers", "site_berlin"}), None),
}
PLACE = re.compile(r"[^\s\"]*(?:maintenance|people)\.yml(?::\d+)*")


class WatchfulProber(ScriptedProber):
    """Also remembers which questions were asked, and through whom devices were woken."""

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[tuple[str, str, float, tuple[str, ...]]] = []
        self.wakers: list[str] = []

    def health(self, probe: HealthProbe, hosts: Sequence[str]) -> Mapping[str, str]:
        """Remember and answer."""
        self.questions.append((probe.kind, probe.target, probe.timeout.total_seconds(), tuple(hosts)))
        return super().health(probe, hosts)

    def wake(self, waker: str, macs: Mapping[str, str]) -> Mapping[str, str]:
        """Remember and send."""
        self.wakers.append(waker)
        return super().wake(waker, macs)


def snapshot(house: House) -> InventorySnapshot:
    """The devices, each in the site whose group holds it."""
    devices = {
        name: Device(
            name=name,
            groups=groups,
            users=users,
            site=next((site.name for site in house.facts.sites.values() if site.group in groups), None),
            address=name,
            mac=f"02:00:00:00:00:{number:02x}",
        )
        for number, (name, (groups, users)) in enumerate(DEVICES.items())
    }
    names = sorted({group for groups, _ in DEVICES.values() for group in groups})
    members = {group: tuple(name for name, (mine, _) in DEVICES.items() if group in mine) for group in names}
    return InventorySnapshot(devices=devices, groups={"all": tuple(devices), **members}, matches={"all": tuple(devices), **members})


def watch(office: Path) -> dict[str, Any]:
    """Everything an outsider can see of this office."""
    house = House(office=office, state=office / "state")
    clock, store, prober = FakeClock(START), MemoryStore(), WatchfulProber()
    prober.wakes_up("ws-4")
    prober.absent("ws-5")
    pending = {"name": "openssl", "class": "security", "since": (START + timedelta(days=10)).isoformat()}
    prober.will(ProbeResult(host="fs-1", reachable=True, pending=(pending,)))
    runner = ScriptedRunner(clock=clock, seconds=300)
    mail = RecordingChannel(name="mail")
    house.__dict__.update(
        clock=clock, store=store, store_to_read=store, prober=prober, runner=runner,
        inventory=FixedInventory(snapshot(house)), channels={"mail": mail},
    )  # fmt: skip
    try:
        seen = {"sources": [Path(source).name for source in house.office.sources], "ways out": _ways_out(house, office)}
        for window in house.facts.windows.values():
            seen[window.name] = {
                "openings": [str(each) for each in _openings(house, window, START - timedelta(days=90), START + YEARS)],
                "christmas": [_plan(house, window, each) for each in _openings(house, window, *CHRISTMAS)],
                "night": _night(house, window),
            }
        seen["jobs"] = [str((job.playbook, job.hosts, dict(job.variables), job.options, job.timeout)) for job in runner.jobs]
        seen["questions"], seen["wakers"], seen["slept"] = prober.questions, prober.wakers, sum(clock.slept)
        seen["mail"] = [(each.sender, each.recipient, each.subject, each.text, each.headers) for each in mail.messages]
        seen["patches"] = list_patches(store, now=clock.now(), limit=house.facts.security_limit)
    finally:
        house.close()
        store.close()
    text = json.dumps(seen, default=str, sort_keys=True, indent=1)
    return dict(json.loads(PLACE.sub("FILE", text.replace(str(office), ""))))


def _ways_out(house: House, office: Path) -> list[str]:
    return [
        str((way, way.password))
        for way in (channel_settings(each, office=office, state=office) for each in house.office.channels.values())
    ]


def _openings(house: House, window: Window, after: datetime, before: datetime) -> Sequence[Any]:
    return occurrences.occurrences(window, sites=house.facts.zones, after=after, before=before)


def _plan(house: House, window: Window, occurrence: Any) -> Any:
    try:
        return _without_source(json.loads(plan_to_json(house.plan_rollout(window, occurrence))))
    except DesksideError as error:
        return error.message


def _without_source(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_source(item) for key, item in value.items() if key not in {"source", "made_at"}}
    return [_without_source(item) for item in value] if isinstance(value, list) else value


def _night(house: House, window: Window) -> Any:
    """Book six days before, run from the start on, tell the people, close the books until noon."""
    opening = next(iter(_openings(house, window, START + timedelta(days=7), START + YEARS)), None)
    if opening is None:
        return "it never opens"
    clock, store = house.clock, house.store
    assert isinstance(clock, FakeClock)
    try:
        clock.set(opening.starts_at - timedelta(days=6))
        house.open_occurrence.book(window, opening, actor=Actor("ada", "cli"))
        tick = KeepTime(
            office=house.facts, store=store, open_occurrence=house.open_occurrence, deliver=house.deliver,
            start=lambda _: None, readiness=lambda _: None, clock=clock,
        )  # fmt: skip
        for moment in _moments(opening.starts_at - timedelta(days=5), opening.starts_at):
            clock.set(moment)
            house.deliver()
        clock.set(opening.starts_at)
        _drive(house, opening.id)
        for moment in _moments(opening.ends_at, opening.ends_at + timedelta(hours=12)):
            clock.set(max(moment, clock.now()))
            # The report itself stays in the outbox: drawing its PDF takes longer than the night.
            if not any(row.notice.kind is NoticeKind.REPORT for row in store.rows(opening.id)):
                house.deliver()
                tick.close_books()
    except DesksideError as error:
        return error.message
    return {
        "runs": [str((run.device, run.ring, run.outcome, run.reason, run.wave)) for run in store.device_runs(opening.id)],
        "gates": [
            str((gate.ring, gate.verdict, gate.reason, gate.started_at, gate.soak_until)) for gate in store.gates(opening.id)
        ],
        "notices": sorted(
            str((row.notice.kind, row.notice.person, row.notice.due, row.notice.facts, row.sent_at))
            for row in store.rows(opening.id)
        ),
    }


def _moments(first: datetime, last: datetime) -> Iterator[datetime]:
    while first < last:
        yield first
        first += timedelta(hours=2)


def _drive(house: House, occurrence: str) -> None:
    """The steps as the engine takes them; every loop is bounded."""
    steps = house.run_rollout
    if steps.open(occurrence) != "go":
        return
    for ring in steps.rings(occurrence):
        steps.begin_ring(occurrence, ring)
        for _ in range(2000):
            todo = steps.next_batch(occurrence, ring)
            if "done" in todo:
                break
            if "wait" in todo:
                house.clock.sleep(todo["wait"])
            else:
                steps.run_batch(todo["batch"])
        steps.start_gate(occurrence, ring)
        for _ in range(2000):
            answer = steps.gate(occurrence, ring)
            if "verdict" in answer:
                break
            house.clock.sleep(answer["wait"])
        if answer.get("verdict") == "red":
            break
    steps.finish(occurrence)
