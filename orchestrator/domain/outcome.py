"""What can happen to one device, and which steps may follow which (one table; illegal moves raise)."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What happened to one device in one occurrence (blueprint: words)."""

    OK = "ok"
    CHANGED = "changed"
    FAILED = "failed"
    ABSENT = "absent"
    REBOOT_PENDING = "reboot-pending"
    ROLLED_BACK = "rolled-back"
    SKIPPED = "skipped"
    DEFERRED = "deferred"
    NOT_REACHED = "not-reached"
    UNKNOWN = "unknown"

    @property
    def good(self) -> bool:
        """Counts as a success for a gate."""
        return self in {Outcome.OK, Outcome.CHANGED}

    @property
    def bad(self) -> bool:
        """Counts as a failure for a gate: also what was lost after we touched it, and what nobody can vouch for."""
        return self in {Outcome.FAILED, Outcome.UNKNOWN, Outcome.REBOOT_PENDING, Outcome.ROLLED_BACK}

    @property
    def leads_next(self) -> bool:
        """The device goes first in the next plan (fairness)."""
        return self in {Outcome.ABSENT, Outcome.NOT_REACHED, Outcome.REBOOT_PENDING, Outcome.UNKNOWN}


class DeviceState(StrEnum):
    """Where one device stands inside a running occurrence."""

    PLANNED = "planned"
    PROBING = "probing"
    QUEUED = "queued"
    RUNNING = "running"
    REBOOTING = "rebooting"
    CHECKING = "checking"
    SETTLED = "settled"


MOVES: dict[DeviceState, frozenset[DeviceState]] = {
    DeviceState.PLANNED: frozenset({DeviceState.PROBING, DeviceState.QUEUED, DeviceState.SETTLED}),
    DeviceState.PROBING: frozenset({DeviceState.PROBING, DeviceState.QUEUED, DeviceState.SETTLED}),
    DeviceState.QUEUED: frozenset({DeviceState.QUEUED, DeviceState.RUNNING, DeviceState.SETTLED}),
    DeviceState.RUNNING: frozenset({DeviceState.RUNNING, DeviceState.REBOOTING, DeviceState.CHECKING, DeviceState.SETTLED}),
    DeviceState.REBOOTING: frozenset({DeviceState.RUNNING, DeviceState.REBOOTING, DeviceState.CHECKING, DeviceState.SETTLED}),
    DeviceState.CHECKING: frozenset({DeviceState.RUNNING, DeviceState.CHECKING, DeviceState.SETTLED}),
    DeviceState.SETTLED: frozenset(),
}


class RolloutState(StrEnum):
    """Where one occurrence stands."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    MISSED = "missed"

    @property
    def over(self) -> bool:
        """Nothing more will be done in this occurrence."""
        return not ROLLOUT_MOVES[self]


ROLLOUT_MOVES: dict[RolloutState, frozenset[RolloutState]] = {
    RolloutState.PLANNED: frozenset({RolloutState.PLANNED, RolloutState.RUNNING, RolloutState.CANCELLED, RolloutState.MISSED}),
    RolloutState.RUNNING: frozenset(
        {RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.CANCELLING, RolloutState.FINISHED, RolloutState.STOPPED}
    ),
    RolloutState.PAUSED: frozenset({RolloutState.RUNNING, RolloutState.CANCELLING, RolloutState.FINISHED, RolloutState.STOPPED}),
    RolloutState.CANCELLING: frozenset({RolloutState.CANCELLING, RolloutState.CANCELLED}),
    RolloutState.FINISHED: frozenset(),
    RolloutState.CANCELLED: frozenset(),
    RolloutState.STOPPED: frozenset(),
    RolloutState.MISSED: frozenset(),
}


class IllegalMoveError(Exception):
    """A state was asked to follow one that it cannot follow: a defect of the caller, never of a user."""


def move_device(now: DeviceState, then: DeviceState) -> DeviceState:
    """Return ``then`` when it may follow ``now``.

    Raises:
        IllegalMoveError: The table has no such move.
    """
    if then not in MOVES[now]:
        raise IllegalMoveError(f"a device that is {now} cannot become {then}")
    return then


def move_rollout(now: RolloutState, then: RolloutState) -> RolloutState:
    """Return ``then`` when it may follow ``now``.

    Raises:
        IllegalMoveError: The table has no such move.
    """
    if then not in ROLLOUT_MOVES[now]:
        raise IllegalMoveError(f"an occurrence that is {now} cannot become {then}")
    return then
