"""Use case: one tick of the planner. Idempotent: what is in the store is not done again; memory only saves looking twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator.application.deliver_notices import DeliverNotices
from orchestrator.application.errors import DesksideError
from orchestrator.application.notice_facts import report_notices
from orchestrator.application.office import OfficeFacts
from orchestrator.application.open_occurrence import OpenOccurrence, lead_time
from orchestrator.application.ports import Actor, Clock, LogEntry, OccurrenceRow, Store
from orchestrator.application.report_document import build
from orchestrator.domain import occurrences
from orchestrator.domain.notice import NoticeKind, NoticeState
from orchestrator.domain.outcome import RolloutState
from orchestrator.domain.verdict import Deny
from orchestrator.domain.window import Window

CLOSING_PATIENCE = timedelta(minutes=5)
"""The report waits so long for the closing notices to leave, so that it can say who was told."""

READINESS_LEAD = timedelta(hours=8)
"""The devices are asked the afternoon before: this long before the window opens."""

DAEMON = Actor("deskside", "daemon")


class KeepTime:
    """What is due now: plan, tell, start, miss, check readiness, report."""

    def __init__(
        self,
        *,
        office: OfficeFacts,
        store: Store,
        open_occurrence: OpenOccurrence,
        deliver: DeliverNotices,
        start: Callable[[str], None],
        readiness: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._office = office
        self._store = store
        self._open = open_occurrence
        self._deliver = deliver
        self._start = start
        self._readiness = readiness
        self._clock = clock
        self._booked: set[str] = set()

    def __call__(self) -> None:
        """One tick. One bad window never stops the others (field: one bad schedule stopped all schedules)."""
        for window in self._office.windows.values():
            try:
                self._book(window)
            except DesksideError as error:
                self._refused(window, error)
        self.start_due()
        self.close_books()
        self._deliver()

    def start_due(self) -> None:
        """Start what is open, miss what is past its cutoff."""
        now = self._clock.now()
        for row in self._store.occurrences(limit=200):
            plan = self._store.plan(row.id) if row.state is RolloutState.PLANNED else None
            if plan is None:
                continue
            verdict = plan.occurrence.may_start(now)
            if not isinstance(verdict, Deny):
                self._start(row.id)
            elif verdict.until is None:
                self._store.move(row.id, RolloutState.MISSED, note=verdict.reason, now=now)
                self._store.cancel(row.id, kinds=[NoticeKind.INVITATION, NoticeKind.REMINDER, NoticeKind.STARTED])
                self._log(row.id, "missed", f"nothing was touched: {verdict.reason}")
            elif plan.occurrence.starts_at - now < READINESS_LEAD:
                self._readiness(row.id)

    def close_books(self) -> None:
        """Put the report of what is over into the outbox, once, after the closing notices left."""
        now = self._clock.now()
        for row in self._store.occurrences(limit=50):
            if row.state in {RolloutState.FINISHED, RolloutState.STOPPED, RolloutState.CANCELLED} and row.opened_at is not None:
                self._report(row, now)

    def _book(self, window: Window) -> None:
        now = self._clock.now()
        after, before = now - window.lasts, now + lead_time(window)
        for occurrence in occurrences.occurrences(window, sites=self._office.zones, after=after, before=before):
            if occurrence.cutoff_at > now and occurrence.id not in self._booked:
                row = self._store.occurrence(occurrence.id)
                if row is None or not row.state.over:
                    self._open.book(window, occurrence, actor=DAEMON)
                self._booked.add(occurrence.id)

    def _report(self, row: OccurrenceRow, now: datetime) -> None:
        rows = self._store.rows(row.id)
        recipients = self._recipients(row)
        if not recipients or not self._office.channel or any(r.notice.kind is NoticeKind.REPORT for r in rows):
            return
        waiting = [r for r in rows if r.notice.kind is NoticeKind.CLOSING and r.state in {NoticeState.NEW, NoticeState.SENDING}]
        if waiting and row.finished_at is not None and now - row.finished_at < CLOSING_PATIENCE:
            return
        document = report_of(self._store, row, made_at=now)
        if document is not None:
            self._store.put(report_notices(document, recipients, channel=self._office.channel, due=self._report_due(row, now)))

    def _recipients(self, row: OccurrenceRow) -> tuple[str, ...]:
        plan = self._store.plan(row.id)
        return tuple(plan.facts.get("report_to", ())) if plan else ()

    def _report_due(self, row: OccurrenceRow, now: datetime) -> datetime:
        window, plan = self._office.windows.get(row.window), self._store.plan(row.id)
        if window is None or plan is None or window.report.at is None:
            return now
        return max(now, first_at(window.report.at, after=row.starts_at, zone=plan.occurrence.zone))

    def _refused(self, window: Window, error: DesksideError) -> None:
        """The same refusal is written once a day, not at every tick."""
        now = self._clock.now()
        text = f"{window.name}: {error.message}"
        recent = self._store.log_entries(limit=200)
        if not any(entry.kind == "refused" and entry.text == text and now - entry.at < timedelta(days=1) for entry in recent):
            self._store.log(LogEntry(at=now, kind="refused", text=text, actor=DAEMON.name))

    def _log(self, occurrence: str, kind: str, text: str) -> None:
        self._store.log(LogEntry(at=self._clock.now(), kind=kind, text=text, occurrence=occurrence, actor=DAEMON.name))


def first_at(at: time, *, after: datetime, zone: str) -> datetime:
    """The first instant after ``after`` at which the wall clock of ``zone`` says ``at``."""
    local = after.astimezone(ZoneInfo(zone))
    found = datetime.combine(local.date(), at, ZoneInfo(zone))
    return found if found > after else datetime.combine(local.date() + timedelta(days=1), at, ZoneInfo(zone))


def report_of(store: Store, row: OccurrenceRow, *, made_at: datetime) -> dict[str, object] | None:
    """The report document of one occurrence from the store; ``None`` when it never had a plan."""
    plan = store.plan(row.id)
    if plan is None:
        return None
    return build(
        plan,
        row,
        store.device_runs(row.id),
        store.gates(row.id),
        store.rows(row.id),
        store.log_entries(occurrence=row.id, limit=5000),
        made_at=made_at,
    )
