"""Keeps a lease alive while its batch is worked on, and says so in time when it cannot be kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from orchestrator.application.errors import DesksideError
from orchestrator.application.ports import Clock, Lease, LeaseStore

RENEWALS = 4
"""A lease is renewed so many times within its life."""

_TICK = 1.0


class LeaseKeeper:
    """Renews one lease (and its holder's device locks) from a thread; a context manager around the work.

    A second thread watches the deadline, because a renewal can itself hang in an unreachable database: the work is stopped at the
    last successful renewal + ttl - margin, by the monotonic clock and by the wall clock (the machine may have been suspended).
    By the time somebody else may take the batch, nothing of ours runs any more.

    Args:
        store: Where the lease lives.
        lease: As it was acquired, or renewed, just now.
        ttl: Its life in seconds; renewed every quarter of it.
        on_lost: Called at most once, from a thread, with a sentence: end the work now (set an event; do not wait for the work here).
            Never called after the context was left.
        clock: The source of now.
        margin: How many seconds before the end the work is stopped; default a fifth of ``ttl``, at most 10.
        lock_holder: The holder whose device locks are renewed too; ``None`` = none.
    """

    def __init__(
        self,
        store: LeaseStore,
        lease: Lease,
        ttl: float,
        on_lost: Callable[[str], None],
        *,
        clock: Clock,
        margin: float | None = None,
        lock_holder: str | None = None,
    ) -> None:
        self._store = store
        self._lease = lease
        self._ttl = ttl
        self._on_lost = on_lost
        self._clock = clock
        self._margin = min(10.0, ttl / 5) if margin is None else margin
        self._lock_holder = lock_holder
        self._guard = threading.RLock()
        self._closed = threading.Event()
        self._reason = ""
        self._trouble = ""
        self._until_monotonic = clock.monotonic() + (lease.expires - clock.now()).total_seconds() - self._margin
        self._until_wall = lease.expires.timestamp() - self._margin
        self._threads = [
            threading.Thread(target=run, name=f"lease-{lease.batch}", daemon=True) for run in (self._renew, self._watch)
        ]

    @property
    def lost(self) -> str:
        """Why the lease is lost, empty while it is ours."""
        with self._guard:
            return self._reason

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._guard:
            self._closed.set()
        self._threads[1].join(timeout=2 * _TICK)  # the renewing thread may hang in the database: it is left to end by itself

    def _renew(self) -> None:
        while not self._closed.wait(self._ttl / RENEWALS):
            before, now = self._clock.monotonic(), self._clock.now()
            try:
                kept = self._store.renew_lease(self._lease, now=now, ttl=self._ttl)
                if kept and self._lock_holder is not None:
                    self._store.renew_locks(self._lock_holder, now=now, ttl=self._ttl)
            except DesksideError as error:
                self._trouble = str(error)
                continue
            if not kept:
                self._lose(f"another worker has taken over {self._lease.batch} (fence {self._lease.fence} is no longer the newest)")
                return
            with self._guard:
                self._until_monotonic = before + self._ttl - self._margin
                self._until_wall = now.timestamp() + self._ttl - self._margin
                self._trouble = ""

    def _watch(self) -> None:
        while not self._closed.wait(self._pause()):
            if self._left() <= 0:
                why = f": {self._trouble}" if self._trouble else ""
                self._lose(f"the lease on {self._lease.batch} could not be renewed in time{why}")
                return

    def _left(self) -> float:
        with self._guard:
            return min(self._until_monotonic - self._clock.monotonic(), self._until_wall - self._clock.now().timestamp())

    def _pause(self) -> float:
        return max(0.0, min(_TICK, self._left()))

    def _lose(self, reason: str) -> None:
        with self._guard:
            if self._closed.is_set() or self._reason:
                return
            self._reason = reason
            self._closed.set()
            self._on_lost(reason)
