"""The root group: it knows every command by name and one line, and imports only the one that was asked for."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import typer
import typer.core
import typer.main

from orchestrator.entrypoints.cli._options import add_shared
from orchestrator.entrypoints.cli._table import COMMANDS, Entry


def load(name: str) -> Any:
    """Import one command of the table and let typer build it.

    Args:
        name: A key of the table.

    Returns:
        The typer command or group, with the shared options.
    """
    entry = COMMANDS[name]
    app = getattr(import_module(entry.module), entry.attribute)
    app._add_completion = False  # noqa: SLF001 - typer has no public switch after construction; only the root completes
    app.rich_markup_mode = None  # plain help starts three times faster
    command: Any = typer.main.get_group(app) if entry.group else typer.main.get_command(app)
    command.name = name
    return add_shared(command)


def _stub(name: str, entry: Entry) -> typer.core.TyperCommand:
    return typer.core.TyperCommand(name, help=entry.help, short_help=entry.help, rich_markup_mode=None)


class LazyGroup(typer.core.TyperGroup):
    """``deskside``: help and completion come from the table, work from the module."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the table's order, without those this version does not have."""
        del ctx
        return [name for name, entry in COMMANDS.items() if entry.present()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in with the name and the line of help; see ``resolve_command`` for the real one."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        return _stub(cmd_name, entry) if entry and entry.present() else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command, imported now."""
        name = args[0]
        known = self.list_commands(ctx)
        if name in known:
            return name, load(name), args[1:]
        if ctx.resilient_parsing:
            return None, None, args[1:]
        near = get_close_matches(name, known, n=1)
        ctx.fail(f'There is no command "{name}". ' + (f'Did you mean "{near[0]}"?' if near else "deskside --help lists them."))
        return None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands under their headings, in the order of a patch night."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            panels.setdefault(COMMANDS[name].panel, []).append((name, COMMANDS[name].help))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)
