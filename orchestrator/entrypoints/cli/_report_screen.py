"""The report on a terminal: headline, failures first, devices, people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.entrypoints.cli._output import columns


def report_lines(document: Mapping[str, Any]) -> list[str]:
    """A short form of the report document (docs/reference/report.md)."""
    lines = [str(document["headline"]), ""]
    for failure in document.get("failures", ()):
        lines.append(f" ✗ {failure['device']}: {failure.get('outcome', '')}: {failure.get('reason', '')}")
        lines += [f"      {line}" for line in failure.get("lines", ())[-5:]]
    changes = [(c["device"], c["package"], c["from"] or "(new)", "→", c["to"]) for c in document.get("changes", ())]
    lines += ["", *columns(changes)] if changes else []
    told = [
        (person["name"], ", ".join(f"{n['kind']} {n['state']}" for n in person["notices"]) or "nothing")
        for person in document.get("people", ())
    ]
    lines += ["", *columns(told)] if told else []
    doubts = [(row["person"], row["kind"], row["ambiguous"], row["detail"]) for row in document.get("ambiguous", ())]
    lines += ["", " in doubt", *columns(doubts, indent="   ")] if doubts else []
    return lines
