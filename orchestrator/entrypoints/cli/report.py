"""`deskside report OCCURRENCE`: the breakfast report as page, PDF, CSV or JSON, from one set of facts."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.application.errors import BadInputError
from orchestrator.entrypoints.cli._house import enter
from orchestrator.entrypoints.cli._output import print_json

app = typer.Typer()


class Shape(StrEnum):
    """How the report is written."""

    TEXT = "text"
    HTML = "html"
    PDF = "pdf"
    CSV = "csv"
    JSON = "json"


@app.command()
def report(
    ctx: typer.Context,
    occurrence: Annotated[str, typer.Argument(help="Its id, a unique prefix, a window's name, or last.")] = "last",
    shape: Annotated[Shape, typer.Option("--format", help="text, html, pdf, csv or json.")] = Shape.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write here instead of standard output.")
    ] = None,
) -> None:
    """Write the report of an occurrence: who, what, when, which versions from → to, why not."""
    from orchestrator.adapters.render import JinjaReportRenderer
    from orchestrator.application.keep_time import report_of
    from orchestrator.application.steer_rollout import find_occurrence
    from orchestrator.entrypoints.cli._report_screen import report_lines

    cli, house = enter(ctx)
    store, now = house.store_to_read, house.clock.now()
    row = find_occurrence(store, occurrence, now=now)
    document = report_of(store, row, made_at=now)
    if document is None:
        raise BadInputError(f"{row.id} never had a plan: there is nothing to report")
    if cli.json or shape is Shape.JSON:
        if output is None:
            print_json(document)
            return
        import json

        content = (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
    else:
        renderer = JinjaReportRenderer()
        if shape is Shape.PDF and output is None and sys.stdout.isatty():
            raise BadInputError("a PDF does not belong on a terminal: add --output FILE")
        match shape:
            case Shape.HTML:
                content = renderer.html(document).encode()
            case Shape.PDF:
                content = renderer.pdf(document)
            case Shape.CSV:
                content = renderer.csv(document).encode()
            case _:
                content = ("\n".join(report_lines(document)) + "\n").encode()
    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise BadInputError(f"--output {output} cannot be written: {error.strerror}") from None
    print(output)
