"""A lease is kept while its work goes on, and the work is told in time when it cannot be."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.adapters.engine.guardian import StoreGuardian
from orchestrator.application.errors import StoreError
from orchestrator.application.lease_keeper import LeaseKeeper
from orchestrator.testing import FakeClock

BATCH = "patch-night/2026-12-09/canary/w1"
TTL = 2.0


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Told:
    """Collects what on_lost said, and waits for it."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.at = 0.0
        self._event = threading.Event()

    def __call__(self, reason: str) -> None:
        self.reasons.append(reason)
        self.at = time.monotonic()
        self._event.set()

    def wait(self, seconds: float = 5.0) -> str:
        assert self._event.wait(seconds), "on_lost was not called"
        return self.reasons[0]


class Broken:
    """The store as it looks when its disk has gone: renewals raise, or hang."""

    def __init__(self, store, *, hang: bool = False) -> None:
        self._store = store
        self._hang = hang
        self.release = threading.Event()

    def renew_lease(self, lease, *, now, ttl) -> bool:
        if self._hang:
            self.release.wait(10)
        raise StoreError("deskside.db: the disk reports an I/O error")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def lease(store):
    return store.acquire_lease(BATCH, "me", now=datetime.now(UTC), ttl=TTL, dead=lambda _holder: False)


def keeper(store, lease, told, ttl=TTL, clock=None, **more) -> LeaseKeeper:
    return LeaseKeeper(store, lease, ttl, told, clock=clock or RealClock(), **more)


def test_it_outlives_its_ttl_while_the_work_goes_on(store, lease, told) -> None:
    with keeper(store, lease, told) as kept:
        time.sleep(TTL + 0.5)
        thief = store.acquire_lease(BATCH, "you", now=datetime.now(UTC), ttl=1.0, dead=lambda _holder: False)
        assert thief is None
        assert kept.lost == ""
    assert told.reasons == []
    assert store.finish_lease(lease)


def test_a_newer_fence_is_noticed_at_the_next_renewal(store, lease, told) -> None:
    with keeper(store, lease, told) as kept:
        store.acquire_lease(BATCH, "you", now=datetime.now(UTC), ttl=1.0, dead=lambda _holder: True)
        assert told.wait() == f"another worker has taken over {BATCH} (fence 1 is no longer the newest)"
        assert kept.lost == told.reasons[0]


@pytest.mark.parametrize("hang", [False, True])
def test_the_deadline_holds_when_the_database_raises_or_hangs(store, lease, told, hang) -> None:
    """The work ends before anybody else may begin: margin before the lease runs out."""
    broken = Broken(store, hang=hang)
    started = time.monotonic()
    with keeper(broken, lease, told, margin=0.8):
        reason = told.wait()
        assert reason.startswith(f"the lease on {BATCH} could not be renewed in time")
        assert hang or "I/O error" in reason
    assert 0.8 < told.at - started < TTL
    assert len(told.reasons) == 1
    broken.release.set()


def test_a_wall_clock_that_jumped_past_the_lease_ends_the_work(store, told) -> None:
    """The machine was suspended: the monotonic clock stood still, others see an expired lease."""
    clock = FakeClock()
    lease = store.acquire_lease(BATCH, "me", now=clock.now(), ttl=40, dead=lambda _holder: False)

    class Suspended(FakeClock):
        def monotonic(self) -> float:
            return 0.0

    suspended = Suspended()
    with keeper(store, lease, told, ttl=40, clock=suspended):
        suspended.advance(timedelta(hours=8))
        assert "could not be renewed in time" in told.wait()


def test_after_the_block_nobody_is_told_and_no_thread_is_left(store, lease, told) -> None:
    with keeper(store, lease, told, ttl=0.4):
        pass
    store.acquire_lease(BATCH, "you", now=datetime.now(UTC), ttl=1.0, dead=lambda _holder: True)
    time.sleep(0.6)
    assert told.reasons == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lease-")]


def test_the_guardian_renews_the_locks_of_the_batch_too(store, lease) -> None:
    store.lock_devices(["ws-1"], BATCH, "patch night", groups={}, stay_up={}, now=datetime.now(UTC), ttl=1.0)
    before = store.locks()[0].expires
    with StoreGuardian(store, RealClock()).keep(lease, ttl=TTL) as lost:
        time.sleep(0.6)
        assert store.locks()[0].expires > before
        assert not lost()
        store.acquire_lease(BATCH, "you", now=datetime.now(UTC), ttl=1.0, dead=lambda _holder: True)
        deadline = time.monotonic() + 5
        while not lost() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert lost()


def test_two_reasons_at_once_are_told_once(store, lease, told) -> None:
    kept = keeper(store, lease, told)
    kept._lose("another worker has taken over")
    kept._lose("could not be renewed in time")
    assert told.reasons == ["another worker has taken over"]
