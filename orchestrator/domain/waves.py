"""Who may run at the same time (window contracts 2 and 8): never all at once, never two of one pair, never past the end."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.domain.fit import too_long

type Groups = Mapping[str, Collection[str]]
type Floors = Mapping[str, tuple[Collection[str], int]]


@dataclass(frozen=True, slots=True)
class WaveChoice:
    """Every candidate is in exactly one of the three.

    Attributes:
        devices: Start now, together.
        waiting: Device → why not now; asked again when something finishes.
        misfits: Device → why not any more in this occurrence.
    """

    devices: tuple[str, ...]
    waiting: dict[str, str] = field(default_factory=dict)
    misfits: dict[str, str] = field(default_factory=dict)


def next_wave(
    candidates: Sequence[str],
    *,
    at_once: int | None,
    groups: Groups,
    stay_up: Floors,
    busy: Collection[str],
    p95: Mapping[str, float],
    seconds_left: float,
    reserve: float,
) -> WaveChoice:
    """Choose who starts now, in the order of the candidates (leaders stand first).

    Args:
        candidates: Not yet started devices of the ring.
        at_once: At most so many in this wave; to top up a running one, pass what is left of the ring's number. ``None`` = no limit.
        groups: Anti-affinity group → members: at most one of them in maintenance, ``busy`` ones included.
        stay_up: Label → (members, how many must stay untouched), ``busy`` ones are touched.
        busy: Devices in maintenance now, by any work of anybody.
        p95: Device → predicted seconds; a device without a prediction is a misfit.
        seconds_left: Until the window ends.
        reserve: Seconds kept for a restart.
    """
    apart = {label: frozenset(members) for label, members in groups.items()}
    floors = {label: (frozenset(members), floor) for label, (members, floor) in stay_up.items()}
    taken = set(busy)
    chosen: list[str] = []
    waiting: dict[str, str] = {}
    misfits: dict[str, str] = {}
    for device in dict.fromkeys(candidates):
        if reason := _never(device, floors, p95, seconds_left, reserve):
            misfits[device] = reason
        elif reason := _not_now(device, taken, apart, floors):
            waiting[device] = reason
        elif at_once is not None and len(chosen) >= at_once:
            waiting[device] = f"at most {at_once} at once"
        else:
            chosen.append(device)
            taken.add(device)
    return WaveChoice(tuple(chosen), waiting, misfits)


def waves(
    candidates: Sequence[str],
    *,
    at_once: int | None,
    groups: Groups,
    stay_up: Floors,
    p95: Mapping[str, float],
    seconds_left: float = math.inf,
    reserve: float = 0.0,
    busy: Collection[str] = (),
) -> tuple[tuple[str, ...], ...]:
    """Predict the waves of one ring, each as long as its slowest device. Who is in none of them does not fit.

    Args: as for :func:`next_wave`; ``busy`` devices stay busy throughout.
    """
    planned: list[tuple[str, ...]] = []
    left = tuple(dict.fromkeys(candidates))
    while left:
        choice = next_wave(
            left, at_once=at_once, groups=groups, stay_up=stay_up, busy=busy, p95=p95, seconds_left=seconds_left, reserve=reserve
        )
        if not choice.devices:
            break
        planned.append(choice.devices)
        seconds_left -= max(p95[device] for device in choice.devices)
        left = tuple(choice.waiting)
    return tuple(planned)


def seconds(planned: Sequence[Sequence[str]], p95: Mapping[str, float]) -> float:
    """Return how long predicted waves take one after the other."""
    return sum(max((p95[device] for device in wave), default=0.0) for wave in planned)


type _Apart = Mapping[str, frozenset[str]]
type _Floors = Mapping[str, tuple[frozenset[str], int]]


def _never(device: str, floors: _Floors, p95: Mapping[str, float], seconds_left: float, reserve: float) -> str:
    """Time only gets shorter, and a group never gets larger: these will not be asked again."""
    if device not in p95:
        return "nobody can say how long it takes"
    if p95[device] + reserve > seconds_left:
        return too_long(p95[device], reserve, seconds_left)
    for label, (members, floor) in floors.items():
        size = len(members)
        if device in members and size - 1 < floor:
            return f"{floor} of {size} {label} must stay up: none of them may ever be in maintenance"
    return ""


def _not_now(device: str, taken: set[str], apart: _Apart, floors: _Floors) -> str:
    if device in taken:
        return "is in maintenance already"
    for label, members in apart.items():
        if device in members and (others := members & taken):
            return f"one at a time of {label}: {min(others)} is in maintenance"
    for label, (members, floor) in floors.items():
        if device in members and (up := len(members - taken)) - 1 < floor:
            return f"{floor} of {label} must stay up, and {up} are"
    return ""
