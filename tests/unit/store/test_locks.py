"""Never two of one anti-affinity group, never below what must stay up: one by one, and under four hammering processes."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.adapters.store import FILE, SqlStore, open_store
from orchestrator.adapters.store.database import Database
from orchestrator.adapters.store.locks import refuse
from orchestrator.application.ports import DeviceLock
from orchestrator.domain.verdict import Allow, Deny

GROUPS = {"file_servers": ["fs-1", "fs-2"]}
NOW = datetime(2026, 12, 9, 22, 41, tzinfo=UTC)


@pytest.fixture
def lock(store):
    def take(*devices, holder="batch-1", purpose="run-playbook by ada", groups=GROUPS, stay_up=None, after=0.0):
        return store.lock_devices(
            devices, holder, purpose, groups=groups, stay_up=stay_up or {}, now=NOW + timedelta(seconds=after), ttl=45
        )

    return take


def held(store) -> dict[str, str]:
    return {lock.device: lock.holder for lock in store.locks()}


def test_all_are_locked_or_none(lock, store) -> None:
    assert lock("ws-1", "ws-2") == Allow()
    verdict = lock("ws-3", "ws-2", holder="batch-2", purpose="patch-night/2026-12-09")
    assert verdict == Deny(rule="device-locked", reason="ws-2 is in maintenance (run-playbook by ada since 22:41 UTC)")
    assert held(store) == {"ws-1": "batch-1", "ws-2": "batch-1"}


def test_one_at_a_time_names_who_holds_the_other_and_why(lock, store) -> None:
    assert lock("fs-2") == Allow()
    verdict = lock("fs-1", holder="batch-2")
    assert verdict == Deny(
        rule="one-at-a-time", reason="fs-2 is in maintenance (run-playbook by ada since 22:41 UTC); one_at_a_time: file_servers"
    )
    assert lock("fs-1") == verdict, "its own second one too"
    assert held(store) == {"fs-2": "batch-1"}


def test_two_of_a_group_are_refused_together(lock, store) -> None:
    verdict = lock("fs-1", "fs-2", "fs-1")
    assert verdict == Deny(rule="one-at-a-time", reason="fs-1, fs-2 were asked for together; one_at_a_time: file_servers")
    assert held(store) == {}


def test_what_must_stay_up_stays_up(lock, store) -> None:
    rule = {"printers_floor_2": (["p-1", "p-2", "p-3"], 2)}
    assert lock("p-1", stay_up=rule) == Allow()
    assert lock("p-1", stay_up=rule) == Allow(), "its own is not counted twice"
    verdict = lock("p-2", holder="batch-2", stay_up=rule)
    assert verdict == Deny(
        rule="stay-up",
        reason="p-1 is in maintenance (run-playbook by ada since 22:41 UTC); "
        "only 1 of 3 would stay up, 2 must; stay_up: printers_floor_2",
    )
    assert lock("ws-1", holder="batch-2", stay_up=rule) == Allow(), "a device outside the label is not its business"
    store.free_lock("p-1", "batch-1")
    alone = lock("p-1", "p-2", stay_up=rule)
    assert isinstance(alone, Deny)
    assert alone.reason == "p-1, p-2: only 1 of 3 would stay up, 2 must; stay_up: printers_floor_2"


def test_a_lock_i_have_is_kept_and_renewed(lock, store) -> None:
    lock("ws-1")
    assert lock("ws-1", "ws-2", purpose="something else", after=30) == Allow()
    first = store.locks()[0]
    assert (first.since, first.expires, first.purpose) == (NOW, NOW + timedelta(seconds=75), "run-playbook by ada")


def test_an_expired_lock_is_still_a_lock_until_it_is_freed(lock, store) -> None:
    lock("ws-1")
    verdict = lock("ws-1", holder="batch-2", after=3600 * 24)
    assert isinstance(verdict, Deny)
    assert verdict.reason == (
        "ws-1 is in maintenance (run-playbook by ada since 2026-12-09 22:41 UTC), and its worker has not been heard of since "
        "22:41 UTC: it is free after a probe of the device"
    )
    store.free_lock("ws-1", "somebody else")
    assert held(store) == {"ws-1": "batch-1"}
    store.free_lock("ws-1", "batch-1")
    assert lock("ws-1", holder="batch-2") == Allow()


def test_renewing_and_unlocking_touch_only_my_own(lock, store) -> None:
    lock("ws-1", "ws-2")
    lock("ws-3", holder="batch-2")
    store.renew_locks("batch-1", now=NOW + timedelta(seconds=40), ttl=45)
    assert [(lock.expires - NOW).total_seconds() for lock in store.locks()] == [85, 85, 45]
    store.unlock_devices(["ws-1", "ws-3"], "batch-1")
    assert held(store) == {"ws-2": "batch-1", "ws-3": "batch-2"}


def test_nothing_to_lock_is_allowed(lock) -> None:
    assert lock() == Allow()


names = st.sampled_from(["a", "b", "c", "d", "e"])


@settings(max_examples=150, deadline=None)
@given(
    asked=st.lists(names, max_size=3, unique=True),
    locked=st.dictionaries(names, st.sampled_from(["me", "you"]), max_size=3),
    groups=st.dictionaries(st.sampled_from(["g1", "g2"]), st.lists(names, min_size=1, unique=True), max_size=2),
    floor=st.integers(0, 3),
    label=st.lists(names, max_size=4, unique=True),
)
def test_whatever_is_allowed_breaks_no_rule_and_whatever_is_refused_would(asked, locked, groups, floor, label) -> None:
    locks = {name: DeviceLock(device=name, holder=holder, purpose="p", since=NOW, expires=NOW) for name, holder in locked.items()}
    refusal = refuse(asked, "me", locks, groups=groups, stay_up={"l": (label, floor)}, now=NOW)
    after = set(locked) | set(asked)
    taken = any(locked.get(name) == "you" for name in asked)
    crowded = any(len(after & set(members)) > 1 and set(members) & set(asked) for members in groups.values())
    low = bool(set(label) & set(asked)) and len(set(label) - after) < floor
    assert (refusal is not None) == (taken or crowded or low)


def _hammer(state: Path, number: int, until: float) -> None:
    """Lock one of a pair or a printer, note the time inside, give it back. Clocks are one machine's."""
    store = SqlStore(Database(state / FILE, synchronous="OFF"))
    rng = random.Random(number)
    lines: list[str] = []
    while len(lines) < 15 and time.monotonic() < until:
        device = rng.choice(["fs-1", "fs-2", "p-1", "p-2", "p-3"])
        me = f"{number}-{rng.random()}"
        verdict = store.lock_devices(
            [device], me, "hammer", groups=GROUPS, stay_up={"p": (["p-1", "p-2", "p-3"], 2)}, now=datetime.now(UTC), ttl=45
        )
        if isinstance(verdict, Deny):
            time.sleep(rng.uniform(0, 0.004))
            continue
        entered = time.monotonic()
        time.sleep(rng.uniform(0, 0.004))
        lines.append(f"{device} {entered} {time.monotonic()}\n")
        store.unlock_devices([device], me)
    (state / f"inside-{number}").write_text("".join(lines))
    store.close()


def test_four_processes_never_hold_two_of_one_group_or_too_many_of_a_label(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    context = multiprocessing.get_context("fork")
    until = time.monotonic() + 8
    processes = [context.Process(target=_hammer, args=(tmp_path, number, until)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * 4
    spans: dict[str, list[tuple[float, float]]] = {"fs": [], "p-": []}
    for number in range(4):
        for line in (tmp_path / f"inside-{number}").read_text().splitlines():
            device, entered, left = line.split()
            spans[device[:2]].append((float(entered), float(left)))
    assert min(len(inside) for inside in spans.values()) > 10, "nothing was tried"
    for inside in spans.values():
        inside.sort()
        overlaps = [(one, two) for one, two in itertools.pairwise(inside) if two[0] < one[1]]
        assert overlaps == []
