"""`deskside daemon`: planner and executor in one process, by the clock, until stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Annotated

import typer

from orchestrator.entrypoints.cli._house import enter

app = typer.Typer()

STOP_AFTER = 0.2


@app.command()
def daemon(
    ctx: typer.Context,
    tick: Annotated[
        float, typer.Option("--tick", min=0.2, max=60.0, metavar="SECONDS", help="How often the planner looks at the clock.")
    ] = 5.0,
) -> None:
    """Plan, tell and run by the clock until stopped (SIGTERM or Ctrl-C). What was interrupted goes on at the next start."""
    _, house = enter(ctx)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _check(house)
    planner = threading.Thread(target=_plan, args=(house, stop, tick), name="planner", daemon=True)
    _say(f"deskside daemon: office {house.office_root}, state {house.state}, {len(house.facts.windows)} windows")
    planner.start()
    try:
        house.engine.run(stop.is_set)
    finally:
        stop.set()
        planner.join(timeout=10)
    _say("deskside daemon: stopped")
    leave(house)


def leave(house: object) -> None:
    """A step that did not end in time is left to the next start; the interpreter would wait for it for ever."""
    if house.engine.left_behind:  # type: ignore[attr-defined]
        sys.stdout.flush()
        os._exit(0)


def _check(house: object) -> None:
    """What is wrong with the office is said before the first tick, not at the first window; what both threads use is made by one."""
    for problem in house.office.disabled:  # type: ignore[attr-defined]
        _say(f"disabled: {problem}")
    _ = house.store  # type: ignore[attr-defined]
    house.engine.load()  # type: ignore[attr-defined]


def _plan(house: object, stop: threading.Event, tick: float) -> None:
    """Tick until told to stop. An error is said and the next tick tries again: one bad minute must not end the night."""
    told = ""
    while not stop.is_set():
        try:
            house.free_locks()  # type: ignore[attr-defined]
            house.keep_time()  # type: ignore[attr-defined]
            told = ""
        except Exception as error:  # noqa: BLE001 - the planner outlives every error, and says each once
            text = f"{type(error).__name__}: {error}"
            if text != told:
                _say(f"planner: {text}")
            told = text
        stop.wait(tick)


def _say(line: str) -> None:
    print(line, flush=True)
