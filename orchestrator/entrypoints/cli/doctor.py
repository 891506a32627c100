"""`deskside doctor`: would tonight work?"""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.entrypoints.cli._house import enter
from orchestrator.entrypoints.cli._output import columns, print_json

app = typer.Typer()


@app.command()
def doctor(
    ctx: typer.Context,
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="Devices, as in --limit; or the name of a window.")] = "all",
) -> int:
    """Check every device, the mail and this machine before the window. Changes nothing. Exit 21 when something is not ready."""
    from orchestrator.application.errors import RefusedError, WorkFailedError

    cli, house = enter(ctx)
    wanted = house.facts.windows[pattern].devices if pattern in house.facts.windows else pattern
    devices = list(house.inventory.load([wanted]).matches[wanted])
    if not devices:
        raise RefusedError(f'"{wanted}" matches no device of the inventory')
    result = house.readiness(devices)
    if cli.json:
        print_json({"headline": result.headline, "devices": result.devices, "house": result.house})
    else:
        rows = [
            ("✓" if check.ready else "✗", check.device, "; ".join(check.why) or _facts(check.facts)) for check in result.devices
        ]
        print("\n".join(columns(rows)))
        print()
        print("\n".join(columns([("✗" if check.why else "✓", check.name, check.why or check.detail) for check in result.house])))
    if all(check.ready for check in result.devices) and not any(check.why for check in result.house):
        return 0
    if cli.json:
        return WorkFailedError.exit_code
    troubles = sum(bool(check.why) for check in result.house)
    raise WorkFailedError(f"{result.headline}" + (f"; {troubles} of this machine's checks failed" if troubles else ""))


def _facts(facts: object) -> str:
    get = getattr(facts, "get", lambda _key: None)
    pending = get("pending_count")
    return "ready" + (f" · {pending} pending" if pending else "")
