"""Locks on devices, across all kinds of work: never two of one anti-affinity group, never below what must stay up."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from orchestrator.adapters.store import schema
from orchestrator.adapters.store.database import Database
from orchestrator.application.ports import DeviceLock
from orchestrator.domain.verdict import Allow, Deny, Verdict

_TABLE = schema.device_lock


class SqlLocks:
    """Device locks of the port ``LeaseStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lock_devices(
        self,
        devices: Sequence[str],
        holder: str,
        purpose: str,
        *,
        groups: Mapping[str, Collection[str]],
        stay_up: Mapping[str, tuple[Collection[str], int]],
        now: datetime,
        ttl: float,
    ) -> Verdict:
        """Lock all of them or none, in one transaction (port docstring). ``purpose`` reads like ``run-playbook by ada``."""
        expires = now + timedelta(seconds=ttl)
        rows = [
            {"device": name, "holder": holder, "purpose": purpose, "since": now, "expires": expires}
            for name in dict.fromkeys(devices)
        ]
        with self._database.write() as connection:
            locked = {lock.device: lock for lock in (DeviceLock(**row) for row in connection.execute(select(_TABLE)).mappings())}
            refusal = refuse(list(dict.fromkeys(devices)), holder, locked, groups=groups, stay_up=stay_up, now=now)
            if refusal is not None:
                return refusal
            if rows:
                statement = upsert(_TABLE)
                connection.execute(statement.on_conflict_do_update(["device"], set_={"expires": statement.excluded.expires}), rows)
        return Allow()

    def renew_locks(self, holder: str, *, now: datetime, ttl: float) -> None:
        """Move the end of all locks of this holder to ``now + ttl``."""
        with self._database.write() as connection:
            connection.execute(update(_TABLE).where(_TABLE.c.holder == holder).values(expires=now + timedelta(seconds=ttl)))

    def unlock_devices(self, devices: Sequence[str], holder: str) -> None:
        """Give back the locks of this holder on these devices; others' stay."""
        with self._database.write() as connection:
            connection.execute(delete(_TABLE).where(_TABLE.c.device.in_(list(devices)), _TABLE.c.holder == holder))

    def free_lock(self, device: str, holder: str) -> None:
        """Remove the lock that ``holder`` left on one device, after a probe has said that nothing runs there."""
        self.unlock_devices([device], holder)

    def locks(self) -> Sequence[DeviceLock]:
        """Return every lock, by device name."""
        with self._database.read() as connection:
            return [DeviceLock(**row) for row in connection.execute(select(_TABLE).order_by(_TABLE.c.device)).mappings()]


def refuse(
    devices: Sequence[str],
    holder: str,
    locked: Mapping[str, DeviceLock],
    *,
    groups: Mapping[str, Collection[str]],
    stay_up: Mapping[str, tuple[Collection[str], int]],
    now: datetime,
) -> Deny | None:
    """Return why ``holder`` may not lock ``devices`` given the locks there are, ``None`` when it may."""
    for device in devices:
        lock = locked.get(device)
        if lock is not None and lock.holder != holder:
            return Deny(rule="device-locked", reason=_held(lock, now))
    for group, members in groups.items():
        refusal = _refuse_group(group, members, devices, locked, now)
        if refusal is not None:
            return refusal
    for label, rule in stay_up.items():
        refusal = _refuse_stay_up(label, rule, devices, locked, now)
        if refusal is not None:
            return refusal
    return None


def _refuse_group(
    group: str, members: Collection[str], devices: Sequence[str], locked: Mapping[str, DeviceLock], now: datetime
) -> Deny | None:
    asked = [device for device in devices if device in members]
    if not asked:
        return None
    if len(asked) > 1:
        return Deny(rule="one-at-a-time", reason=f"{', '.join(asked)} were asked for together; one_at_a_time: {group}")
    others = [locked[name] for name in sorted(members) if name in locked and name != asked[0]]
    return Deny(rule="one-at-a-time", reason=f"{_held(others[0], now)}; one_at_a_time: {group}") if others else None


def _refuse_stay_up(
    label: str, rule: tuple[Collection[str], int], devices: Sequence[str], locked: Mapping[str, DeviceLock], now: datetime
) -> Deny | None:
    members, minimum = rule
    asked = [device for device in devices if device in members]
    down = {name for name in members if name in locked or name in asked}
    if not asked or len(set(members)) - len(down) >= minimum:
        return None
    held = "; ".join(_held(locked[name], now) for name in sorted(members) if name in locked and name not in asked)
    reason = f"only {len(set(members)) - len(down)} of {len(set(members))} would stay up, {minimum} must; stay_up: {label}"
    return Deny(rule="stay-up", reason=f"{held}; {reason}" if held else f"{', '.join(asked)}: {reason}")


def _held(lock: DeviceLock, now: datetime) -> str:
    since = f"{lock.since:%H:%M} UTC" if lock.since.date() == now.date() else f"{lock.since:%Y-%m-%d %H:%M} UTC"
    text = f"{lock.device} is in maintenance ({lock.purpose} since {since})"
    if lock.expires > now:
        return text
    return f"{text}, and its worker has not been heard of since {lock.expires:%H:%M} UTC: it is free after a probe of the device"
