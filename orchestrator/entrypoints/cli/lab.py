"""`deskside lab up|down|status|shell|reset|fault`: the practice office. The lab itself is the package deskside_lab, not part of the product."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer

from orchestrator.application.errors import BadInputError, EnvironmentProblemError
from orchestrator.entrypoints.cli._context import cli_of
from orchestrator.entrypoints.cli._output import columns, console, print_json

app = typer.Typer(no_args_is_help=True, help="Start, stop and enter the practice office in containers.")
fault_app = typer.Typer(no_args_is_help=True, help="Let something go wrong on a device, and put it right again.")
app.add_typer(fault_app, name="fault")

Name = Annotated[str | None, typer.Option("--name", metavar="LAB", help="Which lab. Default: $DESKSIDE_LAB, else office.")]
Device = Annotated[str, typer.Argument(help="Name of a device of the lab.")]
STATE_STYLES = {"running": "green", "exited": "dim", "paused": "yellow", "missing": "red"}


@contextmanager
def _lab(name: str | None, *, quiet: bool = False) -> Iterator[Any]:
    """The lab; what it refuses becomes a refusal of deskside."""
    try:
        package = import_module("deskside_lab")
    except ModuleNotFoundError as error:
        raise EnvironmentProblemError(
            "the lab is not installed: deskside_lab cannot be imported; install the wheel or run `make ready`"
        ) from error
    asked_wrong = import_module("deskside_lab.errors").AskedWrongError
    try:
        yield package.Lab(name, say=(lambda _line: None) if quiet else print)
    except asked_wrong as error:
        raise BadInputError(str(error)) from error
    except package.LabError as error:
        raise EnvironmentProblemError(str(error)) from error


@app.command()
def up(
    ctx: typer.Context,
    *,
    name: Name = None,
    profile: Annotated[str, typer.Option(help="test (own packages only), demo (real security updates) or molecule.")] = "demo",
    devices: Annotated[str | None, typer.Option(help="Only these, separated by commas.")] = None,
    platform: Annotated[str, typer.Option(help="debian12 or debian13.")] = "debian12",
    pairs: Annotated[int, typer.Option(min=1, max=4, help="Pairs of instances for Molecule.")] = 1,
) -> None:
    """Build what is missing and start it; goes on where it was interrupted."""
    cli = cli_of(ctx)
    names = [word.strip() for word in devices.split(",") if word.strip()] if devices is not None else None
    with _lab(name, quiet=cli.json) as lab:
        lab.up(profile, names, platform=platform, pairs=pairs)
        facts = {"lab": lab.name, "office": lab.inventory_dir, "ssh_config": lab.ssh_config, "devices": list(lab.devices)}
    if cli.json:
        print_json(facts)
    else:
        print(
            f"office directory: {facts['office']}\nssh:              ssh -F {facts['ssh_config']} DEVICE, or deskside lab shell DEVICE"
        )


@app.command()
def down(ctx: typer.Context, name: Name = None) -> None:
    """Remove the lab: containers, network, processes, state. Images stay. Safe to run twice."""
    with _lab(name) as lab:
        lab.down()
        if cli_of(ctx).json:
            print_json({"lab": lab.name, "up": False})
        else:
            print(f"lab {lab.name} is gone")


@app.command()
def status(ctx: typer.Context, name: Name = None) -> None:
    """Show every device: address, state, whether a login works, what it is, what is wrong with it."""
    with _lab(name) as lab:
        rows, faults = lab.status(), lab.active_faults()
        title = f"lab {lab.name} · {lab.memory.profile} · {lab.memory.prefix}0/24"
    wrong = {row.device: [fault for fault, device in faults if device == row.device] for row in rows}
    if cli_of(ctx).json:
        fields = ("device", "address", "state", "ssh", "role", "login")
        print_json([{**{field: getattr(row, field) for field in fields}, "faults": wrong[row.device]} for row in rows])
        return
    _table(title, rows, wrong)


def _table(title: str, rows: Any, wrong: dict[str, list[str]]) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for heading in ("device", "address", "state", "ssh", "login", "role", "faults"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        style = STATE_STYLES.get(row.state, "yellow")
        shown = f"[{style}]{row.state}[/]"
        table.add_row(
            row.device, row.address, shown, "[green]ok[/]" if row.ssh else "no", row.login, row.role, ", ".join(wrong[row.device])
        )
    console().print(table)


@app.command()
def shell(device: Device, name: Name = None) -> None:
    """Log in to a device, as Ansible does."""
    with _lab(name) as lab:
        lab.address(device)
        os.execvp("ssh", ["ssh", "-F", str(lab.ssh_config), device])  # noqa: S606  a terminal must be ssh's own


@app.command()
def reset(
    devices: Annotated[list[str] | None, typer.Argument(help="Which devices; all when none is named.")] = None, name: Name = None
) -> None:
    """Give devices a fresh system in seconds; they keep address and identity."""
    with _lab(name) as lab:
        lab.reset(devices or None)


@fault_app.command("list")
def list_faults(ctx: typer.Context, name: Name = None) -> None:
    """List what can go wrong, and what is wrong now."""
    known = import_module("deskside_lab.faults").FAULTS
    with _lab(name) as lab:
        active = lab.active_faults()
    if cli_of(ctx).json:
        print_json({"faults": {fault: known[fault].text for fault in known}, "active": active})
        return
    for line in columns([("fault", "what happens"), *((fault, known[fault].text) for fault in known)]):
        print(line)
    for fault, device in active:
        print(f" now: {fault}{f' on {device}' if device else ''}")


@fault_app.command("set")
def set_fault(
    fault: Annotated[str, typer.Argument(help="One of `deskside lab fault list`.")],
    device: Annotated[str | None, typer.Argument(help="The device; none for mirror-down.")] = None,
    options: Annotated[list[str] | None, typer.Option("--with", metavar="KEY=VALUE", help="An option of the fault.")] = None,
    name: Name = None,
) -> None:
    """Let something go wrong."""
    with _lab(name) as lab:
        lab.begin_fault(fault, device, **dict(_option(text) for text in options or ()))


def _option(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise BadInputError(f"--with {text}: not KEY=VALUE; `deskside lab fault list` names the keys")
    return key, value


@fault_app.command("clear")
def clear_fault(
    fault: Annotated[str | None, typer.Argument(help="Which; all that were set when none is named.")] = None,
    device: Annotated[str | None, typer.Argument(help="The device.")] = None,
    name: Name = None,
) -> None:
    """Put it right again."""
    with _lab(name) as lab:
        for found, where in [(fault, device)] if fault else reversed(lab.active_faults()):
            lab.undo_fault(found, where or None)
