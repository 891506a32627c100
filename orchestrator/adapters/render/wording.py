"""How the end of one device is told to the person who uses it: what was done or why not, and what happens next. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.adapters.render.moments import Zone, count

NEXT_FAILED = "IT has the report and looks at it; you can work as usual."
NEXT_RESTART = "Please restart it when it suits you; else it is restarted in the next maintenance{when}."
NEXT_FIRST = "It goes first in the next maintenance{when}."
NEXT_ABSENT = "It goes first in the next maintenance{when}; please leave it switched on then."
NEXT_UNKNOWN = "IT looks at it; if it behaves oddly, call before you go on working."


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingLine:
    """One device: ``short`` for a subject, ``text`` for the table, ``following`` = what happens next, empty when nothing does."""

    device: str
    done: bool
    short: str
    text: str
    following: str = ""


def closing_line(device: Mapping[str, Any], zone: Zone, next_opening: str | None) -> ClosingLine:
    """Put one row of a closing notice's facts into words.

    Args:
        device: ``{name, outcome, updates, restarted, restarted_at, reason, services}``.
        zone: The reader's.
        next_opening: ISO instant of the next occurrence, where one is known.
    """
    when = f" on {zone.when(next_opening)}" if next_opening else ""
    build = _SETTLED.get(device["outcome"], _unknown)
    return build(device, zone, when)


def closing_subject(devices: Sequence[Mapping[str, Any]], lines: Sequence[ClosingLine], yours: str) -> str:
    """``Maintenance of your computer ws-ada: done, 22 updates, restarted 22:21``; several are counted."""
    if len(lines) == 1:
        return f"Maintenance of {yours}: {lines[0].short}"
    done = sum(line.done for line in lines)
    if done == len(devices):
        return f"Maintenance of {yours}: all done"
    return f"Maintenance of {yours}: {done} done, {len(lines) - done} not"


def _done(device: Mapping[str, Any], zone: Zone, when: str) -> ClosingLine:
    del when
    updates = count(device["updates"], "update") if device["updates"] else "nothing was missing"
    if not device["updates"] and device["outcome"] == "changed":
        updates = "brought up to date"
    restart = _restart(device, zone)
    short = f"done, {updates}{f', {restart}' if restart else ''}"
    tail = f"; {restart}" if restart else "; no restart"
    return ClosingLine(device=device["name"], done=True, short=short, text=f"Done: {updates}{tail}.")


def _failed(device: Mapping[str, Any], zone: Zone, when: str) -> ClosingLine:
    del zone, when
    return _not_done(device, "it failed", NEXT_FAILED)


def _rolled_back(device: Mapping[str, Any], zone: Zone, when: str) -> ClosingLine:
    del zone, when
    return _not_done(device, "it failed and was put back as it was", NEXT_FAILED)


def _absent(device: Mapping[str, Any], zone: Zone, when: str) -> ClosingLine:
    del zone
    return _not_done(device, "the computer did not answer", NEXT_ABSENT.format(when=when))


def _not_reached(device: Mapping[str, Any], zone: Zone, when: str) -> ClosingLine:
    del zone
    return _not_done(device, "its turn did not come", NEXT_FIRST.format(when=when))


def _restart_pending(device: Mapping[str, Any], zone: Zone, when: str) -> ClosingLine:
    del zone
    text = f"{_sentence(count(device['updates'], 'update'))} installed, but it still needs a restart{_because(device)}."
    return ClosingLine(
        device=device["name"], done=False, short="a restart is still needed", text=text, following=NEXT_RESTART.format(when=when)
    )


def _postponed(device: Mapping[str, Any], zone: Zone, when: str) -> ClosingLine:
    del zone, when
    return _not_done(device, "postponed as asked", "You are told before it is done.")


def _skipped(device: Mapping[str, Any], zone: Zone, when: str) -> ClosingLine:
    del zone, when
    return _not_done(device, "left out by IT", "You are told before it is done.")


def _unknown(device: Mapping[str, Any], zone: Zone, when: str) -> ClosingLine:
    del zone, when
    text = f"Not certain: contact to it was lost while it was being worked on{_because(device)}."
    return ClosingLine(device=device["name"], done=False, short="not certain that it was done", text=text, following=NEXT_UNKNOWN)


def _not_done(device: Mapping[str, Any], why: str, following: str) -> ClosingLine:
    return ClosingLine(
        device=device["name"], done=False, short=f"not done, {why}", text=f"Not done: {why}{_because(device)}.", following=following
    )


def _because(device: Mapping[str, Any]) -> str:
    reason = str(device["reason"]).strip().rstrip(".")
    return f" ({reason})" if reason else ""


def _restart(device: Mapping[str, Any], zone: Zone) -> str:
    if device["restarted_at"]:
        return f"restarted {zone.clock(device['restarted_at'])}"
    return "restarted" if device["restarted"] else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


_SETTLED = {
    "ok": _done,
    "changed": _done,
    "failed": _failed,
    "rolled-back": _rolled_back,
    "absent": _absent,
    "not-reached": _not_reached,
    "reboot-pending": _restart_pending,
    "deferred": _postponed,
    "skipped": _skipped,
}
