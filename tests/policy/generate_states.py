"""Write docs/reference/states.md from the tables that the code obeys; ``--check`` says whether it is up to date."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from orchestrator.domain.outcome import MOVES, ROLLOUT_MOVES, DeviceState, Outcome, RolloutState

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "states.md"
COMMAND = "python -m tests.policy.generate_states"
HEAD = """# States and outcomes

<!-- Generated from orchestrator/domain/outcome.py by tests/policy/generate_states.py. Do not edit. -->

One table per kind of thing says which state may follow which; any other move raises. A state that may follow itself is one
that a restarted worker enters again.
"""


def diagram(moves: Mapping[StrEnum, frozenset[StrEnum]], first: StrEnum) -> str:
    """Draw one table as a Mermaid state diagram, in the order of the states."""
    order = list(moves)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {_name(first)}"]
    for state, following in moves.items():
        lines += [f"    {_name(state)} --> {_name(then)}" for then in sorted(following, key=order.index)]
        lines += [] if following else [f"    {_name(state)} --> [*]"]
    return "\n".join([*lines, "```"])


def outcomes() -> str:
    """List the outcomes with what a gate and the next plan make of them."""
    rows = [f"| `{outcome}` | {_weight(outcome)} | {'first' if outcome.leads_next else ''} |" for outcome in Outcome]
    return "\n".join(["| outcome | for a gate | in the next plan |", "| --- | --- | --- |", *rows])


def page() -> str:
    """Return the whole page."""
    return "\n".join(
        [
            HEAD,
            "## A device in a running occurrence\n",
            diagram(MOVES, DeviceState.PLANNED),
            "\n## An occurrence\n",
            diagram(ROLLOUT_MOVES, RolloutState.PLANNED),
            "\n## What can happen to a device\n",
            outcomes(),
            "",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or with ``--check`` compare. Returns 1 when it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when the page is out of date")
    if not parser.parse_args(arguments).check:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{PAGE.name} is not what the tables say: run {COMMAND}")
    return 1


def _name(state: StrEnum) -> str:
    return state.value.replace("-", "_")


def _weight(outcome: Outcome) -> str:
    if outcome.good:
        return "good"
    return "bad" if outcome.bad else "outside the share"


if __name__ == "__main__":
    raise SystemExit(main())
