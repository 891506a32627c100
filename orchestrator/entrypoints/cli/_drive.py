"""Be the executor of one occurrence in the foreground, or follow whoever is."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from datetime import timedelta

from orchestrator.application.errors import BusyError, DesksideError
from orchestrator.bootstrap import House
from orchestrator.domain.notice import NoticeState

AFTERWARDS = timedelta(seconds=60)
"""How long a finished run waits for its closing notices and report to leave; what is left then leaves with the next run or the daemon."""

TICK = 1.0


def drive(house: House, occurrence: str, say: Callable[[str], None]) -> None:
    """Run one occurrence to its end in this process, sending notices beside it; if a daemon runs, follow it.

    Args:
        house: The house.
        occurrence: Its id; planned and enqueued.
        say: Takes one line of progress.
    """
    gone = threading.Event()
    side = threading.Thread(target=_beside, args=(house, occurrence, say, gone), name="notices", daemon=True)
    side.start()
    try:
        house.engine.run(lambda: _over(house, occurrence))
    except BusyError as busy:
        say(f"{busy.message.rstrip('.')}; it carries this out, I only follow.")
        while not _over(house, occurrence):
            house.clock.sleep(TICK)
    finally:
        gone.set()
        side.join(timeout=30)


def _over(house: House, occurrence: str) -> bool:
    row = house.store.occurrence(occurrence)
    if row is None or not row.state.over:
        return False
    late = row.finished_at is not None and house.clock.now() - row.finished_at > AFTERWARDS
    return late or not _pending(house, occurrence)


def _pending(house: House, occurrence: str) -> bool:
    now = house.clock.now()
    rows = house.store.rows(occurrence)
    reported = not house.facts.channel or any(row.notice.kind == "report" for row in rows) or not _leads(house, occurrence)
    return not reported or any(row.state in {NoticeState.NEW, NoticeState.SENDING} and row.notice.due <= now for row in rows)


def _leads(house: House, occurrence: str) -> bool:
    plan = house.store.plan(occurrence)
    return bool(plan and plan.facts.get("report_to"))


def _beside(house: House, occurrence: str, say: Callable[[str], None], gone: threading.Event) -> None:
    """Deliver notices, close the books, and tell what happened, until told to leave."""
    shown = len(house.store.log_entries(occurrence=occurrence, limit=5000))
    while True:
        last = gone.is_set()
        try:
            house.deliver()
            house.keep_time.close_books()
            shown = _tell(house, occurrence, say, shown)
        except DesksideError as error:
            print(f"notices: {error.message}", file=sys.stderr)
        if last:
            return
        gone.wait(TICK)


def _tell(house: House, occurrence: str, say: Callable[[str], None], shown: int) -> int:
    entries = sorted(house.store.log_entries(occurrence=occurrence, limit=5000), key=lambda entry: entry.at)
    for entry in entries[shown:]:
        say(f"{entry.at:%H:%M:%S}  {entry.kind:10} {entry.text}")
    return len(entries)
