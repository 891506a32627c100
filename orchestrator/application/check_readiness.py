"""Use case: `deskside doctor`: would tonight work? Asks every device, the mail and this machine, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.application.notice_facts import iso, readiness_notices
from orchestrator.application.office import OfficeFacts
from orchestrator.application.ports import Clock, LogEntry, Prober, ProbeResult, Store

MAX_SKEW = 120.0
"""Seconds a device's clock may differ from the controller's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCheck:
    """One device: ``why`` is empty when it is ready."""

    device: str
    why: tuple[str, ...]
    facts: Mapping[str, object]

    @property
    def ready(self) -> bool:
        """Nothing stands in the way."""
        return not self.why


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseCheck:
    """One thing of the controller: mail out, clock, tzdata, store, engine. ``why`` is empty when it is fine."""

    name: str
    why: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The whole answer."""

    devices: tuple[DeviceCheck, ...]
    house: tuple[HouseCheck, ...]

    @property
    def headline(self) -> str:
        """``41 ready, 3 not``."""
        ready = sum(check.ready for check in self.devices)
        return f"{ready} ready, {len(self.devices) - ready} not"


class CheckReadiness:
    """Probes devices and asks the house checks."""

    def __init__(
        self,
        *,
        office: OfficeFacts,
        store: Store,
        prober: Prober,
        clock: Clock,
        house: Sequence[Callable[[], HouseCheck]],
        min_free_mb: int = 500,
    ) -> None:
        self._office = office
        self._store = store
        self._prober = prober
        self._clock = clock
        self._house = house
        self._min_free_mb = min_free_mb

    def __call__(self, devices: Sequence[str]) -> Readiness:
        """Ask all of them at once; a device that cannot be asked is not ready."""
        answers = self._prober.probe(devices)
        now = self._clock.now()
        for answer in answers.values():
            self._store.put_health(answer, at=now)
        checks = tuple(self._check(answers[name], now.timestamp()) for name in devices)
        return Readiness(devices=checks, house=tuple(check() for check in self._house))

    def before_window(self, occurrence: str) -> None:
        """The afternoon mail to the leads, once per occurrence."""
        plan = self._store.plan(occurrence)
        recipients = tuple(plan.facts.get("report_to", ())) if plan else ()
        if plan is None or any(entry.kind == "readiness" for entry in self._store.log_entries(occurrence=occurrence)):
            return
        result = self([device.name for device in plan.devices])
        self._store.log(LogEntry(at=self._clock.now(), kind="readiness", text=result.headline, occurrence=occurrence))
        if not self._office.channel or not recipients:
            return
        facts = {
            "window": plan.title,
            "starts": iso(plan.occurrence.starts_at),
            "ready": [check.device for check in result.devices if check.ready],
            "not_ready": [{"device": check.device, "why": "; ".join(check.why)} for check in result.devices if not check.ready],
            "problems": [f"{check.name}: {check.why}" for check in result.house if check.why],
        }
        self._store.put(
            readiness_notices(
                facts,
                recipients,
                occurrence=occurrence,
                zone=plan.occurrence.zone,
                channel=self._office.channel,
                due=self._clock.now(),
                expires=plan.occurrence.starts_at,
            )
        )

    def _check(self, answer: ProbeResult, now: float) -> DeviceCheck:
        if not answer.reachable:
            return DeviceCheck(device=answer.host, why=(answer.error or "did not answer",), facts={})
        facts = answer.facts
        why = []
        if facts.get("become") not in {None, "root", "ok", True}:
            why.append(f"cannot become root: {facts['become']}")
        if not facts.get("python"):
            why.append("no Python for Ansible modules")
        if str(facts.get("dpkg", "0")) not in {"0", ""}:
            why.append("packages are half installed")
        for mount, free in _free_mb(facts).items():
            if free < self._min_free_mb:
                why.append(f"{free} MB free on {mount}, {self._min_free_mb} MB are needed")
        skew = _skew(facts, now)
        if skew is not None and abs(skew) > MAX_SKEW:
            why.append(f"its clock is {skew:+.0f} s off")
        return DeviceCheck(device=answer.host, why=tuple(why), facts=dict(facts))


def _free_mb(facts: Mapping[str, object]) -> dict[str, int]:
    free = facts.get("free_mb")
    return {str(k): int(v) for k, v in free.items()} if isinstance(free, Mapping) else {}


def _skew(facts: Mapping[str, object], now: float) -> float | None:
    clock = facts.get("clock")
    return float(clock) - now if isinstance(clock, int | float) else None
