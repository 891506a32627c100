"""Use case: what every device is missing, since when, and what is overdue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestrator.application.ports import DeviceHealth, HistoryStore


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchLine:
    """One device's state of patching, from the last thing a probe or a run said.

    Attributes:
        pending: Class → number of pending packages.
        oldest_security: Days since the oldest pending security fix was first seen here.
        overdue: Older than the limit.
        scanned: False = nobody knows yet what it is missing.
    """

    device: str
    seen_at: datetime | None
    absent_since: datetime | None
    pending: Mapping[str, int]
    packages: tuple[Mapping[str, Any], ...]
    scanned: bool
    oldest_security: float | None
    overdue: bool
    reboot_pending_since: datetime | None
    held: tuple[str, ...]


def list_patches(
    store: HistoryStore,
    *,
    now: datetime,
    limit: timedelta,
    device: str | None = None,
    package: str | None = None,
    overdue: bool = False,
) -> Sequence[PatchLine]:
    """Newest knowledge about every device that was ever asked, sorted by name.

    Args:
        store: Where health lies.
        now: For ages.
        limit: A security fix pending for longer is overdue.
        device: Only this one.
        package: Only devices that miss this package.
        overdue: Only overdue ones.
    """
    lines = [_line(health, now=now, limit=limit) for name, health in sorted(store.health().items()) if device in {None, name}]
    if package:
        lines = [line for line in lines if any(row.get("name") == package for row in line.packages)]
    return [line for line in lines if line.overdue or not overdue]


def _line(health: DeviceHealth, *, now: datetime, limit: timedelta) -> PatchLine:
    pending: dict[str, int] = {}
    rows = health.pending or ()
    for row in rows:
        pending[str(row.get("class", "other"))] = pending.get(str(row.get("class", "other")), 0) + 1
    ages = [(now - _since(row)).total_seconds() / 86400 for row in rows if row.get("class") == "security" and row.get("since")]
    oldest = max(ages, default=None)
    return PatchLine(
        device=health.device,
        seen_at=health.seen_at,
        absent_since=health.absent_since,
        pending=pending,
        packages=rows,
        scanned=health.pending is not None,
        oldest_security=oldest,
        overdue=oldest is not None and oldest > limit / timedelta(days=1),
        reboot_pending_since=health.reboot_pending_since,
        held=tuple(str(row["name"]) for row in rows if row.get("held")),
    )


def _since(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(row["since"]))
