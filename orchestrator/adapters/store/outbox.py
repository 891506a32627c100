"""Notices: inserted exactly once, claimed before the first byte leaves, never silently sent twice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from orchestrator.adapters.store import schema
from orchestrator.adapters.store.database import Database
from orchestrator.application.ports import OutboxRow
from orchestrator.domain.notice import Notice, NoticeKind, NoticeState

RESENT = "resent after crash"

_TABLE = schema.outbox
_FINAL = [NoticeState.SENT.value, NoticeState.REJECTED.value, NoticeState.CANCELLED.value]
_NOTICE = ("occurrence", "kind", "key", "person", "address", "channel", "due", "expires", "uid", "sequence", "facts")


class SqlOutbox:
    """The port ``Outbox``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, notices: Iterable[Notice]) -> int:
        """Insert those that are not there yet; returns how many were new."""
        rows = [_values(notice) for notice in notices]
        statement = upsert(_TABLE).on_conflict_do_nothing()
        with self._database.write() as connection:
            return sum(connection.execute(statement.values(row)).rowcount for row in rows)

    def due(self, *, now: datetime, limit: int = 100) -> Sequence[OutboxRow]:
        """``new`` rows that are due and not expired, oldest first."""
        query = select(_TABLE).where(_TABLE.c.state == NoticeState.NEW.value, _TABLE.c.due <= now)
        query = query.where(or_(_TABLE.c.expires.is_(None), _TABLE.c.expires > now)).order_by(_TABLE.c.due, _TABLE.c.id)
        with self._database.read() as connection:
            return [_row(row) for row in connection.execute(query.limit(limit))]

    def claim(self, notice_id: str, holder: str) -> bool:
        """New → sending, committed when this returns. False = somebody else has it, or it is no longer to be sent."""
        change = update(_TABLE).where(_TABLE.c.id == notice_id, _TABLE.c.state == NoticeState.NEW.value)
        with self._database.write() as connection:
            return connection.execute(change.values(state=NoticeState.SENDING.value, holder=holder)).rowcount == 1

    def settle(self, notice_id: str, state: NoticeState, *, at: datetime, detail: str = "") -> None:
        """Record what became of it. A row that is sent, rejected or cancelled stays so; a mark of an earlier crash is kept."""
        with self._database.write() as connection:
            old = connection.execute(select(_TABLE.c.detail).where(_TABLE.c.id == notice_id)).scalar() or ""
            values: dict[str, Any] = {"state": state.value, "holder": "", "detail": _marked(old, detail)}
            if state is NoticeState.SENT:
                values["sent_at"] = at
            connection.execute(update(_TABLE).where(_TABLE.c.id == notice_id, _TABLE.c.state.not_in(_FINAL)).values(values))

    def recover(self, *, dead: Callable[[str], bool], now: datetime) -> Sequence[OutboxRow]:
        """Decide about the ``sending`` rows of dead holders (nobody knows whether those went out); returns them as they are now.

        Kinds that may be sent again go back to ``new``, marked; the others become ``ambiguous``.
        """
        query = select(_TABLE).where(_TABLE.c.state == NoticeState.SENDING.value)
        with self._database.read() as connection:
            open_rows = list(connection.execute(query))
        left = [row for row in open_rows if dead(row.holder)]
        changed: list[str] = []
        with self._database.write() as connection:
            for row in left:
                mine = (_TABLE.c.id == row.id, _TABLE.c.state == NoticeState.SENDING.value, _TABLE.c.holder == row.holder)
                if connection.execute(update(_TABLE).where(*mine).values(_recovered(row, now))).rowcount:
                    changed.append(row.id)
            return [_row(row) for row in connection.execute(select(_TABLE).where(_TABLE.c.id.in_(changed)).order_by(_TABLE.c.due))]

    def rows(self, occurrence: str) -> Sequence[OutboxRow]:
        """All notices of one occurrence, by due time."""
        query = select(_TABLE).where(_TABLE.c.occurrence == occurrence).order_by(_TABLE.c.due, _TABLE.c.person, _TABLE.c.id)
        with self._database.read() as connection:
            return [_row(row) for row in connection.execute(query)]

    def cancel(self, occurrence: str, *, kinds: Collection[str]) -> int:
        """``new`` rows of these kinds become ``cancelled``; returns how many."""
        change = update(_TABLE).where(
            _TABLE.c.occurrence == occurrence,
            _TABLE.c.state == NoticeState.NEW.value,
            _TABLE.c.kind.in_([str(kind) for kind in kinds]),
        )
        with self._database.write() as connection:
            return connection.execute(change.values(state=NoticeState.CANCELLED.value)).rowcount


def _values(notice: Notice) -> dict[str, Any]:
    values = {name: getattr(notice, name) for name in _NOTICE}
    state = {"state": NoticeState.NEW.value, "holder": "", "detail": ""}
    return values | {"id": notice.id, "kind": notice.kind.value} | state


def _row(row: Row[Any]) -> OutboxRow:
    values = {name: getattr(row, name) for name in _NOTICE}
    notice = Notice(**values | {"kind": NoticeKind(values["kind"])})
    return OutboxRow(notice=notice, state=NoticeState(row.state), sent_at=row.sent_at, detail=row.detail)


def _recovered(row: Row[Any], now: datetime) -> dict[str, Any]:
    expired = row.expires is not None and row.expires <= now
    if NoticeKind(row.kind).resend_after_crash and not expired:
        return {"state": NoticeState.NEW.value, "holder": "", "detail": RESENT}
    return {
        "state": NoticeState.AMBIGUOUS.value,
        "holder": "",
        "detail": "the sender died while it was sending: it may or may not have arrived",
    }


def _marked(old: str, new: str) -> str:
    if not old.startswith(RESENT) or new.startswith(RESENT):
        return new
    return f"{RESENT}; {new}" if new else RESENT
