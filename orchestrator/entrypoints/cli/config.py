"""`deskside config check|schema|sample|show`: the files of the office directory."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.entrypoints.cli._context import cli_of
from orchestrator.entrypoints.cli._output import print_json

if TYPE_CHECKING:
    from orchestrator.application.ports import InventorySource
    from orchestrator.config.office import Reading

app = typer.Typer(no_args_is_help=True, help="Check the office directory; print its schema or a sample.")

FILE_HELP = "Which file: maintenance.yml or people.yml."


def _root(ctx: typer.Context) -> Path:
    from orchestrator.config.paths import find_office

    return find_office(cli_of(ctx).office, os.environ, Path.cwd())


def _inventory(reading: Reading) -> InventorySource:
    from orchestrator.adapters.inventory import AnsibleInventory

    return AnsibleInventory(reading.root, reading.sources, reading.office.sites if reading.office else {})


def _file(name: str) -> Any:
    from orchestrator.application.errors import BadInputError
    from orchestrator.config.described import OfficeFile

    try:
        return OfficeFile(name)
    except ValueError:
        raise BadInputError(f'"{name}" is not a file of an office directory. Known: {", ".join(OfficeFile)}.') from None


@app.command("check")
def check(ctx: typer.Context) -> None:
    """Name everything that is wrong in the files.

    Reads every file and the inventory; each problem comes with its place and its remedy, all of them at once.
    """
    from orchestrator.adapters.runner.specs import playbook_spec
    from orchestrator.config.examine import examine

    root = _root(ctx)
    found = examine(root, _inventory, partial(playbook_spec, cwd=root, office=root))
    office, devices = found.office, len(found.snapshot.devices)
    if cli_of(ctx).json:
        print_json(
            {
                "office": str(root),
                "ok": True,
                "windows": sorted(office.windows),
                "devices": devices,
                "people": len(office.people),
                "warnings": list(found.warnings),
                "missing": list(found.missing),
            }
        )
        return
    print(
        f"{root}: {_count(len(office.windows), 'window')}, {_count(devices, 'device')}, {_count(len(office.people), 'person', 'people')}: no errors."
    )
    for line in [*(f"Ansible warns: {warning}" for warning in found.warnings), *found.missing]:
        print(f" {line}")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


@app.command("schema")
def schema(
    *,
    file: Annotated[str, typer.Argument(help=FILE_HELP)] = "maintenance.yml",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the reference page of all files instead.")] = False,
) -> None:
    """Print the JSON Schema of a file.

    Editors that know it complete and check while one types.
    """
    from orchestrator.config.described import json_schema, reference

    if markdown:
        print(reference(), end="")
    else:
        print_json(json_schema(_file(file)))


@app.command("sample")
def sample(ctx: typer.Context, file: Annotated[str, typer.Argument(help=FILE_HELP)] = "maintenance.yml") -> None:
    """Print a complete, commented file that loads as it is."""
    from orchestrator.config.described import sample as sample_text

    chosen = _file(file)
    if cli_of(ctx).json:
        print_json({"file": chosen.value, "text": sample_text(chosen)})
    else:
        print(sample_text(chosen), end="")


@app.command("show")
def show(ctx: typer.Context) -> None:
    """Print the settings as they were understood.

    Every default is filled in; secrets are stars.
    """
    from orchestrator.config.examine import as_document
    from orchestrator.config.office import load_office

    document = as_document(load_office(_root(ctx)))
    del document["references"]
    if cli_of(ctx).json:
        print_json(document)
        return
    import yaml

    print(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110), end="")
