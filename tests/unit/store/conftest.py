"""A store, a plan and an instant for the tests of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.application.ports import Actor
from orchestrator.domain.plan import Plan, PlannedDevice, PlannedRing
from orchestrator.domain.window import Gate, Occurrence
from orchestrator.testing import MemoryStore

NOW = datetime(2026, 12, 9, 21, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    made = MemoryStore()
    yield made
    made.close()


@pytest.fixture
def ada() -> Actor:
    return Actor("ada", "cli")


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    def make(occurrence: str = "patch-night/2026-12-09", starts: datetime = NOW, **rings: list[str]) -> Plan:
        planned = tuple(
            PlannedRing(
                name=name,
                devices=tuple(PlannedDevice(name=d, users=(), groups=(), device_class="ws", p95=60.0) for d in devices),
                waves=(tuple(devices),),
                at_once=None,
                gate=Gate(),
                starts_at=starts,
                p95=60.0,
            )
            for name, devices in (rings or {"canary": ["ws-2", "ws-1"], "broad": ["ws-3"]}).items()
        )
        return Plan(
            occurrence=Occurrence(
                id=occurrence,
                window=occurrence.partition("/")[0],
                starts_at=starts,
                ends_at=starts + timedelta(hours=4),
                cutoff_at=starts + timedelta(hours=3),
                zone="Europe/Berlin",
                wall="22:00 CET",
            ),
            title="Patch night",
            work=(),
            rings=planned,
            left_out=(),
            told=(),
            one_at_a_time=(),
            stay_up={},
            expected_end=starts + timedelta(hours=1),
        )

    return make
