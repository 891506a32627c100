"""The tables of deskside.db. The migrations create them; a test holds both equal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, Column, Dialect, Float, ForeignKey, Index, Integer, MetaData, Table, Text, TypeDecorator

HEAD = "0001"
"""The revision this code works with."""

REVISIONS = ("0001",)
"""Every revision this code knows, oldest first; anything else was written by a newer deskside."""

metadata = MetaData()


class Instant(TypeDecorator[datetime]):
    """An aware instant as UTC text of fixed width, so that text order is time order."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return the text to store; refuses a naive datetime."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone: instants are aware UTC")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Return the aware instant."""
        del dialect
        return None if value is None else datetime.fromisoformat(value)


class Json(TypeDecorator[Any]):
    """A JSON value as compact text. Mappings and tuples are written as objects and arrays."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the text to store."""
        del dialect
        return None if value is None else json.dumps(value, default=_plain, separators=(",", ":"), ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Return the value."""
        del dialect
        return None if value is None else json.loads(value)


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | set | frozenset):
        return list(value)
    raise TypeError(f"{value!r} ({type(value).__name__}) cannot be kept as JSON")


occurrence = Table(
    "occurrence",
    metadata,
    Column("id", Text, primary_key=True),
    Column("window", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("opened_at", Instant),
    Column("finished_at", Instant),
    Column("emergency_reason", Text),
    Column("actor", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Index("occurrence_by_window", "window", "starts_at"),
)

device_run = Table(
    "device_run",
    metadata,
    Column("occurrence", Text, ForeignKey("occurrence.id", ondelete="CASCADE"), primary_key=True),
    Column("device", Text, primary_key=True),
    Column("ring", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("reason", Text, nullable=False),
    Column("lines", Json, nullable=False),
    Column("wave", Integer),
    Column("batch", Text),
    Column("fence", Integer, nullable=False),
    Column("touched", Boolean, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("detail", Json, nullable=False),
)

gate = Table(
    "gate",
    metadata,
    Column("occurrence", Text, ForeignKey("occurrence.id", ondelete="CASCADE"), primary_key=True),
    Column("ring", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("soak_until", Instant, nullable=False),
    Column("decided_at", Instant),
)

log = Table(
    "log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("occurrence", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Index("log_by_occurrence", "occurrence"),
    Index("log_by_device", "device"),
)

lease = Table(
    "lease",
    metadata,
    Column("batch", Text, primary_key=True),
    Column("fence", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("expires", Instant, nullable=False),
    Column("done", Boolean, nullable=False),
    Index("lease_by_fence", "fence"),
)

device_lock = Table(
    "device_lock",
    metadata,
    Column("device", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("expires", Instant, nullable=False),
)

duration = Table(
    "duration",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("playbook", Text, nullable=False),
    Column("device_class", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("at", Instant, nullable=False),
    Index("duration_by_class", "playbook", "device_class", "at"),
)

ring_member = Table(
    "ring_member",
    metadata,
    Column("window", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("ring", Text, nullable=False),
)

health = Table(
    "health",
    metadata,
    Column("device", Text, primary_key=True),
    Column("seen_at", Instant),
    Column("absent_since", Instant),
    Column("pending", Json, nullable=False),
    Column("reboot_pending_since", Instant),
    Column("facts", Json, nullable=False),
)

deferral = Table(
    "deferral",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("device", Text, nullable=False),
    Column("until", Instant, nullable=False),
    Column("person", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("deferral_by_device", "device"),
)

skip = Table(
    "skip",
    metadata,
    Column("occurrence", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("occurrence", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("due", Instant, nullable=False),
    Column("expires", Instant),
    Column("uid", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("facts", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("sent_at", Instant),
    Column("detail", Text, nullable=False),
    Index("outbox_by_state", "state", "due"),
    Index("outbox_by_occurrence", "occurrence"),
)


def names(table: Table) -> list[str]:
    """Return the column names of a table; they are the field names of the row type it holds."""
    return [column.name for column in table.c]
