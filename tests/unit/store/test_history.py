"""What earlier occurrences taught us."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.application.ports import Deferral, ProbeResult
from orchestrator.domain.outcome import DeviceState, Outcome, RolloutState


@pytest.fixture
def night(store, make_plan, ada, now):
    """Carry out a whole occurrence: device → outcome."""

    def carry_out(day: int, outcomes: dict[str, Outcome], end=RolloutState.FINISHED) -> None:
        name = f"patch-night/2026-12-{day:02}"
        store.save_plan(make_plan(name, now + timedelta(days=day), broad=list(outcomes)), actor=ada)
        store.move(name, RolloutState.RUNNING, now=now)
        for run in store.device_runs(name):
            store.put_device_run(replace(run, state=DeviceState.SETTLED, outcome=outcomes[run.device]))
        store.move(name, end, now=now)

    return carry_out


def test_durations_come_newest_first_per_playbook_and_class(store, now) -> None:
    for number in range(4):
        store.add_duration("apply_os_updates", "laptop", "ws-1", float(number), at=now + timedelta(seconds=number))
    store.add_duration("apply_os_updates", "server", "fs-1", 99.0, at=now)
    store.add_duration("other", "laptop", "ws-1", 98.0, at=now)
    assert store.durations("apply_os_updates", "laptop", limit=3) == [3.0, 2.0, 1.0]
    assert store.durations("apply_os_updates", "printer") == []


def test_the_last_outcome_of_each_device_counts_when_its_occurrence_is_over(store, night) -> None:
    night(9, {"ws-1": Outcome.ABSENT, "ws-2": Outcome.NOT_REACHED})
    night(10, {"ws-1": Outcome.CHANGED}, end=RolloutState.STOPPED)
    night(11, {"ws-2": Outcome.CHANGED}, end=RolloutState.PAUSED)
    assert store.last_outcomes("patch-night") == {"ws-1": Outcome.CHANGED, "ws-2": Outcome.NOT_REACHED}
    assert store.last_outcomes("other") == {}


def test_the_last_devices_are_those_of_the_latest_that_started(store, night, make_plan, ada, now) -> None:
    night(9, {"ws-9": Outcome.OK})
    night(10, {"ws-2": Outcome.OK, "ws-1": Outcome.OK})
    store.save_plan(make_plan("patch-night/2026-12-31", now + timedelta(days=31)), actor=ada)
    assert store.last_devices("patch-night") == ("ws-2", "ws-1")
    assert store.last_devices("other") == ()


def test_ring_membership_is_sticky(store) -> None:
    store.put_ring_members("patch-night", {"ws-1": "canary", "ws-2": "broad"})
    store.put_ring_members("patch-night", {"ws-2": "canary", "ws-3": "broad"})
    store.put_ring_members("patch-night", {})
    assert store.ring_members("patch-night") == {"ws-1": "canary", "ws-2": "canary", "ws-3": "broad"}
    assert store.ring_members("other") == {}


def test_health_remembers_since_when_and_what_was_last_known(store, now) -> None:
    pending = ({"name": "openssl", "from": "1", "to": "2", "class": "security", "held": False},)
    seen = ProbeResult(host="ws-1", reachable=True, pending=pending, reboot_required=True, facts={"disk": 5})
    store.put_health(seen, at=now)
    store.put_health(replace(seen, pending=None, facts={"disk": 6}), at=now + timedelta(hours=1))
    store.put_health(replace(seen, facts={"disk": 6}), at=now + timedelta(hours=1))
    health = store.health()["ws-1"]
    pending = ({**pending[0], "since": now.isoformat()},)  # its age counts from the first time it was seen
    assert (health.seen_at, health.absent_since) == (now + timedelta(hours=1), None)
    assert (health.pending, health.reboot_pending_since, health.facts) == (pending, now, {"disk": 6})

    for hours in (2, 3):
        store.put_health(ProbeResult(host="ws-1", reachable=False, error="no route"), at=now + timedelta(hours=hours))
    health = store.health()["ws-1"]
    assert (health.seen_at, health.absent_since) == (now + timedelta(hours=1), now + timedelta(hours=2))
    assert (health.pending, health.reboot_pending_since) == (pending, now)

    store.put_health(replace(seen, pending=(), reboot_required=False), at=now + timedelta(hours=4))
    health = store.health()["ws-1"]
    assert (health.absent_since, health.pending, health.reboot_pending_since) == (None, (), None)


def test_a_device_that_never_answered_has_no_last_seen(store, now) -> None:
    store.put_health(ProbeResult(host="ws-6", reachable=False), at=now)
    health = store.health()["ws-6"]
    assert (health.seen_at, health.absent_since, health.pending, health.facts) == (None, now, None, {}), "nobody has scanned it"


def test_the_newest_deferral_counts_while_it_lasts(store, now) -> None:
    first = Deferral(device="ws-1", until=now + timedelta(days=7), person="ada", reason="demo", actor="tech", at=now)
    store.put_deferral(first)
    assert store.deferrals(now=now) == {"ws-1": first}
    shorter = replace(first, until=now + timedelta(days=1), at=now + timedelta(seconds=1))
    store.put_deferral(shorter)
    assert store.deferrals(now=now + timedelta(hours=23)) == {"ws-1": shorter}
    assert store.deferrals(now=now + timedelta(days=1)) == {}


def test_a_skip_keeps_who_said_it_first(store, now, ada) -> None:
    store.put_skip("ws-1", "patch-night/2026-12-09", actor=ada, at=now)
    store.put_skip("ws-1", "patch-night/2026-12-09", actor=replace(ada, name="linus"), at=now)
    assert store.skips("patch-night/2026-12-09") == {"ws-1": "ada"}
    assert store.skips("other") == {}
