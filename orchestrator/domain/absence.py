"""Absent is not forgotten (window contract 4): who counts as absent, who can be woken, how long we wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from orchestrator.domain.device import Device
from orchestrator.domain.outcome import Outcome
from orchestrator.domain.verdict import Allow, Deny, Verdict


def silent(*, touched: bool) -> Outcome:
    """Return what a device that does not answer is: absent before we touched it, failed afterwards (it was lost under our hands)."""
    return Outcome.FAILED if touched else Outcome.ABSENT


def asleep_likely(device: str, last_outcomes: Mapping[str, Outcome]) -> bool:
    """Tell whether the device was absent last time; the plan says so, nothing is decided by it."""
    return last_outcomes.get(device) is Outcome.ABSENT


def may_wake(device: Device, *, wake: bool, wakers: Mapping[str, str]) -> Verdict:
    """May a magic packet be sent to ``device``.

    Args:
        device: With its MAC address and its site, where known.
        wake: The window's own ``wake``.
        wakers: Site → the device there that can send Wake-on-LAN.
    """
    if not wake:
        return Deny(rule="cannot-wake", reason="the window does not wake devices")
    if device.mac is None:
        return Deny(rule="cannot-wake", reason=f"{device.name} has no deskside_mac")
    if device.site is None:
        return Deny(rule="cannot-wake", reason=f"{device.name} belongs to no site")
    waker = wakers.get(device.site)
    if waker is None:
        return Deny(rule="cannot-wake", reason=f"site {device.site} has no waker")
    if waker == device.name:
        return Deny(rule="cannot-wake", reason=f"{device.name} is the waker of its own site")
    return Allow()


def may_wait(woken_at: datetime, now: datetime, *, patience: timedelta, cutoff_at: datetime) -> Verdict:
    """May we go on asking a woken device: not longer than ``patience``, never past the cutoff."""
    until = min(woken_at + patience, cutoff_at)
    if now < until:
        return Allow()
    waited = int((until - woken_at).total_seconds() // 60)
    return Deny(rule="absent", reason=f"did not answer within {waited} min of the magic packet; it leads the next plan")
