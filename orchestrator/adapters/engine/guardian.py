"""The port ``LeaseGuardian`` on the store: a lease, and the device locks of its batch, live while the block runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.application.lease_keeper import LeaseKeeper
from orchestrator.application.ports import Clock, Lease, LeaseStore


class StoreGuardian:
    """Keeps leases alive.

    Args:
        store: Where they live.
        clock: The source of now.
    """

    def __init__(self, store: LeaseStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @contextmanager
    def keep(self, lease: Lease, *, ttl: float) -> Iterator[Callable[[], bool]]:
        """Renew the lease and the locks that its batch holds. The callable answers True once the lease is lost or nearly out."""
        lost = threading.Event()
        with LeaseKeeper(self._store, lease, ttl, lambda _reason: lost.set(), clock=self._clock, lock_holder=lease.batch):
            yield lost.is_set
