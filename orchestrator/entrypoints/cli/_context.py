"""What every command gets: the office, the state directory, the way to print, and who asks."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from pathlib import Path

import typer

from orchestrator.application.ports import Actor


@dataclass(frozen=True, slots=True)
class Cli:
    """The options that mean the same everywhere; a command reads it with :func:`cli_of`.

    Attributes:
        office: ``--office`` or ``$DESKSIDE_OFFICE``; ``None`` means the nearest parent directory with a maintenance.yml.
        state: ``--state`` or ``$DESKSIDE_STATE``; ``None`` means the standard place.
        json: Print one JSON document instead of text.
        actor: Who asks: behind sudo the person who called it, not root.
    """

    office: Path | None
    state: Path | None
    json: bool
    actor: Actor


def current_actor() -> Actor:
    """The person at the keyboard; ``sudo``'s caller when there is one."""
    name = os.environ.get("SUDO_USER") or _login_name()
    return Actor(name=name, via="cli")


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return f"uid-{os.getuid()}"


def fresh() -> Cli:
    """What holds before any option was read: the environment."""
    return Cli(office=_path("DESKSIDE_OFFICE"), state=_path("DESKSIDE_STATE"), json=False, actor=current_actor())


def _path(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None


def cli_of(ctx: typer.Context) -> Cli:
    """The shared options of this call; the one line with which a command starts."""
    return ctx.obj if isinstance(ctx.obj, Cli) else fresh()
