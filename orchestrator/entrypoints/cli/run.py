"""`deskside run WINDOW`: carry out a window that is open now."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.application.errors import BadInputError, WorkFailedError
from orchestrator.entrypoints.cli._house import enter
from orchestrator.entrypoints.cli._output import print_json

app = typer.Typer()


@app.command()
def run(
    ctx: typer.Context,
    window: Annotated[str, typer.Argument(help="Name of a maintenance window.")],
    emergency: Annotated[
        bool, typer.Option("--emergency", help="Open an audited occurrence of its own now; same rings and locks. Needs --reason.")
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why it cannot wait; stands in the record and in the report.")
    ] = "",
) -> int:
    """Carry out a window that is open now: invitations, rings, gates, closing notices, report. Exit 21 when a device or a gate failed."""
    from orchestrator.entrypoints.cli._drive import drive
    from orchestrator.entrypoints.cli._plan_screen import plan_lines
    from orchestrator.entrypoints.cli._status_screen import bad, status_lines

    cli, house = enter(ctx)
    spec = house.facts.window(window)
    if reason and not emergency:
        raise BadInputError("--reason belongs to --emergency: an ordinary run happens because its window is open")
    booked = (
        house.open_occurrence.emergency(spec, reason, actor=cli.actor)
        if emergency
        else house.open_occurrence.open_now(spec, actor=cli.actor)
    )
    occurrence = booked.plan.occurrence.id
    if not cli.json:
        print("\n".join(plan_lines(booked.plan)) + "\n", flush=True)
    house.deliver()  # the people know before anything begins
    house.engine.start_rollout(occurrence)
    drive(house, occurrence, _silent if cli.json else _say)
    row = house.store.occurrence(occurrence)
    runs = house.store.device_runs(occurrence)
    if row is None:
        raise BadInputError(f"{occurrence} has left the store")
    if cli.json:
        print_json({"occurrence": row, "devices": runs, "gates": house.store.gates(occurrence)})
    else:
        print()
        print("\n".join(status_lines(house.store, row, now=house.clock.now())))
        print(f"\nReport: deskside report {occurrence} --format html -o report.html")
    failed = [one.device for one in bad(runs) if one.outcome is not None and one.outcome.bad]
    if row.state == "finished" and not failed:
        return 0
    if cli.json:
        return WorkFailedError.exit_code
    raise WorkFailedError(
        f"{row.id} is {row.state}{': ' + row.note if row.note else ''}; failed: {', '.join(failed) or 'no device'}"
    )


def _say(line: str) -> None:
    print(line, flush=True)


def _silent(line: str) -> None:
    del line
