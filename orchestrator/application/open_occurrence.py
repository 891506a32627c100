"""Use cases that put an occurrence on the books: the planner's own, and a person's `deskside run`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from orchestrator.application.errors import BadInputError, RefusedError
from orchestrator.application.notice_facts import cancel_notices, notices_for_plan, send_times, sequences_after
from orchestrator.application.office import OfficeFacts
from orchestrator.application.permissions import demand
from orchestrator.application.plan_rollout import PlanRollout
from orchestrator.application.ports import Actor, Clock, LogEntry, Store
from orchestrator.domain import occurrences
from orchestrator.domain.notice import NoticeKind, NoticeState
from orchestrator.domain.outcome import RolloutState
from orchestrator.domain.plan import Plan
from orchestrator.domain.verdict import Deny
from orchestrator.domain.window import Occurrence, Window


@dataclass(frozen=True, slots=True)
class Booked:
    """A saved plan; ``fresh`` is False when it had been saved before."""

    plan: Plan
    fresh: bool


class OpenOccurrence:
    """Plans an occurrence, saves the plan and puts what must be said about it into the outbox."""

    def __init__(self, *, office: OfficeFacts, store: Store, planner: PlanRollout, clock: Clock) -> None:
        self._office = office
        self._store = store
        self._planner = planner
        self._clock = clock

    def book(self, window: Window, occurrence: Occurrence, *, actor: Actor) -> Booked:
        """The plan of this occurrence: the saved one if it has one, else made and saved now, with its notices.

        The notices of a saved plan are put again: whoever was killed between saving and telling had told nobody, and what is
        in the outbox already is not put twice.
        """
        known = self._store.plan(occurrence.id)
        if known is not None:
            self._tell(window, known)
            return Booked(known, fresh=False)
        self._log(occurrence.id, "phase", "plan", actor)
        plan = self._planner(window, occurrence)
        self._store.save_plan(plan, actor=actor)
        self._tell(window, plan)
        self._log(occurrence.id, "planned", f"{len(plan.devices)} devices, {len(plan.told)} people, plan {plan.hash}", actor)
        return Booked(plan, fresh=True)

    def rebook(self, window: Window, occurrence_id: str, *, actor: Actor) -> Plan | None:
        """Plan again what has not started: somebody deferred a device or the office changed.

        People who are no longer affected get a cancellation, new ones an invitation; for the others nothing changes.
        """
        row, old = self._store.occurrence(occurrence_id), self._store.plan(occurrence_id)
        if row is None or old is None or row.state is not RolloutState.PLANNED:
            return None
        plan = self._planner(window, old.occurrence)
        if plan.hash == old.hash:
            return old
        self._store.save_plan(plan, actor=actor)
        gone = {told.person for told in old.told} - {told.person for told in plan.told}
        sent = [
            r.notice
            for r in self._store.rows(occurrence_id)
            if r.notice.kind is NoticeKind.INVITATION and r.state is not NoticeState.NEW
        ]
        self._store.put(cancel_notices(sent, reason="your devices are no longer part of it", at=self._clock.now(), only=gone))
        self._tell(window, plan)
        self._log(occurrence_id, "planned", f"again: plan {plan.hash} replaces {old.hash}", actor)
        return plan

    def open_now(self, window: Window, *, actor: Actor) -> Booked:
        """The occurrence that is open at this moment, for `deskside run`.

        Raises:
            RefusedError: None is open; says when the next one opens.
        """
        demand(actor, "run", window.name)
        now = self._clock.now()
        occurrence = occurrences.occurrence_at(window, self._office.zones, now)
        if occurrence is None:
            raise RefusedError(self._closed(window, now))
        verdict = occurrence.may_start(now)
        if isinstance(verdict, Deny):
            raise RefusedError(f"{verdict.reason}. {self._closed(window, now)}")
        row = self._store.occurrence(occurrence.id)
        if row is not None and row.state.over:
            raise RefusedError(f"{occurrence.id} is {row.state}: it is not done twice. {self._closed(window, now)}")
        return self.book(window, occurrence, actor=actor)

    def emergency(self, window: Window, reason: str, *, actor: Actor) -> Booked:
        """An audited occurrence of its own, now, with the same rings and locks.

        Raises:
            BadInputError: No reason was given.
            RefusedError: A freeze forbids it.
        """
        demand(actor, "run --emergency", window.name)
        if not reason.strip():
            raise BadInputError("--emergency needs --reason TEXT: it stands in the record and in the report")
        now = self._clock.now()
        zone = next(iter(self._office.zones.values()), "UTC") if window.zone == "site" else window.zone
        day = now.astimezone(ZoneInfo(zone)).date()
        number = 1 + len(self._store.occurrences(prefix=f"{window.name}/{day}/emergency-"))
        occurrence = occurrences.emergency(window, now, reason.strip(), number, zone)
        self._log(occurrence.id, "emergency", reason.strip(), actor)
        return self.book(window, occurrence, actor=actor)

    def _closed(self, window: Window, now: datetime) -> str:
        upcoming = occurrences.next_opening(window, self._office.zones, self._office.freezes, now)
        opening = f"opens next {upcoming.wall}" if upcoming else "never opens again"
        return f"{window.name} {opening}. In an emergency: --emergency --reason TEXT."

    def _tell(self, window: Window, plan: Plan) -> None:
        """An invitation is never left out: planned late, it is due at once (contract 11)."""
        if not self._office.channel:
            return
        times = send_times(plan, window.people, self._office.people, now=self._clock.now())
        self._store.put(
            notices_for_plan(
                plan,
                self._office.people,
                times,
                domain=self._office.domain,
                channel=self._office.channel,
                sequences=self._sequences(plan),
            )
        )

    def _sequences(self, plan: Plan) -> dict[str, int]:
        """Somebody un-invited earlier and affected again gets an invitation newer than the cancellation."""
        return sequences_after(row.notice for row in self._store.rows(plan.occurrence.id))

    def _log(self, occurrence: str, kind: str, text: str, actor: Actor) -> None:
        self._store.log(LogEntry(at=self._clock.now(), kind=kind, text=text, occurrence=occurrence, actor=actor.name))


def lead_time(window: Window) -> timedelta:
    """How long before its start an occurrence is put on the books: before the first invitation can be due, weekends included."""
    return (window.people.invite or timedelta(0)) + timedelta(days=4)
