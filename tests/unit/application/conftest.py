"""A small office and everything a night needs, on fakes and the real store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

import pytest

from orchestrator.application.batch_parts import BatchParts, BatchSettings, PlaybookWay
from orchestrator.application.deliver_notices import DeliverNotices
from orchestrator.application.office import OfficeFacts, Site
from orchestrator.application.open_occurrence import OpenOccurrence
from orchestrator.application.plan_rollout import PlanRollout, PlaybookFacts
from orchestrator.application.ports import Actor, InventorySnapshot, Message
from orchestrator.application.run_batch import RunBatch
from orchestrator.application.run_rollout import RolloutSettings, RunRollout
from orchestrator.application.steer_rollout import SteerRollout
from orchestrator.domain.device import Device
from orchestrator.domain.notice import Notice
from orchestrator.domain.person import Person
from orchestrator.domain.window import Gate, PeopleRule, ReportRule, Ring, StartRule, Window, Work
from orchestrator.testing import FakeClock, FixedInventory, MemoryStore, RecordingChannel, ScriptedProber, ScriptedRunner

OPEN = datetime(2026, 12, 9, 21, 5, tzinfo=UTC)
ADA = Actor("ada", "cli")
DEVICES = {
    "ws-ada": ({"workstations", "canary"}, ("ada",)),
    "ws-grace": ({"workstations"}, ("grace",)),
    "ws-pool": ({"workstations"}, ("grace", "linus")),
    "ws-lost": ({"workstations"}, None),
    "fs-1": ({"servers", "file_servers"}, ("grace",)),
    "fs-2": ({"servers", "file_servers"}, ("grace",)),
    "dc-1": ({"servers", "critical"}, ("linus",)),
}


def window(**changes: object) -> Window:
    """Wednesday 22:00 to 02:00 Berlin, four rings."""
    base = Window(
        name="night",
        title="Patch night",
        devices="all",
        starts=(StartRule(rrule="FREQ=WEEKLY;BYDAY=WE", at=time(22), since=date(2026, 1, 1)),),
        zone="Europe/Berlin",
        lasts=timedelta(hours=4),
        cutoff=timedelta(minutes=30),
        work=(Work(playbook="apply_os_updates"),),
        rings=(
            Ring(name="canary", devices="canary", gate=Gate(soak=timedelta(minutes=10))),
            Ring(name="broad", rest=True, gate=Gate(ok=Fraction(1, 2))),
            Ring(name="last", devices="critical"),
        ),
        one_at_a_time=("file_servers",),
        wake=True,
        people=PeopleRule(invite=timedelta(days=3), remind=(timedelta(days=1),)),
        report=ReportRule(to=("lead@example.org",)),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def person(slug: str) -> Person:
    """Somebody with an address."""
    return Person(slug=slug, name=slug.title(), mail=f"{slug}@example.org", zone="Europe/Berlin")


class PlainRenderer:
    """Renders a notice as one line."""

    def render(self, notice: Notice) -> Message:
        """Subject is the kind."""
        return Message(
            message_id=notice.message_id("example.org"),
            sender="it@example.org",
            recipient=notice.address,
            subject=str(notice.kind),
            text=notice.facts,
            html="",
        )


@dataclass
class Night:
    """One office, one clock, one store; change it, then run it."""

    window: Window = field(default_factory=window)
    clock: FakeClock = field(default_factory=lambda: FakeClock(OPEN))
    store: MemoryStore = field(default_factory=MemoryStore)
    prober: ScriptedProber = field(default_factory=ScriptedProber)
    channel: RecordingChannel = field(default_factory=lambda: RecordingChannel(name="mail"))
    devices: dict[str, tuple[set[str], tuple[str, ...] | None]] = field(default_factory=lambda: dict(DEVICES))
    probed: bool = True
    dead: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.runner = ScriptedRunner(clock=self.clock, seconds=300)

    @property
    def office(self) -> OfficeFacts:
        """As the use cases see it."""
        return OfficeFacts(
            windows={self.window.name: self.window},
            sites={"berlin": Site(name="berlin", group="all", zone="Europe/Berlin", waker="fs-1")},
            zones={"berlin": "Europe/Berlin"},
            people={slug: person(slug) for slug in ("ada", "grace", "linus")},
            priors={"apply_os_updates": 600.0},
            channel="mail",
            domain="example.org",
        )

    @property
    def inventory(self) -> FixedInventory:
        """The devices with the answers to every group name."""
        found = {
            name: Device(
                name=name, groups=frozenset(groups), users=users, site="berlin", address=name, mac=f"52:54:00:00:00:{n:02x}"
            )
            for n, (name, (groups, users)) in enumerate(self.devices.items())
        }
        groups = sorted({group for groups, _ in self.devices.values() for group in groups})
        members = {group: tuple(name for name, (mine, _) in self.devices.items() if group in mine) for group in groups}
        return FixedInventory(InventorySnapshot(devices=found, groups=members, matches={"all": tuple(found), **members}))

    @property
    def planner(self) -> PlanRollout:
        """Plans."""
        return PlanRollout(
            office=self.office, inventory=self.inventory, history=self.store, clock=self.clock,
            playbook=lambda name: PlaybookFacts(name=name, may_reboot=True, digest="d1"), tzdata="2026b",
        )  # fmt: skip

    @property
    def open_occurrence(self) -> OpenOccurrence:
        """Books."""
        return OpenOccurrence(office=self.office, store=self.store, planner=self.planner, clock=self.clock)

    @property
    def steer(self) -> SteerRollout:
        """Steers."""
        return SteerRollout(store=self.store, clock=self.clock)

    @property
    def deliver(self) -> DeliverNotices:
        """Delivers."""
        return DeliverNotices(
            store=self.store, renderer=PlainRenderer(), channels={"mail": self.channel}, clock=self.clock, holder="me",
            dead=self.dead.__contains__,
        )  # fmt: skip

    @property
    def steps(self) -> RunRollout:
        """The workflow's steps."""
        parts = BatchParts(
            store=self.store, runner=self.runner, prober=self.prober, guardian=_NeverLost(), clock=self.clock, holder="me",
            dead=self.dead.__contains__, way=lambda _: PlaybookWay(compiled=True), settings=BatchSettings(lost_wait=30.0),
        )  # fmt: skip
        return RunRollout(
            office=self.office, store=self.store, prober=self.prober, clock=self.clock, run_batch=RunBatch(parts),
            probed=lambda _: self.probed, settings=RolloutSettings(),
        )  # fmt: skip

    def book(self) -> str:
        """Plan the occurrence that is open now."""
        return self.open_occurrence.open_now(self.window, actor=ADA).plan.occurrence.id

    def run(self, occurrence: str) -> str:
        """Drive the steps as the engine does; every loop bounded. Returns what ``open`` said."""
        steps = self.steps
        answer = steps.open(occurrence)
        if answer != "go":
            return answer
        for ring in steps.rings(occurrence):
            if self._ring(steps, occurrence, ring) == "red":
                break
        steps.finish(occurrence)
        return answer

    def _ring(self, steps: RunRollout, occurrence: str, ring: str) -> str:
        steps.begin_ring(occurrence, ring)
        for _ in range(5000):
            todo = steps.next_batch(occurrence, ring)
            if "done" in todo:
                break
            if "wait" in todo:
                self.clock.sleep(todo["wait"])
            else:
                steps.run_batch(todo["batch"])
        else:
            raise AssertionError(f"ring {ring} never ends")
        steps.start_gate(occurrence, ring)
        for _ in range(5000):
            answer = steps.gate(occurrence, ring)
            if "verdict" in answer:
                return str(answer["verdict"])
            self.clock.sleep(answer["wait"])
        raise AssertionError(f"gate {ring} never decides")

    def outcomes(self, occurrence: str) -> dict[str, str]:
        """device → outcome."""
        return {run.device: str(run.outcome) for run in self.store.device_runs(occurrence)}

    def reasons(self, occurrence: str) -> dict[str, str]:
        """device → reason."""
        return {run.device: run.reason for run in self.store.device_runs(occurrence)}


class _NeverLost:
    """A guardian whose leases are never lost."""

    def keep(self, lease: object, *, ttl: float) -> _NeverLost:
        """Keep."""
        del lease, ttl
        return self

    def __enter__(self) -> object:
        return lambda: False

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture
def night() -> Iterator[Night]:
    """A fresh night."""
    made = Night()
    yield made
    made.store.close()
