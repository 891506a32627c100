"""`deskside init`: an office directory around an inventory that exists."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.entrypoints.cli._context import cli_of
from orchestrator.entrypoints.cli._output import print_json

app = typer.Typer(help="Write an office directory around an inventory that exists.")

INVENTORY_HELP = "Your inventory: a file, a directory, a script or a plugin's file. Default: the usual file here. It is only read."


@app.command()
def init(
    ctx: typer.Context,
    inventory: Annotated[Path | None, typer.Option("--inventory", "-i", metavar="PATH", help=INVENTORY_HELP)] = None,
) -> None:
    """Write maintenance.yml and people.yml, commented and usable as they are, into --office (default: here)."""
    from datetime import UTC, datetime

    from orchestrator.adapters.inventory import AnsibleInventory
    from orchestrator.application.init_office import office_files, propose
    from orchestrator.config.office import load_office
    from orchestrator.config.writing import inventory_for, local_zone, refuse_early, source_text, write_new

    cli = cli_of(ctx)
    cwd = Path.cwd()
    office = Path(os.path.normpath(cwd / (cli.office or cwd)))
    found = inventory_for(inventory, office, cwd)
    refuse_early(office, found, ("maintenance.yml", "people.yml"))
    office_exists = office.is_dir()
    snapshot = AnsibleInventory(office if office_exists else found.parent, [str(found)]).load()
    proposal = propose(snapshot)
    files = office_files(proposal, sources=[source_text(found, office)], zone=local_zone(), today=datetime.now(tz=UTC).date())
    written = write_new(office, files)
    load_office(office)
    commands = _next(office, cwd)
    if cli.json:
        print_json(
            {"office": str(office), "written": [str(path) for path in written], "devices": proposal.devices, "next": commands}
        )
        return
    print(f"{found}: {proposal.devices} devices; nothing in it was changed.")
    for path in written:
        print(f" written  {path}")
    for warning in snapshot.warnings:
        print(f" Ansible warns: {warning}")
    if _settings_elsewhere(found, office):
        print(f" {found.parent / 'ansible.cfg'} holds only for runs from there: copy it to {office} if deskside shall use it")
    print("Next:")
    for command in commands:
        print(f"  {command}")


def _settings_elsewhere(inventory: Path, office: Path) -> bool:
    return (inventory.parent / "ansible.cfg").is_file() and not (office / "ansible.cfg").exists()


def _next(office: Path, cwd: Path) -> list[str]:
    where = "" if office == cwd or office in cwd.parents else f" --office {shlex.quote(os.path.relpath(office, cwd))}"
    return [f"deskside plan patch-night{where}", f'deskside run patch-night{where} --emergency --reason "first try"']
