"""Who is in which ring: patterns claim, then shares by a stable hash, then the rest. Membership is sticky.

The hash only decides who is drawn first; what was decided is stored by the caller and handed in again as ``sticky``, so that a device that
joins or leaves never moves another one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.domain.source import NOWHERE
from orchestrator.domain.window import Ring

ALL = "all"
"""Name of the one ring of a window without rings."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is where.

    Attributes:
        rings: Ring name → devices in the order they came in; every ring is there, also an empty one.
        reasons: Device → sentence, with file and line where the ring has them.
        problems: What must be mended before anything starts; a device named in one of them may be in no ring.
    """

    rings: dict[str, tuple[str, ...]]
    reasons: dict[str, str]
    problems: tuple[str, ...] = ()

    @property
    def members(self) -> dict[str, str]:
        """Device → ring: what the caller stores and gives back as ``sticky``."""
        return {device: ring for ring, devices in self.rings.items() for device in devices}


@dataclass(slots=True)
class _Draft:
    """The decision in progress: device → (ring, reason)."""

    placed: dict[str, tuple[str, str]]
    problems: list[str]


def assign(
    rings: Sequence[Ring], device_names: Sequence[str], matches: Mapping[str, Collection[str]], sticky: Mapping[str, str]
) -> Assignment:
    """Divide the devices among the rings.

    Args:
        rings: In order; none means one ring called ``all``.
        device_names: Who takes part, in the order that the rings keep.
        matches: Ansible pattern → devices, for each ring with ``devices``.
        sticky: Device → ring of the last plan; empty the first time.
    """
    names = tuple(dict.fromkeys(device_names))
    if not rings:
        return Assignment({ALL: names}, dict.fromkeys(names, "ring all: the window has no rings"))
    draft = _Draft({}, [])
    _claim(rings, names, matches, draft)
    remainder = [name for name in names if name not in draft.placed]
    _draw_shares(rings, remainder, sticky, draft)
    _give_rest(rings, [name for name in remainder if name not in draft.placed], draft)
    return Assignment(
        {ring.name: tuple(name for name in names if name in draft.placed and draft.placed[name][0] == ring.name) for ring in rings},
        {name: draft.placed[name][1] for name in names if name in draft.placed},
        tuple(draft.problems),
    )


def _claim(rings: Sequence[Ring], names: Sequence[str], matches: Mapping[str, Collection[str]], draft: _Draft) -> None:
    """Explicit patterns first; the first of two claims stands, so that the plan can still be shown."""
    for ring in rings:
        if ring.devices is None:
            continue
        if ring.devices not in matches:
            draft.problems.append(f'ring {ring.name}: nobody could say what "{ring.devices}" matches{_where(ring)}')
        members = frozenset(matches.get(ring.devices, ()))
        for name in names:
            if name in members and name in draft.placed:
                draft.problems.append(
                    f"{name} is claimed by two rings, {draft.placed[name][0]} and {ring.name}: make their patterns disjoint"
                )
            elif name in members:
                draft.placed[name] = (ring.name, f'ring {ring.name}: it matches "{ring.devices}"{_where(ring)}')


def _draw_shares(rings: Sequence[Ring], remainder: Sequence[str], sticky: Mapping[str, str], draft: _Draft) -> None:
    """Keep the members of each share; draw one afresh only while it has none.

    The first plan draws all. Later a new device is not in ``sticky`` and stays for the rest: nobody begins as a canary unasked. Only a
    share that lost its last member, or was added to the file, draws again, since an empty ring would stop every rollout.
    """
    shares = [ring for ring in rings if ring.share is not None]
    homes = {ring.name: ring for ring in shares}
    for name in remainder:
        if (home := homes.get(sticky.get(name, ""))) is not None:
            draft.placed[name] = (home.name, f"ring {home.name}: it was in it before{_where(home)}")
    used = {ring for ring, _ in draft.placed.values()}
    for ring in shares:
        if ring.name in used:
            continue
        size = _quota(ring, len(remainder))
        pool = sorted((name for name in remainder if name not in draft.placed), key=_hash)
        for name in pool[:size]:
            reason = f"ring {ring.name}: drawn by a stable hash, {size} of {len(remainder)} devices{_where(ring)}"
            draft.placed[name] = (ring.name, reason)


def _give_rest(rings: Sequence[Ring], left: Sequence[str], draft: _Draft) -> None:
    """Everybody else; without a ``rest`` the last share takes them, without a share nobody does."""
    takers = [ring for ring in rings if ring.rest] or [ring for ring in rings if ring.share is not None][-1:]
    if len(takers) > 1:
        draft.problems.append(f"only one ring can be the rest, not {' and '.join(ring.name for ring in takers)}")
    if left and not takers:
        draft.problems.append(f"no ring takes {', '.join(left)}: add a ring with `rest: true`")
        return
    for name in left:
        draft.placed[name] = (takers[0].name, f"ring {takers[0].name}: the rest{_where(takers[0])}")


def _quota(ring: Ring, size: int) -> int:
    return max(1, math.ceil((ring.share or 0) * size))


def _hash(device: str) -> str:
    return hashlib.sha256(device.encode()).hexdigest()


def _where(ring: Ring) -> str:
    return "" if ring.source == NOWHERE else f" ({ring.source})"
