"""`deskside status [--watch]`: what is happening now. Reads the store only: no Ansible, no engine."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from orchestrator.entrypoints.cli._house import enter
from orchestrator.entrypoints.cli._output import console, print_json

app = typer.Typer()


@app.command()
def status(
    ctx: typer.Context,
    occurrence: Annotated[
        str | None,
        typer.Argument(help="Its id, a unique prefix, a window's name, last or next. Default: what runs, else the last."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow until it is over; Ctrl-C leaves, the work goes on.")] = False,
) -> None:
    """Show what is happening now."""
    from orchestrator.application.steer_rollout import find_occurrence
    from orchestrator.domain.outcome import RolloutState
    from orchestrator.entrypoints.cli._status_screen import status_lines

    cli, house = enter(ctx)
    store, now = house.store_to_read, house.clock.now()
    if occurrence is None:
        rows = store.occurrences(limit=200)
        running = [row for row in rows if row.state in {RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.CANCELLING}]
        past = [row for row in rows if row.starts_at <= now]
        if not (running or past or rows):
            print("Nothing is planned. See: deskside maintenance next")
            return
        row = (running or past or list(reversed(rows)))[0]
    else:
        row = find_occurrence(store, occurrence, now=now)
    if cli.json:
        print_json(
            {
                "occurrence": row,
                "devices": store.device_runs(row.id),
                "gates": store.gates(row.id),
                "locks": store.locks(),
            }
        )
        return
    if not watch:
        print("\n".join(status_lines(store, row, now=now)))
        _locks(store.locks())
        return
    from rich.live import Live
    from rich.text import Text

    with Live(console=console(), refresh_per_second=2, transient=False) as live:
        while True:
            row = store.occurrence(row.id) or row
            live.update(Text("\n".join(status_lines(store, row, now=house.clock.now()))))
            if row.state.over:
                break
            time.sleep(1.0)


def _locks(locks: object) -> None:
    for lock in locks:  # type: ignore[attr-defined]
        print(f" locked: {lock.device} by {lock.purpose} since {lock.since:%H:%M:%S} UTC")
