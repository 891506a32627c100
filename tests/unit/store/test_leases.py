"""A batch has one worker; who was replaced finds out before he can do harm."""

from __future__ import annotations

from datetime import timedelta

import pytest

BATCH = "patch-night/2026-12-09/canary/w1"


def nobody(_holder: str) -> bool:
    return False


@pytest.fixture
def acquire(store, now):
    def take(holder="a", batch=BATCH, after=0.0, dead=nobody):
        return store.acquire_lease(batch, holder, now=now + timedelta(seconds=after), ttl=45, dead=dead)

    return take


def test_a_free_batch_is_taken_and_others_wait_until_it_expires(acquire, now) -> None:
    lease = acquire("a")
    assert (lease.fence, lease.holder, lease.expires) == (1, "a", now + timedelta(seconds=45))
    assert acquire("b", after=44.9) is None
    assert acquire("b", after=45).fence == 2


def test_a_holder_that_is_proven_dead_is_replaced_at_once(acquire) -> None:
    acquire("a")
    assert acquire("b", dead=lambda holder: holder == "c") is None
    assert acquire("b", dead=lambda holder: holder == "a").fence == 2


def test_a_holder_may_take_its_own_batch_again_with_a_new_fence(acquire) -> None:
    assert [acquire("a").fence, acquire("a").fence] == [1, 2]


def test_the_proof_is_about_the_holder_that_was_seen(acquire, store) -> None:
    """Between the proof and the update somebody else took it: the proof says nothing about him."""
    acquire("a")

    def late(holder: str) -> bool:
        assert holder == "a"
        acquire("b", dead=lambda seen: seen == "a")
        return True

    assert acquire("c", dead=late) is None
    assert store.renew_lease is not None


def test_a_fence_is_higher_than_any_ever_given_whatever_the_batch(acquire) -> None:
    """A device that moves to another batch of its occurrence meets a higher number there."""
    assert acquire("a", "one").fence == 1
    assert acquire("a", "one").fence == 2
    assert acquire("a", "two").fence == 3
    assert acquire("a", "one").fence == 4


def test_renewing_moves_the_end_and_fails_once_a_newer_fence_came(acquire, store, now) -> None:
    lease = acquire("a")
    assert store.renew_lease(lease, now=now + timedelta(seconds=30), ttl=45)
    assert acquire("b", after=60) is None
    newer = acquire("b", after=75)
    assert not store.renew_lease(lease, now=now, ttl=45)
    assert not store.finish_lease(lease)
    assert not store.lease_finished(BATCH)
    assert store.finish_lease(newer)


def test_a_finished_batch_is_never_taken_or_renewed_again(acquire, store, now) -> None:
    lease = acquire("a")
    assert store.finish_lease(lease)
    assert store.finish_lease(lease), "saying it twice is fine"
    assert store.lease_finished(BATCH)
    assert acquire("a") is None
    assert acquire("b", after=3600, dead=lambda _holder: True) is None
    assert not store.renew_lease(lease, now=now, ttl=45)


def test_a_batch_nobody_took_is_not_finished(store) -> None:
    assert not store.lease_finished(BATCH)
