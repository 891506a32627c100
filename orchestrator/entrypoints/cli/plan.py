"""`deskside plan WINDOW`: what would be done, to which devices, when and why. Changes nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.application.errors import NotFoundError
from orchestrator.application.office import suggestion
from orchestrator.entrypoints.cli._house import enter
from orchestrator.entrypoints.cli._output import print_json

app = typer.Typer()


@app.command()
def plan(
    ctx: typer.Context,
    window: Annotated[str, typer.Argument(help="Name of a maintenance window.")],
    at: Annotated[
        str | None, typer.Option("--at", metavar="INSTANT", help="Plan the occurrence open at, or next after, this instant.")
    ] = None,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="DEVICE", help="Say for one device which rule put it where.")
    ] = None,
) -> None:
    """Show what a window would do, to which devices, when and why. Changes nothing."""
    from orchestrator.application.plan_json import plan_to_json
    from orchestrator.entrypoints.cli._instants import instant
    from orchestrator.entrypoints.cli._plan_screen import explain_lines, plan_lines

    cli, house = enter(ctx)
    spec = house.facts.window(window)
    moment = instant(at, zone=_zone(house, spec.zone), now=house.clock.now(), option="--at") if at else None
    occurrence = house.plan_rollout.next_occurrence(spec, at=moment)
    made = house.store.plan(occurrence.id) or house.plan_rollout(spec, occurrence)
    if explain:
        lines = explain_lines(made, explain)
        if lines is None:
            known = [device.name for device in made.devices] + [out.name for out in made.left_out]
            raise NotFoundError(f'"{explain}" is not among the devices of {window}.{suggestion(explain, known)}')
        if cli.json:
            print_json({"device": explain, "reasons": lines})
        else:
            print("\n".join(lines))
        return
    if cli.json:
        import json

        print_json(json.loads(plan_to_json(made)))
    else:
        print("\n".join(plan_lines(made)))


def _zone(house: object, zone: str) -> str:
    """The zone in which a bare local time is read: the window's, or the first site's."""
    if zone != "site":
        return zone
    zones = house.facts.zones  # type: ignore[attr-defined]
    return next(iter(zones.values()), "UTC")
