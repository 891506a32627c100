"""Use case: send what is due. Claimed and committed before the first byte leaves; a crash leaves only rows that say so (contract 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from orchestrator.application.ports import (
    Channel,
    Clock,
    Delivery,
    Doubtful,
    LogEntry,
    NoticeRenderer,
    OutboxRow,
    Rejected,
    Retryable,
    Sent,
    Store,
)
from orchestrator.application.report_people import RESENT
from orchestrator.domain.notice import NoticeState

BACKOFF = (15.0, 60.0, 300.0, 900.0)
"""Seconds to wait after the first, second, … failed try of one notice."""


class DeliverNotices:
    """Drains the outbox through the channels. One instance per executor; the back-off lives in memory and errs towards trying."""

    def __init__(
        self,
        *,
        store: Store,
        renderer: NoticeRenderer,
        channels: Mapping[str, Channel],
        clock: Clock,
        holder: str,
        dead: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._channels = channels
        self._clock = clock
        self._holder = holder
        self._dead = dead
        self._later: dict[str, tuple[int, datetime]] = {}

    def recover(self) -> int:
        """Decide about what a dead sender left half sent. Returns how many rows."""
        rows = self._store.recover(dead=self._dead, now=self._clock.now())
        for row in rows:
            again = row.notice.kind.resend_after_crash
            self._log(
                row,
                "notice",
                f"{row.notice.kind} to {row.notice.person}: "
                + ("sent again, same Message-ID" if again else "ambiguous: not sent again"),
            )
        return len(rows)

    def __call__(self) -> int:
        """Send everything that is due now. Returns how many messages a channel took."""
        self.recover()
        now = self._clock.now()
        return sum(self._deliver(row) for row in self._store.due(now=now) if not self._waits(row.notice.id, now))

    def _deliver(self, row: OutboxRow) -> bool:
        notice = row.notice
        if not self._store.claim(notice.id, self._holder):
            return False
        self._log(row, "phase", f"notice {notice.kind} to {notice.person}")
        channel = self._channels.get(notice.channel)
        if channel is None:
            self._store.settle(
                notice.id, NoticeState.REJECTED, at=self._clock.now(), detail=f'no channel "{notice.channel}" is configured'
            )
            return False
        try:
            message = self._renderer.render(notice)
        except (ValueError, KeyError, TypeError) as error:  # one row that cannot be read must not stop the others
            self._store.settle(notice.id, NoticeState.REJECTED, at=self._clock.now(), detail=f"cannot be written: {error!r}")
            self._log(row, "notice-failed", f"{notice.kind} to {notice.person} cannot be written: {error!r}")
            return False
        return self._settle(row, channel.send(message))

    def _settle(self, row: OutboxRow, delivery: Delivery) -> bool:
        notice, now = row.notice, self._clock.now()
        match delivery:
            case Sent(detail=detail):
                self._store.settle(notice.id, NoticeState.SENT, at=now, detail=detail)
                self._later.pop(notice.id, None)
                return True
            case Retryable(reason=reason):
                self._again(row, reason)
            case Doubtful(reason=reason) if notice.kind.resend_after_crash:
                self._again(row, f"{RESENT}: {reason}")
            case Rejected(reason=reason):
                self._store.settle(notice.id, NoticeState.REJECTED, at=now, detail=reason)
            case _:
                self._store.settle(notice.id, NoticeState.AMBIGUOUS, at=now, detail=delivery.reason)
        self._log(row, "notice-failed", f"{notice.kind} to {notice.person}: {delivery.reason}")
        return False

    def _again(self, row: OutboxRow, detail: str) -> None:
        now, notice_id = self._clock.now(), row.notice.id
        tries = self._later.get(notice_id, (0, now))[0]
        self._later[notice_id] = (tries + 1, now + timedelta(seconds=BACKOFF[min(tries, len(BACKOFF) - 1)]))
        self._store.settle(notice_id, NoticeState.NEW, at=now, detail=detail)

    def _waits(self, notice_id: str, now: datetime) -> bool:
        return notice_id in self._later and now < self._later[notice_id][1]

    def _log(self, row: OutboxRow, kind: str, text: str) -> None:
        self._store.log(LogEntry(at=self._clock.now(), kind=kind, text=text, occurrence=row.notice.occurrence))
