"""`deskside run-playbook ANY.yml …`: any playbook under the same locks, containment and record; exits with Ansible's rc."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

from orchestrator.application.errors import BadInputError
from orchestrator.entrypoints.cli._house import enter
from orchestrator.entrypoints.cli._output import print_json

app = typer.Typer()

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False})
def run_playbook(
    ctx: typer.Context,
    playbook: Annotated[str, typer.Argument(help="A playbook of the collection, or a path.")],
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[ANSIBLE OPTIONS]", help="ansible-playbook's own options, by their own names.")
    ] = None,
    wait: Annotated[
        str,
        typer.Option(
            "--wait", metavar="SPAN", help="Wait so long for devices that somebody else works on, e.g. 30m. Before PLAYBOOK."
        ),
    ] = "0s",
) -> int:
    """Run any playbook under the same locks and record as the night's work. Exits with Ansible's own code."""
    from orchestrator.adapters.runner.command_line import TargetLister, validate_options

    cli, house = enter(ctx)
    given = validate_options([*(options or []), *ctx.args], interactive=sys.stdin.isatty())
    if given.playbooks:
        raise BadInputError(f"one playbook at a time: run {', '.join(given.playbooks)} afterwards, or import them in one file")
    lister = TargetLister(house.office_root, house.office.sources)
    hosts = lister.list_hosts(playbook, given.options, limit=given.limit)
    if given.listing:
        if cli.json:
            print_json({"hosts": hosts})
        else:
            print("\n".join(hosts))
        return 0
    done = house.run_playbook(
        playbook, hosts, options=given.options, actor=cli.actor, wait=_span(wait), echo=None if cli.json else _echo
    )
    if cli.json:
        print_json({"rc": done.rc, "hosts": done.hosts, "waves": done.waves, "artifacts": done.artifacts})
    return done.rc


def _span(text: str) -> float:
    found = re.fullmatch(r"(\d+)([smh])", text.strip())
    if not found:
        raise BadInputError(f'--wait "{text}" is not a span of time. Write 30s, 10m or 1h.')
    return int(found[1]) * UNITS[found[2]]


def _echo(line: str) -> None:
    print(line, flush=True)
