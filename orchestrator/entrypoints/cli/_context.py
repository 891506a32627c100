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
        office: ``--office``; ``None`` leaves it to ``config.paths.find_office``: $DESKSIDE_OFFICE, else the nearest parent that is one.
        state: ``--state``; ``None`` leaves it to ``config.paths.find_state``.
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
    """What holds before any option was read."""
    return Cli(office=None, state=None, json=False, actor=current_actor())


def cli_of(ctx: typer.Context) -> Cli:
    """The shared options of this call; the one line with which a command starts."""
    return ctx.obj if isinstance(ctx.obj, Cli) else fresh()
