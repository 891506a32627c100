"""The bench's own reading and arithmetic; pure, tested without a device."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

type Update = tuple[str, str, str]
"""Package, installed version, offered version."""
type Pending = Mapping[str, frozenset[Update]]
"""What is pending by device, before anything was changed."""

_APT_LINE = re.compile(r"^(?P<name>[^/\s]+)/\S+ (?P<to>\S+) \S+ \[upgradable from: (?P<from>\S+)\]$", re.MULTILINE)
_STOCK_LINE = re.compile(r"^(?:ok|changed): \[(?P<host>[^\]]+)\] => (?P<result>\{.*\})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement. CPU in seconds over all devices, wall in seconds.

    Attributes:
        pending: What the variant itself reported.
        wrong: What is not as it must be: the path taken, the state of the devices afterwards.
        told: Facts worth printing (logins, Ansible runs).
    """

    controller: float
    targets: float
    wall: float
    pending: Pending = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """CPU seconds, both sides."""
        return self.controller + self.targets


@dataclass(frozen=True, slots=True)
class Row:
    """Medians of one variant in one state."""

    name: str
    rounds: int
    controller: float
    targets: float
    total: float
    low: float
    high: float
    wall: float


@dataclass(frozen=True, slots=True)
class Aim:
    """One aim of the issue: ``value`` is to be at most ``limit``."""

    what: str
    value: float
    limit: float

    @property
    def reached(self) -> bool:
        """Whether it is."""
        return self.value <= self.limit


def apt_list(text: str) -> frozenset[Update]:
    """What ``apt list --upgradable`` says."""
    return frozenset((found["name"], found["from"], found["to"]) for found in _APT_LINE.finditer(text))


def stock_pending(text: str) -> dict[str, frozenset[Update]]:
    """Pending by device in the output of ``ansible-playbook -v``."""
    pending = {}
    for found in _STOCK_LINE.finditer(text):
        result = json.loads(found["result"])
        if list(result.get("cmd") or [])[:2] == ["apt", "list"]:
            pending[found["host"]] = apt_list(result["stdout"])
    return pending


def deskside_pending(rows: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[Update]]:
    """Pending by device in the rows of ``deskside run --json``: what was still pending afterwards, and what was installed."""
    pending = {}
    for row in rows:
        detail = row.get("detail") or {}
        if "pending" not in detail:
            continue  # it cannot say: the comparison will show it
        updates = [*detail["pending"], *(detail.get("packages") or ())]
        pending[str(row["device"])] = frozenset((each["name"], each["from"], each["to"]) for each in updates)
    return pending


def difference(said: Pending, planted: Pending) -> str:
    """How a report differs from what was planted; empty when it does not."""
    wrong = []
    for device in sorted({*said, *planted}):
        if device not in said:
            wrong.append(f"{device}: not reported")
            continue
        missing, extra = planted.get(device, frozenset()) - said[device], said[device] - planted.get(device, frozenset())
        words = [f"lacks {_words(missing)}"] * bool(missing) + [f"has {_words(extra)} too many"] * bool(extra)
        wrong += [f"{device}: {', '.join(words)}"] if words else []
    return "; ".join(wrong)


def _words(updates: Iterable[Update]) -> str:
    return ", ".join(f"{name} {old} → {new}" for name, old, new in sorted(updates))


def row(name: str, readings: Sequence[Reading]) -> Row:
    """Medians over the rounds; ``low`` and ``high`` are of the total."""
    totals = [reading.total for reading in readings]
    return Row(
        name=name,
        rounds=len(readings),
        controller=statistics.median(reading.controller for reading in readings),
        targets=statistics.median(reading.targets for reading in readings),
        total=statistics.median(totals),
        low=min(totals),
        high=max(totals),
        wall=statistics.median(reading.wall for reading in readings),
    )


def ratio(ours: Sequence[Reading], theirs: Sequence[Reading]) -> float:
    """Median over the rounds of ours by theirs in the same round: the load of a round falls on both."""
    return statistics.median(one.total / other.total for one, other in zip(ours, theirs, strict=True))


def overhead_ratio(ours: Sequence[Reading], tuned: Sequence[Reading], script: Sequence[Reading]) -> float:
    """Median over the rounds of (ours less the script's) by (tuned stock's less the script's)."""
    return statistics.median(
        (one.total - least.total) / (usual.total - least.total) for one, usual, least in zip(ours, tuned, script, strict=True)
    )


def aims(
    ours: Sequence[Reading], *, tuned: Sequence[Reading], script: Sequence[Reading], pyinfra: Sequence[Reading]
) -> tuple[Aim, ...]:
    """The three aims that compare whole nights."""
    return (
        Aim("overhead, of tuned stock's", overhead_ratio(ours, tuned, script), 0.1),
        Aim("total, of the script's", ratio(ours, script), 1.5),
        Aim("total, of pyinfra's", ratio(ours, pyinfra), 1.0),
    )


def table(rows: Sequence[Row], *, script: Row, devices: int) -> list[str]:
    """Rows as text: CPU seconds for the whole fleet, overhead over the script, per device in milliseconds."""
    lines = [
        f"{'':22}{'controller':>11}{'devices':>9}{'total':>8}{'  [min-max]':<16}{'overhead':>9}{'ms/device':>11}{'wall, s':>9}"
    ]
    lines += [
        f"{each.name:22}{each.controller:11.2f}{each.targets:9.2f}{each.total:8.2f}{f'  [{each.low:.2f}-{each.high:.2f}]':<16}"
        f"{each.total - script.total:9.2f}{1000 * each.total / devices:11.0f}{each.wall:9.1f}"
        for each in rows
    ]
    return lines
