"""The check between rings (window contract 8). Doubt is red: no evidence never opens the next ring."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction

from orchestrator.domain.outcome import Outcome
from orchestrator.domain.verdict import Allow, Deny, Verdict
from orchestrator.domain.window import Gate

TAKEN_OUT = frozenset({Outcome.SKIPPED, Outcome.DEFERRED})
"""Left the ring by somebody's decision: neither for nor against it."""


def judge(gate: Gate, outcomes: Mapping[str, Outcome], probes: Mapping[str, str]) -> Verdict:
    """Decide whether the next ring may start.

    Args:
        gate: What is asked for.
        outcomes: Device → outcome, every device of the ring. Lost after we touched it is already ``failed`` here.
        probes: What was asked → empty text when healthy, else why not. Each probe of the gate is answered under its own text,
            alone (``http http://x``) or with the place (``http http://x on ws-ada``); one without an answer is red.

    Returns:
        ``Allow``, or ``Deny`` with the rule that failed first and all reasons.
    """
    refusals = list(_refusals(gate, outcomes, probes))
    if not refusals:
        return Allow()
    return Deny(rule=refusals[0][0], reason="; ".join(reason for _, reason in refusals))


def _refusals(gate: Gate, outcomes: Mapping[str, Outcome], probes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    expected = [device for device, outcome in outcomes.items() if outcome not in TAKEN_OUT]
    good = [device for device in expected if outcomes[device].good]
    bad = [device for device in expected if outcomes[device].bad]
    if not expected:
        yield "empty-ring", _empty(len(outcomes))
        return
    yield from _presence(gate, len(good) + len(bad), len(expected))
    yield from _failures(gate, len(good), bad)
    yield from _health(gate, probes)


def _empty(taken_out: int) -> str:
    if taken_out:
        return f"all {taken_out} devices of the ring were skipped or deferred: that proves nothing"
    return "the ring is empty: that proves nothing"


def _presence(gate: Gate, present: int, expected: int) -> Iterator[tuple[str, str]]:
    """At least one device, however small the share: nobody home is no success."""
    needed = max(1, math.ceil(gate.present_at_least * expected))
    if present < needed:
        yield "too-few-present", f"only {present} of {expected} devices were there and done, {needed} are needed"


def _failures(gate: Gate, good: int, bad: list[str]) -> Iterator[tuple[str, str]]:
    present = good + len(bad)
    names = ", ".join(bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
    if gate.failed_at_most is not None and len(bad) > gate.failed_at_most:
        yield "too-many-failed", f"{len(bad)} devices failed ({names}), at most {gate.failed_at_most} may"
    if present and Fraction(good, present) < gate.ok:
        yield "share-too-low", f"{good} of {present} present devices are ok, {_percent(gate.ok)} are needed (failed: {names})"


def _health(gate: Gate, probes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for asked, reason in probes.items():
        if reason:
            yield "probe-red", f"{asked}: {reason}"
    for probe in gate.probes:
        if not any(asked == str(probe) or asked.startswith(f"{probe} ") for asked in probes):
            yield "probe-unanswered", f"{probe}: not answered"


def _percent(share: Fraction) -> str:
    return f"{float(share * 100):g} %"
