"""`deskside cancel|pause|resume|defer|skip`: a person at the wheel."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.entrypoints.cli._house import enter
from orchestrator.entrypoints.cli._output import print_json

cancel_app, pause_app, resume_app, defer_app, skip_app = (typer.Typer() for _ in range(5))

Wanted = Annotated[str, typer.Argument(metavar="OCCURRENCE", help="Its id, a unique prefix, a window's name, last or next.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; stands in the record and in the report.")]


@cancel_app.command()
def cancel(
    ctx: typer.Context,
    occurrence: Wanted,
    reason: Reason = "",
    now: Annotated[bool, typer.Option("--now", help="Also stop the devices that are being worked on.")] = False,
) -> None:
    """Stop a rollout: no new device starts; what runs is finished, or stopped too with --now. The people are told."""
    cli, house = enter(ctx)
    row = house.steer.cancel(occurrence, actor=cli.actor, reason=reason, at_once=now)
    _say(
        cli.json,
        row.id,
        str(row.state),
        f"{row.id} is {row.state}. "
        + ("Running devices are stopped." if now else "Running devices are finished, nothing new starts."),
    )


@pause_app.command()
def pause(ctx: typer.Context, occurrence: Wanted, reason: Reason = "") -> None:
    """Start no new device until resumed; the window goes on ticking."""
    cli, house = enter(ctx)
    row = house.steer.pause(occurrence, actor=cli.actor, reason=reason)
    _say(cli.json, row.id, str(row.state), f"{row.id} is paused: no new device starts. Go on with: deskside resume {row.id}")


@resume_app.command()
def resume(ctx: typer.Context, occurrence: Wanted) -> None:
    """Go on with a paused rollout."""
    cli, house = enter(ctx)
    row = house.steer.resume(occurrence, actor=cli.actor)
    _say(cli.json, row.id, str(row.state), f"{row.id} goes on.")


@defer_app.command()
def defer(
    ctx: typer.Context,
    device: Annotated[str, typer.Argument(help="Name of the device.")],
    until: Annotated[str, typer.Option("--until", metavar="INSTANT", help="Until when: 2026-12-11, fri, 2026-12-11T18:00.")],
    person: Annotated[str, typer.Option("--for", metavar="PERSON", help="On whose behalf (slug of people.yml).")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in a few words.")],
) -> None:
    """Postpone one device for a person, with a reason. Plans that have not started are made again without it."""
    from orchestrator.application.errors import NotFoundError
    from orchestrator.application.office import suggestion
    from orchestrator.entrypoints.cli._instants import instant, wall

    cli, house = enter(ctx)
    steer = house.steer  # who may not write the state is told before anything is asked
    if person not in house.facts.people:
        raise NotFoundError(f'nobody is called "{person}" in people.yml.{suggestion(person, house.facts.people)}')
    zone = house.facts.people[person].zone
    moment = instant(until, zone=zone, now=house.clock.now(), option="--until")
    known = sorted(house.inventory.load().devices)
    done = steer.defer(device, until=moment, person=person, reason=reason, actor=cli.actor, known=known)
    again = house.replan_future(cli.actor)
    if cli.json:
        print_json({"deferral": done, "planned_again": again})
        return
    print(f"{device} is postponed for {person} until {wall(done.until, zone)} {zone}: {done.reason}")
    for occurrence in again:
        print(f"planned again without it: {occurrence}")


@skip_app.command()
def skip(
    ctx: typer.Context, device: Annotated[str, typer.Argument(help="Name of the device.")], occurrence: Wanted = "next"
) -> None:
    """Leave one device out of one occurrence (default: the next), also while it runs, if it has not begun."""
    cli, house = enter(ctx)
    row = house.steer.skip(device, occurrence, actor=cli.actor)
    _say(cli.json, row.id, "skipped", f"{device} is left out of {row.id}.")


def _say(as_json: bool, occurrence: str, state: str, text: str) -> None:
    if as_json:
        print_json({"occurrence": occurrence, "state": state})
    else:
        print(text)
