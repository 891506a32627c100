"""`deskside patches`: what every device is missing, since when, and what is overdue."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.entrypoints.cli._house import enter
from orchestrator.entrypoints.cli._output import columns, print_json

app = typer.Typer()


@app.command()
def patches(
    ctx: typer.Context,
    device: Annotated[str | None, typer.Option("--device", help="Only this device, with its packages.")] = None,
    package: Annotated[str | None, typer.Option("--package", help="Only devices that miss this package.")] = None,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only devices whose oldest security fix is older than the limit.")
    ] = False,
) -> None:
    """Show per device what is pending, how old, and what waits for a restart. Asks no device: shows what was last seen."""
    from orchestrator.application.list_patches import list_patches

    cli, house = enter(ctx)
    now = house.clock.now()
    lines = list_patches(
        house.store_to_read, now=now, limit=house.facts.security_limit, device=device, package=package, overdue=overdue
    )
    if cli.json:
        print_json({"devices": lines})
        return
    rows = [
        (
            line.device,
            f"absent since {line.absent_since:%Y-%m-%d %H:%M}"
            if line.absent_since
            else f"{line.seen_at:%Y-%m-%d %H:%M}"
            if line.seen_at
            else "never",
            ", ".join(f"{count} {kind}" for kind, count in sorted(line.pending.items()))
            or ("up to date" if line.scanned else "not scanned yet"),
            "-" if line.oldest_security is None else f"{line.oldest_security:.0f} d{' OVERDUE' if line.overdue else ''}",
            f"since {line.reboot_pending_since:%Y-%m-%d}" if line.reboot_pending_since else "-",
            " ".join(line.held) or "-",
        )
        for line in lines
    ]
    if not rows:
        print("No device fits." if device or package or overdue else "No device was asked yet: deskside doctor asks them all.")
        return
    print("\n".join(columns([("device", "last seen (UTC)", "pending", "oldest security", "restart", "held"), *rows])))
    if device:
        for line in lines:
            print(
                "\n".join(
                    columns([(p.get("name"), p.get("from"), "→", p.get("to"), p.get("class")) for p in line.packages], indent="   ")
                )
            )
