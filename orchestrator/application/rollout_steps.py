"""What the engine's workflow drives. The engine remembers how far it came; everything else it asks for again and again.

Every method is idempotent: after a crash the engine calls the last one again. Answers are plain JSON values, because the engine
keeps them. Pausing and cancelling happen inside the steps: they look at the store and answer ``wait`` or ``done``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

GO = "go"
"""What :meth:`RolloutSteps.open` says when the rollout may begin or go on."""


class RolloutSteps(Protocol):
    """One rollout, step by step. A step that raises StoreError or BusyError is tried again for a while; any other error ends the rollout."""

    def open(self, occurrence: str) -> str:
        """Begin, or go on after a crash. Returns ``go`` or the reason why nothing is done (then nothing else is called)."""
        ...

    def rings(self, occurrence: str) -> list[str]:
        """Ring names in order."""
        ...

    def begin_ring(self, occurrence: str, ring: str) -> None:
        """Probe, wake, settle who is absent."""
        ...

    def next_batch(self, occurrence: str, ring: str) -> Mapping[str, Any]:
        """What to do next in this ring: ``{"batch": id}``, ``{"wait": seconds}`` or ``{"done": True}``.

        The id of a batch is the same however often it is asked for, until :meth:`run_batch` has finished it. The engine asks again
        after ``wait`` seconds, and after five at the latest, so that a cancel is seen.
        """
        ...

    def run_batch(self, batch_id: str) -> None:
        """Carry out one batch under its lease; returns at once when it has been finished before."""
        ...

    def start_gate(self, occurrence: str, ring: str) -> None:
        """Begin to soak."""
        ...

    def gate(self, occurrence: str, ring: str) -> Mapping[str, Any]:
        """Look at the gate once: ``{"wait": seconds}`` or ``{"verdict": "green" | "red"}``. Red: no later ring begins."""
        ...

    def finish(self, occurrence: str) -> None:
        """Settle what is left, write the final state, hand out closing notices and the report. Called after the last ring and after a red gate."""
        ...

    def fail(self, occurrence: str, reason: str) -> None:
        """The rollout cannot go on: state STOPPED with the reason, unless it is over. Called once more at each start until it has worked."""
        ...
