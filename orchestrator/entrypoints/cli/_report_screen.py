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
    told = [(t.get("name") or t.get("person"), t.get("kind"), t.get("state")) for t in document.get("told", ())]
    lines += ["", *columns(told)] if told else []
    return lines
