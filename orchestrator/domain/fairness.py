"""Who was not reached last time goes first this time, and who has waited longest goes before them: a short window starves nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.domain.outcome import Outcome


def leads(device: str, last_outcomes: Mapping[str, Outcome]) -> bool:
    """Tell whether its last outcome puts a device in front."""
    last = last_outcomes.get(device)
    return last is not None and last.leads_next


def order(
    devices: Sequence[str], last_outcomes: Mapping[str, Outcome], waiting_since: Mapping[str, int] | None = None
) -> tuple[str, ...]:
    """Return all devices: the leaders, longest wait first, then the others; ties keep the order given.

    Args:
        devices: Everybody of the ring.
        last_outcomes: Device → its latest outcome in this window.
        waiting_since: What :func:`waited` counted. Without it one bit decides, and a device can be overtaken again and again
            by those that were reached in between.
    """
    turns = waiting_since or {}
    return tuple(sorted(devices, key=lambda device: -max(1, turns.get(device, 0)) if leads(device, last_outcomes) else 0))


def waited(history: Sequence[Mapping[str, Outcome]]) -> dict[str, int]:
    """Count for how many occurrences in a row each device was left behind.

    Args:
        history: One mapping device → outcome per finished occurrence of the window, newest first. An occurrence that a device
            had no part in does not end its wait.
    """
    turns: dict[str, int] = {}
    over: set[str] = set()
    for outcomes in history:
        for device, outcome in outcomes.items():
            if not outcome.leads_next:
                over.add(device)
            elif device not in over:
                turns[device] = turns.get(device, 0) + 1
    return turns
