"""Use case: freeze what one occurrence of a window will do, to which devices, in which order, and who is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator.application.errors import NotFoundError, RefusedError
from orchestrator.application.office import OfficeFacts
from orchestrator.application.ports import Clock, InventorySnapshot, InventorySource, Store
from orchestrator.domain import fairness, fit, freezes, occurrences, rings, waves
from orchestrator.domain.device import Device
from orchestrator.domain.plan import LeftOut, Plan, PlannedDevice, PlannedRing, Told
from orchestrator.domain.verdict import Deny
from orchestrator.domain.window import Freeze, Gate, NobodyOwns, Occurrence, RebootPolicy, Ring, Window

DEFAULT_PRIOR = 600.0
"""Seconds: what a playbook is assumed to take on one device when nothing is known and nothing is configured."""

LOOK_BACK = 12
"""Occurrences that are looked at to see who has waited longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybookFacts:
    """What the planner must know of a playbook."""

    name: str
    may_reboot: bool
    digest: str


class PlanRollout:
    """Resolves, counts, orders and freezes. Reads only; saving a plan is the caller's decision."""

    def __init__(
        self,
        *,
        office: OfficeFacts,
        inventory: InventorySource,
        history: Store,
        clock: Clock,
        playbook: Callable[[str], PlaybookFacts],
        tzdata: str = "",
    ) -> None:
        self._office = office
        self._inventory = inventory
        self._history = history
        self._clock = clock
        self._playbook = playbook
        self._tzdata = tzdata

    def next_occurrence(self, window: Window, *, at: datetime | None = None) -> Occurrence:
        """The occurrence that is open at ``at`` (default now), or the next one that opens.

        Raises:
            NotFoundError: The window never opens again.
        """
        now = at or self._clock.now()
        open_now = occurrences.occurrence_at(window, self._office.zones, now)
        upcoming = open_now or occurrences.next_opening(window, self._office.zones, self._office.freezes, now)
        if upcoming is None:
            raise NotFoundError(
                f'"{window.name}" never opens again: its rule has no start after {now:%Y-%m-%d %H:%M} UTC ({window.source})'
            )
        return upcoming

    def __call__(self, window: Window, occurrence: Occurrence) -> Plan:
        """Make the plan of one occurrence.

        Raises:
            RefusedError: The pattern matches nothing, too many devices, two rings claim one device, or it is frozen.
            InventoryError: Ansible cannot read the inventory.
        """
        snapshot = self._inventory.load(_patterns(window, self._office.freezes))
        targets = self._targets(window, occurrence, snapshot)
        left_out, kept = self._leave_out(window, occurrence, snapshot, targets)
        assignment = rings.assign(
            window.rings,
            kept,
            {name: snapshot.matches.get(name, ()) for name in _ring_patterns(window.rings)},
            self._history.ring_members(window.name),
        )
        if assignment.problems:
            raise RefusedError(f"{window.source}: " + "; ".join(assignment.problems))
        outcomes = self._history.last_outcomes(window.name)
        planned = {name: self._planned(window, snapshot, name, assignment.reasons.get(name, ""), outcomes) for name in kept}
        ring_plans = self._rings(window, occurrence, snapshot, assignment.rings, planned, outcomes)
        last = self._history.last_devices(window.name)
        plan = Plan(
            occurrence=occurrence,
            title=window.title,
            work=window.work,
            rings=ring_plans,
            left_out=tuple(left_out),
            told=self._told(ring_plans),
            one_at_a_time=window.one_at_a_time,
            stay_up={label: str(value) for label, value in window.stay_up.items()},
            expected_end=_expected_end(occurrence, ring_plans),
            added=tuple(sorted(set(kept) - set(last))) if last else (),
            removed=tuple(sorted(set(last) - set(targets))),
            overridden=_overridden(window, snapshot, kept),
            tzdata=self._tzdata,
            made_at=self._clock.now(),
            facts={
                "anti_affinity": {group: sorted(snapshot.matches.get(group, ())) for group in window.one_at_a_time},
                "stay_up": {
                    label: [sorted(snapshot.matches.get(label, ())), _floor(window, label, snapshot)] for label in window.stay_up
                },
                "wakers": self._wakers(snapshot, kept),
                "wake": window.wake,
                "unreachable_people": self._unreachable_people(ring_plans),
                "report_to": list(window.report.to),
            },
        )
        return replace(plan, hash=self._hash(plan, snapshot))

    # -- which devices -------------------------------------------------------------------------------------------

    def _targets(self, window: Window, occurrence: Occurrence, snapshot: InventorySnapshot) -> list[str]:
        matched = list(snapshot.matches.get(window.devices, ()))
        if occurrence.site:
            mine = occurrences.sites_of(occurrence, window, self._office.zones)
            matched = [name for name in matched if snapshot.devices[name].site in mine]
        named = {part.strip() for part in window.devices.replace(",", ":").split(":")}
        targets = [name for name in matched if name in named or not _is_controller(snapshot.devices[name])]
        if not targets:
            raise RefusedError(
                f'{window.source}: the pattern "{window.devices}" of {window.name} matches no device: nothing would be done'
            )
        if window.devices_at_most is not None and len(targets) > window.devices_at_most:
            raise RefusedError(
                f'{window.source}: "{window.devices}" matches {len(targets)} devices, devices_at_most is {window.devices_at_most}. '
                "Nothing starts. Narrow the pattern or raise the cap on purpose."
            )
        return targets

    def _leave_out(
        self, window: Window, occurrence: Occurrence, snapshot: InventorySnapshot, targets: Sequence[str]
    ) -> tuple[list[LeftOut], list[str]]:
        everything = freezes.frozen(self._office.freezes, occurrence)
        if isinstance(everything, Deny):
            raise RefusedError(everything.reason)
        frozen = freezes.frozen_devices(self._office.freezes, occurrence, targets, snapshot.matches)
        deferrals = self._history.deferrals(now=self._clock.now())
        skips = self._history.skips(occurrence.id)
        left: list[LeftOut] = []
        kept: list[str] = []
        for name in targets:
            device = snapshot.devices[name]
            if name in frozen:
                left.append(LeftOut(name=name, rule="frozen", reason=frozen[name].reason))
            elif name in skips:
                left.append(LeftOut(name=name, rule="skipped", reason=f"skipped by {skips[name]}"))
            elif name in deferrals and deferrals[name].until > occurrence.starts_at:
                held = deferrals[name]
                left.append(
                    LeftOut(
                        name=name,
                        rule="deferred",
                        reason=f"deferred for {held.person} until {held.until:%a %d %b %H:%M} UTC: {held.reason}",
                    )
                )
            elif device.users is None and window.people.nobody_owns is NobodyOwns.HOLD:
                left.append(LeftOut(name=name, rule="nobody-owns", reason="nobody owns it (deskside_users is not set): hold"))
            else:
                kept.append(name)
        return left, kept

    # -- each device and ring ------------------------------------------------------------------------------------

    def _planned(
        self, window: Window, snapshot: InventorySnapshot, name: str, reason: str, outcomes: Mapping[str, Any]
    ) -> PlannedDevice:
        device = snapshot.devices[name]
        seconds = sum(
            fit.p95(
                self._history.durations(work.playbook, device.device_class), self._office.priors.get(work.playbook, DEFAULT_PRIOR)
            )
            for work in window.work
        )
        last = outcomes.get(name)
        leads = bool(last and last.leads_next)
        reasons = [f'"{window.devices}" of {window.name} ({window.source}) matches it', reason]
        if leads:
            reasons.append(f"leads its ring: it was {last} last time")
        groups = [group for group in window.one_at_a_time if name in snapshot.matches.get(group, ())]
        reasons += [
            f"one_at_a_time {group}: never together with {', '.join(_others(snapshot, group, name)) or 'nobody'}"
            for group in groups
        ]
        reasons.append(f"predicted p95 {seconds:.0f} s ({device.device_class})")
        health = self._history.health().get(name)
        return PlannedDevice(
            name=name,
            users=device.users or (),
            groups=tuple(sorted(device.groups)),
            device_class=device.device_class,
            p95=seconds,
            leads=leads,
            asleep_likely=bool(health and health.absent_since),
            can_wake=bool(window.wake and device.mac and self._waker_of(device)),
            reasons=tuple(text for text in reasons if text),
        )

    def _rings(  # noqa: PLR0917 - one line of the story, called once
        self,
        window: Window,
        occurrence: Occurrence,
        snapshot: InventorySnapshot,
        assigned: Mapping[str, Sequence[str]],
        planned: Mapping[str, PlannedDevice],
        outcomes: Mapping[str, Any],
    ) -> tuple[PlannedRing, ...]:
        specs = {ring.name: ring for ring in window.rings}
        groups = {group: snapshot.matches.get(group, ()) for group in window.one_at_a_time}
        stay_up = {label: (snapshot.matches.get(label, ()), _floor(window, label, snapshot)) for label in window.stay_up}
        start, result = occurrence.starts_at, []
        waited = self._waited(window)
        for name, members in assigned.items():
            spec = specs.get(name) or Ring(name=name, rest=True, gate=Gate())
            ordered = fairness.order(members, outcomes, waited)
            times = {device: planned[device].p95 for device in ordered}
            predicted = waves.waves(ordered, at_once=spec.at_once, groups=groups, stay_up=stay_up, p95=times)
            seconds = waves.seconds(predicted, times)
            result.append(
                PlannedRing(
                    name=name,
                    devices=tuple(planned[device] for device in ordered),
                    waves=predicted,
                    at_once=spec.at_once,
                    gate=spec.gate,
                    starts_at=start,
                    p95=seconds,
                )
            )
            start = start + timedelta(seconds=seconds) + spec.gate.soak
        return tuple(result)

    def _waited(self, window: Window) -> Mapping[str, int]:
        """How long each device has been waiting: who waits longest goes first, else some would never be reached."""
        nights = [row.id for row in self._history.occurrences(window=window.name, limit=LOOK_BACK) if row.state.over]
        return fairness.waited(
            [{run.device: run.outcome for run in self._history.device_runs(night) if run.outcome is not None} for night in nights]
        )

    # -- people --------------------------------------------------------------------------------------------------

    def _told(self, ring_plans: Sequence[PlannedRing]) -> tuple[Told, ...]:
        by_person: dict[str, list[str]] = {}
        for ring in ring_plans:
            for device in ring.devices:
                for user in device.users:
                    by_person.setdefault(user, []).append(device.name)
        told = []
        for slug, devices in sorted(by_person.items()):
            person = self._office.people.get(slug)
            if person and person.mail:
                told.append(Told(person=slug, name=person.name, address=person.mail, zone=person.zone, devices=tuple(devices)))
        return tuple(told)

    def _unreachable_people(self, ring_plans: Sequence[PlannedRing]) -> list[dict[str, str]]:
        rows: dict[str, dict[str, str]] = {}
        for ring in ring_plans:
            for device in ring.devices:
                for user in device.users:
                    person = self._office.people.get(user)
                    if person is None:
                        rows[user] = {"person": user, "why": f"{user} of {device.name} is not in people.yml"}
                    elif not person.mail:
                        rows[user] = {"person": user, "why": f"{user} has no mail address in people.yml"}
        return list(rows.values())

    def _waker_of(self, device: Device) -> str | None:
        site = self._office.sites.get(device.site or "")
        return site.waker if site else None

    def _wakers(self, snapshot: InventorySnapshot, names: Sequence[str]) -> dict[str, list[str]]:
        found = {}
        for name in names:
            device = snapshot.devices[name]
            waker = self._waker_of(device)
            if waker and device.mac and waker != name:
                found[name] = [waker, device.mac]
        return found

    # -- identity ------------------------------------------------------------------------------------------------

    def _hash(self, plan: Plan, snapshot: InventorySnapshot) -> str:
        """Contract 9: devices by ring, work + vars, content of the playbooks, recipients, tzdata. Package versions are not in it."""
        content = {
            "occurrence": plan.occurrence.id,
            "rings": [[ring.name, [device.name for device in ring.devices], str(ring.gate)] for ring in plan.rings],
            "work": [[work.playbook, dict(work.vars), work.reboot, self._playbook(work.playbook).digest] for work in plan.work],
            "told": [[told.person, told.address] for told in plan.told],
            "report": plan.facts["report_to"],
            "tzdata": plan.tzdata,
            "one_at_a_time": plan.facts["anti_affinity"],
            "addresses": {device.name: snapshot.devices[device.name].address for device in plan.devices},
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12]


def may_restart(plan: Plan) -> bool:
    """Some step of the plan may restart a device."""
    return any(work.reboot is not RebootPolicy.NEVER for work in plan.work)


def _patterns(window: Window, known_freezes: Sequence[Freeze]) -> set[str]:
    frozen = {freeze.devices for freeze in known_freezes if freeze.devices}
    return {window.devices, *_ring_patterns(window.rings), *window.one_at_a_time, *window.stay_up, *frozen}


def _ring_patterns(ring_specs: Sequence[Ring]) -> set[str]:
    return {ring.devices for ring in ring_specs if ring.devices}


def _others(snapshot: InventorySnapshot, group: str, name: str) -> list[str]:
    return [other for other in snapshot.matches.get(group, ()) if other != name]


def _floor(window: Window, label: str, snapshot: InventorySnapshot) -> int:
    return fit.stay_up_floor(window.stay_up[label], len(snapshot.matches.get(label, ())))


def _is_controller(device: Device) -> bool:
    """The orchestrator's own host is touched only when it is named (contract 9)."""
    return device.vars.get("ansible_connection") == "local" or device.name in {"localhost", "127.0.0.1"}


def _overridden(window: Window, snapshot: InventorySnapshot, names: Sequence[str]) -> tuple[str, ...]:
    keys = {key: work for work in window.work for key in work.vars}
    return tuple(
        f"{key}: {name} sets {snapshot.devices[name].vars[key]!r}, the window's vars win with {work.vars[key]!r}"
        for name in names
        for key, work in keys.items()
        if key in snapshot.devices[name].vars and snapshot.devices[name].vars[key] != work.vars[key]
    )


def _expected_end(occurrence: Occurrence, ring_plans: Sequence[PlannedRing]) -> datetime:
    if not ring_plans:
        return occurrence.starts_at
    last = ring_plans[-1]
    return last.starts_at + timedelta(seconds=last.p95) + last.gate.soak
