"""Rings as bars over time: where every bar, tick and label of the picture stands. Pure numbers; a template draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from orchestrator.adapters.render.moments import Zone

WIDTH = 1000.0
LEFT = 150.0
"""Units kept for names."""
ROW, SLIM_ROW = 18.0, 6.0
SLIM_FROM = 25
"""A ring with more devices than this gets slim rows without names."""
HEAD, GAP, TOP = 22.0, 10.0, 24.0
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)
"""Minutes between ticks."""
MOST_TICKS = 10
NARROWEST = 3.0
INK, SOFT, LINE, SOAK = "#1c2330", "#5b6472", "#dfe3e8", "#eef1f4"
FILLS = MappingProxyType(
    {
        "ok": "#1f7a4d",
        "changed": "#1f7a4d",
        "failed": "#b3261e",
        "rolled-back": "#9a4a12",
        "unknown": "#7b3fa0",
        "reboot-pending": "#a15c00",
    }
)
"""Written into the picture for paper (WeasyPrint gives no page style to SVG); on a screen the page's style wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One device: ``x`` None = it was not begun, so there is nothing to draw but its name."""

    name: str
    y: float
    height: float
    outcome: str
    title: str
    x: float | None = None
    width: float = 0.0
    restart: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One ring: its heading, its bars, and the soak of its gate as a band."""

    name: str
    y: float
    text: str
    verdict: str
    bars: tuple[Bar, ...]
    soak: tuple[float, float] | None
    bottom: float
    named: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The whole picture in units of its viewBox; ticks are (x, label)."""

    width: float
    height: float
    left: float
    top: float
    ticks: tuple[tuple[float, str], ...]
    lanes: tuple[Lane, ...]


class _Scale:
    def __init__(self, first: datetime, last: datetime) -> None:
        self.first = first
        self.last = max(last, first + timedelta(minutes=1))

    def x(self, at: datetime) -> float:
        share = (at - self.first) / (self.last - self.first)
        return round(LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT), 1)


def draw(document: Mapping[str, Any], zone: Zone) -> Chart | None:
    """Lay out the rings of a report; ``None`` when nothing ever began."""
    span = document["span"]
    if not span["from"] or not any(bar["started_at"] for ring in document["rings"] for bar in ring["bars"]):
        return None
    scale = _Scale(datetime.fromisoformat(span["from"]), datetime.fromisoformat(span["to"]))
    lanes: list[Lane] = []
    y = TOP
    for ring in document["rings"]:
        lane = _lane(ring, y, scale, zone)
        lanes.append(lane)
        y = lane.bottom + GAP
    return Chart(width=WIDTH, height=y, left=LEFT, top=TOP, ticks=_ticks(scale, zone), lanes=tuple(lanes))


def _lane(ring: Mapping[str, Any], y: float, scale: _Scale, zone: Zone) -> Lane:
    bars: Sequence[Mapping[str, Any]] = ring["bars"]
    named = len(bars) <= SLIM_FROM
    row = ROW if named else SLIM_ROW
    drawn = tuple(_bar(bar, y + HEAD + index * row, row, scale, zone) for index, bar in enumerate(bars))
    gate = ring["gate"]
    soak = None
    if gate["started_at"] and (gate["decided_at"] or gate["soak_until"]):
        end = datetime.fromisoformat(gate["decided_at"] or gate["soak_until"])
        soak = (scale.x(datetime.fromisoformat(gate["started_at"])), scale.x(end))
    text = f"{ring['good']} of {len(ring['devices'])} up to date"
    return Lane(
        name=ring["name"],
        y=y,
        text=text,
        verdict=gate["verdict"],
        bars=drawn,
        soak=soak,
        bottom=y + HEAD + len(bars) * row,
        named=named,
    )


def _bar(bar: Mapping[str, Any], y: float, height: float, scale: _Scale, zone: Zone) -> Bar:
    outcome = str(bar["outcome"])
    if not bar["started_at"]:
        return Bar(name=bar["device"], y=y, height=height, outcome=outcome, title=f"{bar['device']}: {outcome}")
    start = datetime.fromisoformat(bar["started_at"])
    end = datetime.fromisoformat(bar["finished_at"]) if bar["finished_at"] else scale.last
    restart = bar["restarted_at"]
    said = f", restarted {zone.clock(restart)}" if restart else ""
    return Bar(
        name=bar["device"],
        y=y,
        height=height,
        outcome=outcome,
        title=f"{bar['device']}: {outcome}, {zone.clock(start)} to {zone.clock(end)}{said}",
        x=scale.x(start),
        width=max(NARROWEST, round(scale.x(end) - scale.x(start), 1)),
        restart=scale.x(datetime.fromisoformat(restart)) if restart else None,
    )


def _ticks(scale: _Scale, zone: Zone) -> tuple[tuple[float, str], ...]:
    """Round local times, at most ten."""
    total = (scale.last - scale.first).total_seconds() / 60
    step = next((step for step in STEPS if total / step <= MOST_TICKS), STEPS[-1])
    first = zone.local(scale.first)
    after_midnight = first.hour * 60 + first.minute + (first.second > 0 or first.microsecond > 0)
    at = scale.first.replace(second=0, microsecond=0) + timedelta(
        minutes=-(-after_midnight // step) * step - first.hour * 60 - first.minute
    )
    found = []
    while at <= scale.last:
        found.append((scale.x(at), zone.clock(at)))
        at += timedelta(minutes=step)
    return tuple(found)
