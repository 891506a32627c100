"""Who was not reached last time goes first this time, so that a short window starves nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.domain.outcome import Outcome


def leads(device: str, last_outcomes: Mapping[str, Outcome]) -> bool:
    """Tell whether its last outcome puts a device in front."""
    last = last_outcomes.get(device)
    return last is not None and last.leads_next


def order(devices: Sequence[str], last_outcomes: Mapping[str, Outcome]) -> tuple[str, ...]:
    """Return all devices, the leaders first, both parts in the order given."""
    return tuple(sorted(devices, key=lambda device: not leads(device, last_outcomes)))
