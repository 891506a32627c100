"""A process that lives as `deskside daemon` does and carries out one occurrence per line ``go``: its start is paid once, not per night.

Standard output: one JSON document per line, the first when it is ready. ``spent`` tells this process's and its ended children's
CPU seconds by part; the bench itself counts the whole control group.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from orchestrator.application.ports import Actor
from orchestrator.bootstrap import House

PATIENCE = 600.0
LOOK = 0.2


def spent() -> float:
    """CPU seconds of this process and its ended children."""
    both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def night(house: House, window: str) -> dict[str, Any]:
    """Plan, enqueue, wait for the end, close the books. What was remembered of the devices for minutes is forgotten: nights are days apart."""
    for device in list(house.prober._book._known):  # type: ignore[attr-defined]
        house.prober._book.forget(device)  # type: ignore[attr-defined]
    begun = spent()
    booked = house.open_occurrence.emergency(house.facts.window(window), "bench", actor=Actor(name="bench", via="cli"))
    planned = spent()
    occurrence = booked.plan.occurrence.id
    house.engine.start_rollout(occurrence)
    deadline = time.monotonic() + PATIENCE
    row = house.store.occurrence(occurrence)
    while (row is None or not row.state.over) and time.monotonic() < deadline:
        time.sleep(LOOK)
        row = house.store.occurrence(occurrence)
    house.keep_time.close_books()
    if row is None or row.state != "finished":
        return {"error": f"{occurrence} is {row.state if row else 'gone'}: {row.note if row else ''}"}
    runs = house.store.device_runs(occurrence)
    devices = [{"device": run.device, "outcome": run.outcome, "reason": run.reason, "detail": dict(run.detail)} for run in runs]
    return {"devices": devices, "spent": {"plan": planned - begun, "rollout": spent() - planned}}


def main(office: Path, state: Path, window: str) -> int:
    """Carry out nights until standard input ends."""
    house = House(office=office, state=state)
    _ = house.store
    with house.engine:
        print("{}", flush=True)
        for _line in sys.stdin:
            print(json.dumps(night(house, window), default=str), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
