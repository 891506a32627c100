"""What the record of one device run says, read in one place for closing notices and for the report. Pure.

``DeviceRun.detail`` is the merged ``deskside`` dict of the device (docs/explanation/contracts.md, section 2); what is
missing or has another shape is left out, because a report must be written whatever a module returned.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from orchestrator.application.ports import DeviceRun
from orchestrator.domain.outcome import Outcome


def outcome_of(run: DeviceRun) -> Outcome:
    """The outcome; a run nobody settled is ``unknown``, never good."""
    return run.outcome or Outcome.UNKNOWN


def packages(run: DeviceRun) -> tuple[dict[str, str], ...]:
    """Every change of the device as ``{package, from, to, class, undo}``, sorted, each once (a re-driven step reports again)."""
    rows = {_package(row) for row in _rows(run, "packages")}
    return tuple(
        {"package": name, "from": old, "to": new, "class": kind, "undo": undo} for name, old, new, kind, undo in sorted(rows)
    )


def _package(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    return tuple(str(row.get(key) or "") for key in ("name", "from", "to", "class", "undo"))  # type: ignore[return-value]


def pending(run: DeviceRun) -> tuple[dict[str, Any], ...]:
    """What is still to be installed, as ``{package, from, to, class, held}``."""
    rows = ((*_package(row)[:4], bool(row.get("held"))) for row in _rows(run, "pending"))
    return tuple(
        {"package": name, "from": old, "to": new, "class": kind, "held": held} for name, old, new, kind, held in sorted(set(rows))
    )


def texts(run: DeviceRun, key: str) -> tuple[str, ...]:
    """A list of texts of the detail (``services``, ``warnings``, ``held``, …), each once, in its order."""
    value = run.detail.get(key)
    return tuple(dict.fromkeys(str(item) for item in value)) if isinstance(value, list | tuple) else ()


def restarted(run: DeviceRun) -> bool:
    """The device was restarted by us."""
    return isinstance(run.detail.get("rebooted"), Mapping)


def restarted_at(run: DeviceRun) -> datetime | None:
    """When the restart was asked for (aware UTC); ``None`` when there was none, or when only its boot identities are known."""
    record = run.detail.get("rebooted")
    at = record.get("at") if isinstance(record, Mapping) else None
    return datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) and at > 0 else None


def restart_seconds(run: DeviceRun) -> float | None:
    """How long the device was away for its restart, seconds."""
    record = run.detail.get("rebooted")
    seconds = record.get("seconds") if isinstance(record, Mapping) else None
    return float(seconds) if isinstance(seconds, int | float) else None


def _rows(run: DeviceRun, key: str) -> tuple[Mapping[str, Any], ...]:
    value = run.detail.get(key)
    return tuple(row for row in value if isinstance(row, Mapping)) if isinstance(value, list | tuple) else ()
