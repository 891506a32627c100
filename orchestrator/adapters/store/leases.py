"""Leases on batches: conditional updates only, so that two workers never both believe they own one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from orchestrator.adapters.store import schema
from orchestrator.adapters.store.database import Database
from orchestrator.application.ports import Lease

_TABLE = schema.lease


class SqlLeases:
    """Leases of the port ``LeaseStore``.

    A fence is one more than any fence ever given, for whatever batch. So a device that moves to another batch of the same
    occurrence still meets a higher number, and its guard and its row refuse the older worker.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire_lease(self, batch: str, holder: str, *, now: datetime, ttl: float, dead: Callable[[str], bool]) -> Lease | None:
        """Take the batch if it is free, expired, mine, or its holder is proven dead; ``None`` = somebody else's, or finished."""
        proven = self._dead_holder(batch, dead)
        expires = now + timedelta(seconds=ttl)
        fence = select(func.coalesce(func.max(_TABLE.c.fence), 0) + 1).scalar_subquery()
        statement = upsert(_TABLE).values(batch=batch, fence=fence, holder=holder, expires=expires, done=False)
        takeable: ColumnElement[bool] = or_(_TABLE.c.expires <= now, _TABLE.c.holder == holder)
        if proven is not None:
            takeable = or_(takeable, _TABLE.c.holder == proven)
        statement = statement.on_conflict_do_update(
            ["batch"],
            set_={"fence": statement.excluded.fence, "holder": holder, "expires": expires},
            where=takeable & ~_TABLE.c.done,
        )
        with self._database.write() as connection:
            row = connection.execute(statement.returning(_TABLE.c.fence)).first()
        return None if row is None else Lease(batch=batch, fence=row.fence, holder=holder, expires=expires)

    def renew_lease(self, lease: Lease, *, now: datetime, ttl: float) -> bool:
        """Move the end to ``now + ttl``; False = lost to a newer fence, or finished."""
        return self._change(lease, expires=now + timedelta(seconds=ttl))

    def finish_lease(self, lease: Lease) -> bool:
        """Mark the batch done; False = fenced off. Finishing it again with the same fence is True."""
        with self._database.write() as connection:
            change = update(_TABLE).where(_TABLE.c.batch == lease.batch, _TABLE.c.fence == lease.fence).values(done=True)
            return connection.execute(change).rowcount == 1

    def lease_finished(self, batch: str) -> bool:
        """Say whether the batch has been finished."""
        with self._database.read() as connection:
            return bool(connection.execute(select(_TABLE.c.done).where(_TABLE.c.batch == batch)).scalar())

    def _dead_holder(self, batch: str, dead: Callable[[str], bool]) -> str | None:
        with self._database.read() as connection:
            holder = connection.execute(select(_TABLE.c.holder).where(_TABLE.c.batch == batch)).scalar()
        return holder if holder is not None and dead(holder) else None

    def _change(self, lease: Lease, *, expires: datetime) -> bool:
        mine = (_TABLE.c.batch == lease.batch, _TABLE.c.fence == lease.fence, ~_TABLE.c.done)
        with self._database.write() as connection:
            return connection.execute(update(_TABLE).where(*mine).values(expires=expires)).rowcount == 1
