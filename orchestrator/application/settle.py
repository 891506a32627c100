"""What the evidence says happened to one device. Pure: the run's result and a probe go in, one outcome with its reason comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.application.ports import HostResult, ProbeResult
from orchestrator.domain.outcome import Outcome
from orchestrator.domain.window import RebootPolicy

LAST_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One step's outcome on one device. ``final`` False: go on with the next step."""

    outcome: Outcome
    reason: str = ""
    lines: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """A device that fails a step skips the rest."""
        return not self.outcome.good


def from_result(result: HostResult, policy: RebootPolicy) -> Finding:
    """Judge a host that the run itself reports on, and that answered to its end."""
    data = dict(result.data)
    lines = tuple(data.get("lines") or result.lines)[-LAST_LINES:]
    state = data.get("state")
    if not result.ok or state in {"failed", "refused"}:
        return Finding(
            outcome=Outcome.FAILED,
            reason=str(data.get("reason") or result.reason or "failed without a reason"),
            lines=lines,
            detail=data,
        )
    if data.get("reboot_required") and not data.get("rebooted"):
        why = str(data.get("reason") or _no_restart(policy))
        return Finding(outcome=Outcome.REBOOT_PENDING, reason=why, lines=lines, detail=data)
    changed = result.changed or bool(data.get("packages")) or bool(data.get("rebooted"))
    return Finding(outcome=Outcome.CHANGED if changed else Outcome.OK, lines=lines, detail=data)


def from_guard(record: Mapping[str, Any], policy: RebootPolicy) -> Finding | None:
    """Judge by what the device itself wrote down; ``None`` when it does not say how it ended.

    A guard that is done but still owes a restart does not settle the device: the run goes on with the restart.
    """
    if record.get("state") not in {"done", "failed"}:
        return None
    data = dict(record.get("result") or {})
    restart = record.get("reboot") or {}
    if data.get("reboot_required") and not data.get("rebooted"):
        if not restart.get("after"):
            return None
        data["rebooted"] = restart
    host = HostResult(
        host="",
        ok=record["state"] == "done",
        changed=bool(data.get("packages")),
        unreachable=False,
        touched=True,
        reason=str(data.get("reason") or ""),
        data=data,
    )
    return from_result(host, policy)


def from_probe(step: str, probe: ProbeResult, policy: RebootPolicy, *, why: str) -> Finding:
    """Judge a device whose run did not tell its end (cancelled, timed out, connection lost, worker killed).

    Args:
        step: The work step whose guard record counts.
        probe: What the device says now.
        policy: The step's reboot policy.
        why: How the run ended, for the reason text.
    """
    if not probe.reachable:
        return Finding(outcome=Outcome.UNKNOWN, reason=f"{why}; it does not answer since ({probe.error or 'no reason given'})")
    record = (probe.guard or {}).get(step)
    if record:
        found = from_guard(record, policy)
        if found is not None:
            return found
        if record.get("state") == "done":
            return Finding(
                outcome=Outcome.REBOOT_PENDING,
                reason=f"{why}; installed, the restart has not happened",
                detail=dict(record.get("result") or {}),
            )
    if probe.unit_active:
        return Finding(outcome=Outcome.UNKNOWN, reason=f"{why}; the work still runs on the device")
    if record and record.get("state") == "applying":
        return Finding(outcome=Outcome.UNKNOWN, reason=f"{why}; the work on the device was interrupted ({_packages(probe)})")
    return Finding(outcome=Outcome.FAILED, reason=f"{why}; nothing was changed on the device")


def merge(earlier: Finding | None, later: Finding) -> Finding:
    """Two steps of one device: packages add up, a change stays a change, the later reason counts."""
    if earlier is None:
        return later
    detail = {**earlier.detail, **later.detail}
    for key in ("packages", "warnings", "services"):
        joined = [*earlier.detail.get(key, ()), *later.detail.get(key, ())]
        if joined:
            detail[key] = joined
    outcome = later.outcome
    if later.outcome is Outcome.OK and earlier.outcome is Outcome.CHANGED:
        outcome = Outcome.CHANGED
    return Finding(outcome=outcome, reason=later.reason or earlier.reason, lines=later.lines or earlier.lines, detail=detail)


def _no_restart(policy: RebootPolicy) -> str:
    return (
        "a restart is needed; the window says reboot: never"
        if policy is RebootPolicy.NEVER
        else "a restart is needed and has not happened"
    )


def _packages(probe: ProbeResult) -> str:
    return "dpkg is clean" if str(probe.facts.get("dpkg", "0")) == "0" else "packages are half installed"
