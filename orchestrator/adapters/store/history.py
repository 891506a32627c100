"""What earlier occurrences taught us: durations, outcomes, ring membership, health, deferrals, skips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.dialects.sqlite import insert as upsert

from orchestrator.adapters.store import schema
from orchestrator.adapters.store.database import Database
from orchestrator.application.ports import Actor, Deferral, DeviceHealth, ProbeResult
from orchestrator.domain.outcome import Outcome, RolloutState

_OVER = [state.value for state in RolloutState if state.over]


class SqlHistory:
    """The port ``HistoryStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def durations(self, playbook: str, device_class: str, *, limit: int = 200) -> Sequence[float]:
        """Seconds, newest first."""
        table = schema.duration
        query = (
            select(table.c.seconds)
            .where(table.c.playbook == playbook, table.c.device_class == device_class)
            .order_by(table.c.at.desc(), table.c.id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def add_duration(self, playbook: str, device_class: str, device: str, seconds: float, *, at: datetime) -> None:
        """Keep how long one device took."""
        values = {"playbook": playbook, "device_class": device_class, "device": device, "seconds": seconds, "at": at}
        with self._database.write() as connection:
            connection.execute(insert(schema.duration).values(values))

    def last_outcomes(self, window: str) -> Mapping[str, Outcome]:
        """The latest outcome of each device in occurrences of this window that are over."""
        run, occurrence = schema.device_run, schema.occurrence
        query = (
            select(run.c.device, run.c.outcome)
            .join(occurrence, occurrence.c.id == run.c.occurrence)
            .where(occurrence.c.window == window, occurrence.c.state.in_(_OVER), run.c.outcome.is_not(None))
            .order_by(occurrence.c.starts_at, occurrence.c.id)
        )
        with self._database.read() as connection:
            return {row.device: Outcome(row.outcome) for row in connection.execute(query)}

    def last_devices(self, window: str) -> tuple[str, ...]:
        """The devices of the latest started occurrence of this window, in the order of its plan."""
        run, occurrence = schema.device_run, schema.occurrence
        latest = (
            select(occurrence.c.id)
            .where(occurrence.c.window == window, occurrence.c.opened_at.is_not(None))
            .order_by(occurrence.c.starts_at.desc(), occurrence.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        with self._database.read() as connection:
            query = select(run.c.device).where(run.c.occurrence == latest).order_by(text("device_run.rowid"))
            return tuple(connection.execute(query).scalars())

    def ring_members(self, window: str) -> Mapping[str, str]:
        """Sticky membership: device → ring."""
        table = schema.ring_member
        with self._database.read() as connection:
            return {row.device: row.ring for row in connection.execute(select(table).where(table.c.window == window))}

    def put_ring_members(self, window: str, members: Mapping[str, str]) -> None:
        """Add or change these; the membership of other devices stays."""
        rows = [{"window": window, "device": device, "ring": ring} for device, ring in members.items()]
        statement = upsert(schema.ring_member)
        statement = statement.on_conflict_do_update(["window", "device"], set_={"ring": statement.excluded.ring})
        if rows:
            with self._database.write() as connection:
                connection.execute(statement, rows)

    def put_health(self, result: ProbeResult, *, at: datetime) -> None:
        """Keep what a probe said. A device that did not answer keeps what was last known of it.

        A pending package keeps the instant at which it was first seen pending in this version; that is its age.
        """
        with self._database.write() as connection:
            table = schema.health
            known = connection.execute(select(table.c.pending).where(table.c.device == result.host)).scalar()
            values = _health_values(result, at, known or [])
            self._upsert_health(connection, result.host, values)

    def _upsert_health(self, connection: Connection, device: str, values: dict[str, Any]) -> None:
        statement = upsert(schema.health).values({"device": device, "pending": NEVER_SCANNED, "facts": {}} | values)
        changes: dict[str, Any] = dict(values)
        for since in ("absent_since", "reboot_pending_since"):
            if values.get(since) is not None:  # it began when it was first seen, not now
                changes[since] = func.coalesce(schema.health.c[since], statement.excluded[since])
        connection.execute(statement.on_conflict_do_update(["device"], set_=changes))

    def health(self) -> Mapping[str, DeviceHealth]:
        """The last thing known about each device."""
        with self._database.read() as connection:
            rows = [dict(row) for row in connection.execute(select(schema.health).order_by(schema.health.c.device)).mappings()]
        return {row["device"]: DeviceHealth(**row | {"pending": _scanned(row["pending"])}) for row in rows}

    def put_deferral(self, deferral: Deferral) -> None:
        """Keep a deferral; the newest one of a device counts."""
        values = {name: getattr(deferral, name) for name in schema.names(schema.deferral) if name != "id"}
        with self._database.write() as connection:
            connection.execute(insert(schema.deferral).values(values))

    def deferrals(self, *, now: datetime) -> Mapping[str, Deferral]:
        """The newest deferral of each device, while it lasts."""
        table = schema.deferral
        query = select(*(column for column in table.c if column.name != "id")).order_by(table.c.id)
        with self._database.read() as connection:
            newest = {row["device"]: Deferral(**row) for row in connection.execute(query).mappings()}
        return {device: deferral for device, deferral in newest.items() if deferral.until > now}

    def put_skip(self, device: str, occurrence: str, *, actor: Actor, at: datetime) -> None:
        """Leave one device out of one occurrence; who said so first is kept."""
        values = {"occurrence": occurrence, "device": device, "actor": actor.name, "at": at}
        with self._database.write() as connection:
            connection.execute(upsert(schema.skip).values(values).on_conflict_do_nothing())

    def skips(self, occurrence: str) -> Mapping[str, str]:
        """Device → actor."""
        table = schema.skip
        with self._database.read() as connection:
            return {row.device: row.actor for row in connection.execute(select(table).where(table.c.occurrence == occurrence))}


NEVER_SCANNED: list[Any] = [None]
"""Stands in the column while nobody knows what a device is missing; an empty list means that nothing is."""


def _scanned(rows: list[Any]) -> tuple[Mapping[str, Any], ...] | None:
    return None if rows == NEVER_SCANNED else tuple(rows)


def _with_age(pending: Sequence[Mapping[str, Any]], known: Sequence[Any], at: datetime) -> list[dict[str, Any]]:
    since = {(row.get("name"), row.get("to")): row["since"] for row in known if row and row.get("since")}
    return [{**row, "since": since.get((row.get("name"), row.get("to")), at.isoformat())} for row in pending]


def _health_values(result: ProbeResult, at: datetime, known: Sequence[Any]) -> dict[str, Any]:
    if not result.reachable:
        return {"absent_since": at}
    values: dict[str, Any] = {
        "seen_at": at,
        "absent_since": None,
        "reboot_pending_since": at if result.reboot_required else None,
        "facts": result.facts,
    }
    return values if result.pending is None else values | {"pending": _with_age(result.pending, known, at)}
