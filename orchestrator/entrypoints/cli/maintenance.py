"""`deskside maintenance list|show|next`: which windows there are and when they open."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from orchestrator.entrypoints.cli._house import enter
from orchestrator.entrypoints.cli._output import columns, print_json

app = typer.Typer(no_args_is_help=True, help="List, show and foresee maintenance windows.")


@app.command("list")
def list_windows(ctx: typer.Context) -> None:
    """List every window with its next opening, and those whose rule is broken."""
    from orchestrator.domain.occurrences import next_opening, occurrence_at

    cli, house = enter(ctx)
    now, facts = house.clock.now(), house.facts
    rows = []
    for window in facts.windows.values():
        open_now = occurrence_at(window, facts.zones, now)
        upcoming = open_now or next_opening(window, facts.zones, facts.freezes, now)
        rows.append(
            {
                "window": window.name,
                "title": window.title,
                "devices": window.devices,
                "open": open_now is not None,
                "next": upcoming.wall if upcoming else None,
                "starts_at": upcoming.starts_at if upcoming else None,
            }
        )
    if cli.json:
        print_json({"windows": rows, "disabled": [str(problem) for problem in house.office.disabled]})
        return
    for line in columns(
        [
            ("window", "title", "devices", "opens"),
            *[(r["window"], r["title"], r["devices"], "open now" if r["open"] else r["next"] or "never again") for r in rows],
        ]
    ):
        print(line)
    for problem in house.office.disabled:
        print(f" disabled: {problem}")


@app.command("show")
def show(ctx: typer.Context, window: Annotated[str, typer.Argument(help="Name of a maintenance window.")]) -> None:
    """Show one window as it was understood, with defaults filled in."""
    from dataclasses import asdict

    from orchestrator.entrypoints.cli._plan_screen import gate_text

    cli, house = enter(ctx)
    spec = house.facts.window(window)
    if cli.json:
        print_json(asdict(spec))
        return
    rows = [
        ("title", spec.title),
        ("devices", spec.devices),
        ("zone", spec.zone),
        ("lasts", spec.lasts),
        ("cutoff", f"{spec.cutoff} before the end"),
        *[
            (
                "starts",
                f"{rule.rrule} at {rule.at:%H:%M}"
                + (f", {rule.plus_days:+d} days" if rule.plus_days else "")
                + f", DST: {rule.dst}",
            )
            for rule in spec.starts
        ],
        *[("work", f"{step.playbook} {dict(step.vars) or ''} reboot {step.reboot}") for step in spec.work],
        *[
            (
                f"ring {ring.name}",
                f"{ring.devices or ('the rest' if ring.rest else f'{float(ring.share or 0) * 100:g} %')} · {gate_text(ring.gate)}",
            )
            for ring in spec.rings
        ],
        ("one at a time", ", ".join(spec.one_at_a_time) or "-"),
        ("stay up", ", ".join(f"{k}: {v}" for k, v in spec.stay_up.items()) or "-"),
        ("written in", spec.source),
    ]
    print("\n".join(columns(rows)))


@app.command("next")
def upcoming(
    ctx: typer.Context,
    window: Annotated[str | None, typer.Argument(help="Only this window.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=1500, help="How far ahead.")] = 60,
) -> None:
    """Foresee the coming openings, with what daylight saving time and freezes do to them."""
    from orchestrator.domain.freezes import frozen
    from orchestrator.domain.occurrences import occurrences
    from orchestrator.domain.verdict import Deny

    cli, house = enter(ctx)
    now, facts = house.clock.now(), house.facts
    chosen = [facts.window(window)] if window else list(facts.windows.values())
    found = [
        occurrence
        for spec in chosen
        for occurrence in occurrences(spec, sites=facts.zones, after=now - spec.lasts, before=now + timedelta(days=days))
        if occurrence.ends_at > now
    ]
    rows = []
    for occurrence in sorted(found, key=lambda one: one.starts_at):
        verdict = frozen(facts.freezes, occurrence)
        rows.append(
            {
                "id": occurrence.id,
                "starts_at": occurrence.starts_at,
                "ends_at": occurrence.ends_at,
                "wall": occurrence.wall,
                "note": verdict.reason if isinstance(verdict, Deny) else occurrence.note,
            }
        )
    if cli.json:
        print_json({"occurrences": rows})
    elif rows:
        print("\n".join(columns([(r["id"], r["wall"], r["note"]) for r in rows])))
    else:
        print(f"Nothing opens within {days} days.")
