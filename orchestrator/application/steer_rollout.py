"""Use cases of a person at the wheel: cancel, pause, resume, defer, skip."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orchestrator.application.batch_parts import CANCEL_NOW
from orchestrator.application.errors import BadInputError, NotFoundError, RefusedError
from orchestrator.application.notice_facts import cancel_notices
from orchestrator.application.office import suggestion
from orchestrator.application.permissions import demand
from orchestrator.application.ports import Actor, Clock, Deferral, LogEntry, OccurrenceRow, Store
from orchestrator.domain.notice import NoticeKind, NoticeState
from orchestrator.domain.outcome import RolloutState


def find_occurrence(store: Store, wanted: str, *, now: datetime) -> OccurrenceRow:
    """An occurrence by id, unique prefix, window name, ``last`` or ``next``.

    Raises:
        NotFoundError: No such occurrence.
        BadInputError: The prefix fits several.
    """
    exact = store.occurrence(wanted)
    if exact is not None:
        return exact
    rows = list(store.occurrences(limit=500))
    if wanted == "last":
        rows = [row for row in rows if row.starts_at <= now][:1]
    elif wanted == "next":
        rows = [row for row in reversed(rows) if row.starts_at > now][:1]
    else:
        rows = _by_prefix(rows, wanted)
    if not rows:
        raise NotFoundError(
            f'no occurrence is called "{wanted}".{suggestion(wanted, (row.id for row in store.occurrences(limit=20)))}'
        )
    if len(rows) > 1:
        raise BadInputError(
            f'"{wanted}" fits {len(rows)} occurrences: {", ".join(row.id for row in rows[:5])}. Give more of the id.'
        )
    return rows[0]


def _by_prefix(rows: Sequence[OccurrenceRow], wanted: str) -> list[OccurrenceRow]:
    of_window = [row for row in rows if row.window == wanted]
    if of_window:
        running = [row for row in of_window if not row.state.over]
        return (running or of_window)[:1]
    return [row for row in rows if row.id.startswith(wanted)]


def take_back(store: Store, occurrence: str, reason: str, *, at: datetime) -> None:
    """Un-invite who was invited, or may have been; what has not left yet never leaves."""
    store.cancel(occurrence, kinds=[NoticeKind.INVITATION, NoticeKind.REMINDER, NoticeKind.STARTED])
    left = {NoticeState.SENT, NoticeState.SENDING, NoticeState.AMBIGUOUS}
    invitations = [row.notice for row in store.rows(occurrence) if row.notice.kind is NoticeKind.INVITATION and row.state in left]
    store.put(cancel_notices(invitations, reason=reason, at=at))


class SteerRollout:
    """Changes the course of an occurrence; the record says who did it and why."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def cancel(self, wanted: str, *, actor: Actor, reason: str = "", at_once: bool = False) -> OccurrenceRow:
        """Nothing new starts; running devices finish, or are stopped too with ``at_once``. A planned one is cancelled whole.

        Raises:
            RefusedError: It is over.
        """
        row = self._find("cancel", wanted, actor)
        note = f"{CANCEL_NOW if at_once else ''}{reason or 'no reason given'} ({actor.name})"
        now = self._clock.now()
        if row.state is RolloutState.PLANNED:
            self._store.move(row.id, RolloutState.CANCELLED, note=note, now=now)
            take_back(self._store, row.id, reason or "it was cancelled", at=now)
        else:
            self._store.move(row.id, RolloutState.CANCELLING, note=note, now=now)
        self._log(row.id, "cancel", note, actor)
        return self._again(row)

    def pause(self, wanted: str, *, actor: Actor, reason: str = "") -> OccurrenceRow:
        """No new wave starts until `resume`; the window goes on ticking."""
        row = self._find("pause", wanted, actor)
        if row.state is not RolloutState.RUNNING:
            raise RefusedError(f"{row.id} is {row.state}: only a running occurrence can be paused")
        self._store.move(row.id, RolloutState.PAUSED, note=reason, now=self._clock.now())
        self._log(row.id, "pause", reason, actor)
        return self._again(row)

    def resume(self, wanted: str, *, actor: Actor) -> OccurrenceRow:
        """Waves start again."""
        row = self._find("resume", wanted, actor)
        if row.state is not RolloutState.PAUSED:
            raise RefusedError(f"{row.id} is {row.state}: only a paused occurrence can be resumed")
        self._store.move(row.id, RolloutState.RUNNING, now=self._clock.now())
        self._log(row.id, "resume", "", actor)
        return self._again(row)

    def defer(self, device: str, *, until: datetime, person: str, reason: str, actor: Actor, known: Sequence[str]) -> Deferral:
        """Leave one device out of every occurrence that starts before ``until``, on a person's behalf.

        Raises:
            NotFoundError: No such device.
            BadInputError: ``until`` has passed, or there is no reason.
        """
        demand(actor, "defer", device)
        now = self._clock.now()
        if device not in known:
            raise NotFoundError(f'no device is called "{device}".{suggestion(device, known)}')
        if until <= now:
            raise BadInputError(f"--until {until:%Y-%m-%d %H:%M} UTC has passed: give an instant in the future")
        if not reason.strip():
            raise BadInputError("--reason is empty: say in a few words why the device is postponed")
        deferral = Deferral(device=device, until=until, person=person, reason=reason.strip(), actor=actor.name, at=now)
        self._store.put_deferral(deferral)
        self._store.log(
            LogEntry(
                at=now,
                kind="defer",
                text=f"for {person} until {until:%Y-%m-%d %H:%M} UTC: {reason}",
                device=device,
                actor=actor.name,
            )
        )
        return deferral

    def skip(self, device: str, wanted: str, *, actor: Actor) -> OccurrenceRow:
        """Leave one device out of one occurrence, also while it runs, unless the device is already being worked on.

        Raises:
            NotFoundError: The device is not in that plan.
            RefusedError: It has begun or is done.
        """
        row = self._find("skip", wanted, actor)
        runs = {run.device: run for run in self._store.device_runs(row.id)}
        if device not in runs:
            raise NotFoundError(f'"{device}" is not in the plan of {row.id}.{suggestion(device, runs)}')
        if runs[device].touched or runs[device].outcome is not None:
            raise RefusedError(f"{device} is {runs[device].outcome or runs[device].state} in {row.id}: too late to skip it")
        self._store.put_skip(device, row.id, actor=actor, at=self._clock.now())
        self._log(row.id, "skip", device, actor)
        return row

    def _find(self, action: str, wanted: str, actor: Actor) -> OccurrenceRow:
        row = find_occurrence(self._store, wanted, now=self._clock.now())
        demand(actor, action, row.id)
        if row.state.over:
            raise RefusedError(f"{row.id} is {row.state}: there is nothing to {action}")
        return row

    def _again(self, row: OccurrenceRow) -> OccurrenceRow:
        return self._store.occurrence(row.id) or row

    def _log(self, occurrence: str, kind: str, text: str, actor: Actor) -> None:
        self._store.log(LogEntry(at=self._clock.now(), kind=kind, text=text, occurrence=occurrence, actor=actor.name))
