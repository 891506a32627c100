"""Occurrences, plans, device runs, gates and the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, literal, select, text, update
from sqlalchemy.dialects.sqlite import insert as upsert

from orchestrator.adapters.store import schema
from orchestrator.adapters.store.database import Database
from orchestrator.application.errors import NotFoundError, RefusedError
from orchestrator.application.plan_json import plan_from_json, plan_to_json
from orchestrator.application.ports import Actor, DeviceRun, GateRow, LogEntry, OccurrenceRow
from orchestrator.domain.outcome import ROLLOUT_MOVES, DeviceState, Outcome, RolloutState, move_device
from orchestrator.domain.plan import Plan

_OCCURRENCE = [column for column in schema.occurrence.c if column.name != "plan"]


class SqlOccurrences:
    """The port ``OccurrenceStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save_plan(self, plan: Plan, *, actor: Actor) -> None:
        """Write or replace the plan of an occurrence that has not started; its device runs are made anew.

        Raises:
            RefusedError: It has started, or is over.
        """
        values = _occurrence_values(plan, actor)
        runs = [
            _run_values(DeviceRun(occurrence=plan.occurrence.id, device=d, ring=r, state=DeviceState.PLANNED))
            for d, r in _ringed(plan)
        ]
        with self._database.write() as connection:
            state = _state(connection, plan.occurrence.id)
            if state not in {None, RolloutState.PLANNED}:
                raise RefusedError(
                    f"{plan.occurrence.id} is {state}: its plan cannot be changed any more; plan the next occurrence"
                )
            connection.execute(upsert(schema.occurrence).values(values).on_conflict_do_update(["id"], set_=values))
            connection.execute(delete(schema.device_run).where(schema.device_run.c.occurrence == plan.occurrence.id))
            if runs:
                connection.execute(insert(schema.device_run), runs)

    def plan(self, occurrence: str) -> Plan | None:
        """Return the frozen plan, ``None`` when there is none."""
        with self._database.read() as connection:
            stored = connection.execute(select(schema.occurrence.c.plan).where(schema.occurrence.c.id == occurrence)).scalar()
        return None if stored is None else plan_from_json(stored)

    def occurrence(self, occurrence: str) -> OccurrenceRow | None:
        """Return one occurrence."""
        with self._database.read() as connection:
            row = connection.execute(select(*_OCCURRENCE).where(schema.occurrence.c.id == occurrence)).mappings().first()
        return None if row is None else _occurrence_row(row)

    def occurrences(self, *, window: str | None = None, prefix: str | None = None, limit: int = 50) -> Sequence[OccurrenceRow]:
        """Newest start first."""
        query = select(*_OCCURRENCE).order_by(schema.occurrence.c.starts_at.desc(), schema.occurrence.c.id.desc()).limit(limit)
        if window is not None:
            query = query.where(schema.occurrence.c.window == window)
        if prefix is not None:
            query = query.where(func.substr(schema.occurrence.c.id, 1, len(prefix)) == prefix)
        with self._database.read() as connection:
            return [_occurrence_row(row) for row in connection.execute(query).mappings()]

    def move(self, occurrence: str, to: RolloutState, *, note: str = "", now: datetime) -> RolloutState:
        """Change the state if the table allows it. Returns the state afterwards: compare it with ``to``.

        A move to the state it already has changes nothing, not even the note.

        Raises:
            NotFoundError: There is no such occurrence.
        """
        table = schema.occurrence
        with self._database.write() as connection:
            state = _state(connection, occurrence)
            if state is None:
                raise NotFoundError(f"{occurrence}: there is no such occurrence; `deskside status` lists them")
            if to == state or to not in ROLLOUT_MOVES[state]:
                return state
            change = update(table).where(table.c.id == occurrence).values(state=to.value, note=note)
            if to is RolloutState.RUNNING:
                change = change.values(opened_at=func.coalesce(table.c.opened_at, literal(now, schema.Instant())))
            if to.over:
                change = change.values(finished_at=now)
            connection.execute(change)
            return to

    def device_runs(self, occurrence: str) -> Sequence[DeviceRun]:
        """Return what is known about each device, in the order of the plan."""
        query = select(schema.device_run).where(schema.device_run.c.occurrence == occurrence).order_by(text("device_run.rowid"))
        with self._database.read() as connection:
            return [_device_run(row) for row in connection.execute(query).mappings()]

    def put_device_run(self, run: DeviceRun, *, fence: int | None = None) -> bool:
        """Insert or update. False = nothing was written: a newer fence owns the row, or it is settled.

        A settled row stays as it is; writing the same outcome again is True. The one exception is ``unknown``: when a probe
        has proved what happened, it may be settled as that.

        Raises:
            IllegalMoveError: The table of device states has no such move (a defect of the caller).
        """
        table = schema.device_run
        with self._database.write() as connection:
            key = (table.c.occurrence == run.occurrence, table.c.device == run.device)
            row = connection.execute(select(table).where(*key)).mappings().first()
            old = None if row is None else _device_run(row)
            if old is not None and fence is not None and old.fence > fence:
                return False
            if old is not None and old.state is DeviceState.SETTLED and not _resolves(old, run):
                return run.state is DeviceState.SETTLED and run.outcome is old.outcome
            if old is not None and old.state is not DeviceState.SETTLED:
                move_device(old.state, run.state)
            values = _run_values(run) | {"fence": max(fence or 0, run.fence, old.fence if old else 0)}
            connection.execute(upsert(table).values(values).on_conflict_do_update(["occurrence", "device"], set_=values))
        return True

    def put_gate(self, row: GateRow) -> None:
        """Write one gate; a gate that is decided stays as it was decided."""
        values = {name: getattr(row, name) for name in schema.names(schema.gate)}
        statement = upsert(schema.gate).values(values)
        with self._database.write() as connection:
            connection.execute(
                statement.on_conflict_do_update(["occurrence", "ring"], set_=values, where=schema.gate.c.decided_at.is_(None))
            )

    def gates(self, occurrence: str) -> Sequence[GateRow]:
        """Return the gates in the order in which they began."""
        query = select(schema.gate).where(schema.gate.c.occurrence == occurrence).order_by(schema.gate.c.started_at)
        with self._database.read() as connection:
            return [GateRow(**row) for row in connection.execute(query).mappings()]

    def log(self, entry: LogEntry) -> None:
        """Append one line to the record."""
        with self._database.write() as connection:
            connection.execute(
                insert(schema.log).values({name: getattr(entry, name) for name in schema.names(schema.log) if name != "id"})
            )

    def log_entries(self, *, occurrence: str | None = None, device: str | None = None, limit: int = 200) -> Sequence[LogEntry]:
        """Return the newest ``limit`` lines, oldest of them first."""
        table = schema.log
        query = select(*(column for column in table.c if column.name != "id")).order_by(table.c.id.desc()).limit(limit)
        if occurrence is not None:
            query = query.where(table.c.occurrence == occurrence)
        if device is not None:
            query = query.where(table.c.device == device)
        with self._database.read() as connection:
            return [LogEntry(**row) for row in connection.execute(query).mappings()][::-1]


def _state(connection: Connection, occurrence: str) -> RolloutState | None:
    state = connection.execute(select(schema.occurrence.c.state).where(schema.occurrence.c.id == occurrence)).scalar()
    return None if state is None else RolloutState(state)


def _ringed(plan: Plan) -> list[tuple[str, str]]:
    return [(device.name, ring.name) for ring in plan.rings for device in ring.devices]


def _resolves(old: DeviceRun, new: DeviceRun) -> bool:
    return old.outcome is Outcome.UNKNOWN and new.state is DeviceState.SETTLED and new.outcome is not Outcome.UNKNOWN


def _occurrence_values(plan: Plan, actor: Actor) -> dict[str, Any]:
    occurrence = plan.occurrence
    return {
        "id": occurrence.id,
        "window": occurrence.window,
        "starts_at": occurrence.starts_at,
        "ends_at": occurrence.ends_at,
        "state": RolloutState.PLANNED.value,
        "note": "",
        "emergency_reason": occurrence.emergency_reason,
        "actor": actor.name,
        "plan": plan_to_json(plan),
    }


def _occurrence_row(row: RowMapping) -> OccurrenceRow:
    values = dict(row)
    return OccurrenceRow(**values | {"state": RolloutState(values["state"])})


def _run_values(run: DeviceRun) -> dict[str, Any]:
    values = {name: getattr(run, name) for name in schema.names(schema.device_run)}
    return values | {"state": run.state.value, "outcome": run.outcome.value if run.outcome else None}


def _device_run(row: RowMapping) -> DeviceRun:
    values = dict(row)
    outcome = None if values["outcome"] is None else Outcome(values["outcome"])
    return DeviceRun(**values | {"state": DeviceState(values["state"]), "outcome": outcome, "lines": tuple(values["lines"])})
