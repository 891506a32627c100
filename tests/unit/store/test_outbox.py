"""Notices: once in, claimed before sent, and after a crash either again with a mark or left and named."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.domain.notice import Notice, NoticeKind, NoticeState

NIGHT = "patch-night/2026-12-09"


@pytest.fixture
def notice(now):
    def make(kind=NoticeKind.INVITATION, person="ada", **more) -> Notice:
        return Notice(occurrence=NIGHT, kind=kind, person=person, address=f"{person}@example.org", channel="mail", due=now, **more)

    return make


def states(store) -> dict[str, tuple[NoticeState, str]]:
    return {row.notice.kind.value: (row.state, row.detail) for row in store.rows(NIGHT)}


def test_the_same_notice_is_put_once_with_every_field(store, notice, now) -> None:
    full = notice(key="1d", uid="u", sequence=2, facts='{"a": 1}', expires=now + timedelta(hours=1))
    assert store.put([full, full, notice(person="linus")]) == 2
    assert store.put([full, notice(person="grace")]) == 1
    assert store.put([]) == 0
    assert next(row for row in store.rows(NIGHT) if row.notice.person == "ada").notice == full


def test_due_are_new_rows_that_are_due_and_not_expired_oldest_first(store, notice, now) -> None:
    late = replace(notice(person="late"), due=now - timedelta(hours=1))
    store.put([notice(person="b"), late, replace(notice(person="c"), due=now + timedelta(seconds=1))])
    store.put([notice(person="gone", expires=now)])
    assert [row.notice.person for row in store.due(now=now)] == ["late", "b"]
    assert [row.notice.person for row in store.due(now=now, limit=1)] == ["late"]
    store.claim(late.id, "me")
    assert [row.notice.person for row in store.due(now=now)] == ["b"]


def test_one_claims_and_only_once(store, notice) -> None:
    store.put([notice()])
    assert store.claim(notice().id, "me")
    assert not store.claim(notice().id, "you")
    assert not store.claim("no such notice", "me")


def test_what_is_sent_stays_sent(store, notice, now) -> None:
    store.put([notice()])
    store.claim(notice().id, "me")
    store.settle(notice().id, NoticeState.SENT, at=now, detail="250 queued")
    store.settle(notice().id, NoticeState.NEW, at=now)
    assert store.cancel(NIGHT, kinds=[NoticeKind.INVITATION]) == 0
    row = store.rows(NIGHT)[0]
    assert (row.state, row.sent_at, row.detail) == (NoticeState.SENT, now, "250 queued")


def test_a_retryable_one_is_new_again_and_can_be_claimed(store, notice, now) -> None:
    store.put([notice()])
    store.claim(notice().id, "me")
    store.settle(notice().id, NoticeState.NEW, at=now, detail="451 try later")
    assert store.due(now=now)[0].detail == "451 try later"
    assert store.claim(notice().id, "you")


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_after_a_crash_each_kind_goes_its_way(store, notice, now, kind) -> None:
    store.put([notice(kind)])
    store.claim(notice(kind).id, "dead")
    returned = store.recover(dead=lambda holder: holder == "dead", now=now)
    assert [row.notice.kind for row in returned] == [kind]
    state, detail = states(store)[kind.value]
    if kind.resend_after_crash:
        assert (state, detail) == (NoticeState.NEW, "resent after crash")
    else:
        assert state is NoticeState.AMBIGUOUS
        assert detail == "the sender died while it was sending: it may or may not have arrived"
    assert returned[0].state is state


def test_the_mark_of_a_crash_outlives_the_delivery(store, notice, now) -> None:
    store.put([notice()])
    store.claim(notice().id, "dead")
    store.recover(dead=lambda _holder: True, now=now)
    store.claim(notice().id, "me")
    store.settle(notice().id, NoticeState.NEW, at=now, detail="451 try later")
    store.claim(notice().id, "me")
    store.settle(notice().id, NoticeState.SENT, at=now)
    assert states(store)["invitation"] == (NoticeState.SENT, "resent after crash")


def test_living_senders_and_rows_that_are_not_being_sent_are_left_alone(store, notice, now) -> None:
    store.put([notice(), notice(NoticeKind.REMINDER)])
    store.claim(notice().id, "alive")
    assert store.recover(dead=lambda holder: holder != "alive", now=now) == []
    assert states(store) == {"invitation": (NoticeState.SENDING, ""), "reminder": (NoticeState.NEW, "")}


def test_an_expired_one_is_not_sent_again(store, notice, now) -> None:
    old = notice(expires=now)
    store.put([old])
    store.claim(old.id, "dead")
    store.recover(dead=lambda _holder: True, now=now)
    assert states(store)["invitation"][0] is NoticeState.AMBIGUOUS


def test_a_row_that_was_settled_meanwhile_is_not_recovered(store, notice, now) -> None:
    store.put([notice()])
    store.claim(notice().id, "dead")

    def dead(_holder: str) -> bool:
        store.settle(notice().id, NoticeState.SENT, at=now)
        return True

    assert store.recover(dead=dead, now=now) == []
    assert states(store)["invitation"][0] is NoticeState.SENT


def test_cancelling_takes_back_what_was_not_sent_of_these_kinds(store, notice, now) -> None:
    store.put([notice(), notice(NoticeKind.REMINDER), notice(NoticeKind.STARTED)])
    store.claim(notice(NoticeKind.STARTED).id, "me")
    assert store.cancel(NIGHT, kinds=[NoticeKind.REMINDER, NoticeKind.STARTED]) == 1
    assert {kind: state for kind, (state, _) in states(store).items()} == {
        "invitation": NoticeState.NEW,
        "reminder": NoticeState.CANCELLED,
        "started": NoticeState.SENDING,
    }
    assert store.cancel("other", kinds=list(NoticeKind)) == 0
    assert [row.notice.kind for row in store.due(now=now)] == [NoticeKind.INVITATION]
