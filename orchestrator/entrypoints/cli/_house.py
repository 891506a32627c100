"""From the shared options to the house: the one line with which a command begins."""

from __future__ import annotations

import typer

from orchestrator.bootstrap import House
from orchestrator.entrypoints.cli._context import Cli, cli_of


def enter(ctx: typer.Context) -> tuple[Cli, House]:
    """The shared options of this call, and the house they name; nothing heavy is imported yet."""
    cli = cli_of(ctx)
    house = House(office=cli.office, state=cli.state)
    ctx.call_on_close(house.close)
    return cli, house
