"""Freezes win (window contract 6): a span that touches a frozen local date may not open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator.domain.recurrence import day_text
from orchestrator.domain.verdict import Allow, Deny, Verdict
from orchestrator.domain.window import Freeze, Occurrence


def frozen(
    freezes: Sequence[Freeze],
    occurrence: Occurrence,
    device: str | None = None,
    matches: Mapping[str, Collection[str]] | None = None,
) -> Verdict:
    """May ``occurrence`` be open for ``device``; without a device only freezes for everything are asked.

    Any overlap counts, also that of a window which starts before midnight and runs into the first frozen date.

    Args:
        freezes: All of the office.
        occurrence: Its span is read as local dates of its own zone.
        device: Inventory name.
        matches: Ansible pattern → devices. A pattern that is not answered there freezes the device: doubt means no.
    """
    hits = [freeze for freeze in freezes if _concerns(freeze, device, matches or {}) and _overlaps(freeze, occurrence)]
    if not hits:
        return Allow()
    last = max(hits, key=lambda freeze: freeze.last)
    titles = ", ".join(_title(freeze) for freeze in hits)
    return Deny(
        rule="frozen", reason=f"{device or occurrence.id} is frozen: {titles}", until=_midnight(last.last, occurrence.zone, 1)
    )


def frozen_devices(
    freezes: Sequence[Freeze], occurrence: Occurrence, devices: Iterable[str], matches: Mapping[str, Collection[str]]
) -> dict[str, Deny]:
    """Return the devices that may not be touched in this occurrence, each with its refusal."""
    verdicts = {device: frozen(freezes, occurrence, device, matches) for device in devices}
    return {device: verdict for device, verdict in verdicts.items() if isinstance(verdict, Deny)}


def _concerns(freeze: Freeze, device: str | None, matches: Mapping[str, Collection[str]]) -> bool:
    if freeze.devices is None:
        return True
    return device is not None and (freeze.devices not in matches or device in matches[freeze.devices])


def _overlaps(freeze: Freeze, occurrence: Occurrence) -> bool:
    """Half-open against half-open: a window that ends at 00:00 of the first frozen date does not touch it."""
    begin, end = _midnight(freeze.first, occurrence.zone, 0), _midnight(freeze.last, occurrence.zone, 1)
    return occurrence.starts_at < end and begin < occurrence.ends_at


def _midnight(day: date, zone: str, plus_days: int) -> datetime:
    return datetime.combine(day + timedelta(days=plus_days), time(), ZoneInfo(zone)).astimezone(UTC)


def _title(freeze: Freeze) -> str:
    span = day_text(freeze.first) if freeze.first == freeze.last else f"{day_text(freeze.first)} to {day_text(freeze.last)}"
    return f"{freeze.title} ({span}{f', {freeze.devices}' if freeze.devices else ''})"
