"""``--office``, ``--state`` and ``--json``: declared once, given to every command, accepted before and after its name."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from orchestrator.entrypoints.cli._complete import offer
from orchestrator.entrypoints.cli._context import cli_of

SHARED = ("office", "state", "json")


def _set(ctx: typer.Context, **changes: object) -> None:
    given = {name: value for name, value in changes.items() if value}
    if given:
        ctx.obj = replace(cli_of(ctx), **given)  # type: ignore[arg-type]


def _office(ctx: typer.Context, value: Path | None) -> Path | None:
    _set(ctx, office=value)
    return value


def _state(ctx: typer.Context, value: Path | None) -> Path | None:
    _set(ctx, state=value)
    return value


def _json(ctx: typer.Context, value: bool) -> bool:
    _set(ctx, json=value)
    return value


OFFICE_HELP = "The office directory. Default: $DESKSIDE_OFFICE, else the nearest parent with a maintenance.yml."
STATE_HELP = "The state directory. Default: $DESKSIDE_STATE, else /var/lib/deskside (service) or your own state home."


def _declare(
    *,
    _a: Annotated[
        Path | None, typer.Option("--office", callback=_office, expose_value=False, metavar="DIR", help=OFFICE_HELP)
    ] = None,
    _b: Annotated[Path | None, typer.Option("--state", callback=_state, expose_value=False, metavar="DIR", help=STATE_HELP)] = None,
    _c: Annotated[bool, typer.Option("--json", callback=_json, expose_value=False, help="Print one JSON document.")] = False,
) -> None:
    """Carries the declarations; never called."""


@cache
def _shared() -> tuple[Any, ...]:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(_declare)
    return tuple(typer.main.get_command(app).params)


def add_shared(command: Any) -> Any:
    """Give a command and all commands below it the shared options it does not declare itself, and names to complete.

    Args:
        command: A command or group that typer has built.

    Returns:
        The same command.
    """
    children = list(command.commands.values()) if isinstance(command, typer.core.TyperGroup) else []
    for child in children:
        add_shared(child)
    for param in command.params:
        offer(param)
    if not children:  # a leaf, or the root, which learns its commands later
        taken = {option for param in command.params for option in param.opts}
        command.params.extend(param for param in _shared() if not taken & set(param.opts))
    return command
