"""Events are translated at the door: lines of the callback become run events, and what they say about each host."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.application.ports import HostResult, RunEvent

LINES_AT_MOST = 20
REASON_AT_MOST = 500
GUARD_ACTION = "deskside.workplace.device_guard"
FINISHED = frozenset({"done", "nothing", "adopted"})
_OUTCOMES = frozenset({"ok", "failed", "ignored", "unreachable", "skipped"})
_ON_CONTROLLER = frozenset({
    "add_host", "assert", "debug", "fail", "group_by", "import_role", "include_role", "include_tasks", "include_vars", "meta",
    "pause", "set_fact", "set_stats", "validate_argument_spec",
})  # fmt: skip
_LOOKS_ONLY = frozenset({"gather_facts", "setup", "ping", "wait_for_connection"})
_NEVER_CONNECTED = re.compile(
    r"Connection refused|Connection timed out|Operation timed out|No route to host|Network is unreachable|Host is down"
    r"|Could not resolve hostname|Name or service not known|Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED"
    r"|No \S+ host key is known|Permission denied \(|kex_exchange_identification|banner exchange"
)


class StreamError(ValueError):
    """A line of the stream cannot be understood."""


@dataclass(slots=True)
class _Host:
    """What is known so far about one host."""

    failed: bool = False
    unreachable: bool = False
    changed: bool = False
    touched: bool = False
    adopted: bool = False
    reason: str = ""
    lines: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


class Tally:
    """Feeds on lines, keeps little: one small record per host however many events there are.

    Args:
        on_event: Gets every event, translated.
    """

    def __init__(self, on_event: Callable[[RunEvent], None]) -> None:
        self._on_event = on_event
        self._hosts: dict[str, _Host] = {}
        self._stats: Mapping[str, Mapping[str, int]] | None = None

    @property
    def complete(self) -> bool:
        """The last line was the statistics."""
        return self._stats is not None

    def feed(self, line: str) -> None:
        """Take one line.

        Raises:
            StreamError: It is not an event.
        """
        try:
            event = json.loads(line)
            kind, at = str(event["e"]), float(event["t"])
        except (ValueError, KeyError, TypeError) as error:
            raise StreamError(f"not an event: {line[:200]!r}") from error
        self._stats = event["hosts"] if kind == "stats" else None
        if kind in _OUTCOMES:
            self._outcome(kind, at, event)
        elif kind in {"play", "task"}:
            self._on_event(RunEvent(at=at, kind=kind, task=str(event.get("name", ""))))

    def _outcome(self, kind: str, at: float, event: Mapping[str, Any]) -> None:
        name, result = str(event["host"]), event.get("res") or {}
        host = self._hosts.setdefault(name, _Host())
        self._note(host, kind, str(event.get("action", "")), result)
        shown = "changed" if kind == "ok" and result.get("changed") else kind
        self._on_event(RunEvent(at=at, kind=shown, host=name, task=str(event.get("task", "")), result=result))

    def _note(self, host: _Host, kind: str, action: str, result: Mapping[str, Any]) -> None:
        host.changed |= bool(result.get("changed"))
        host.touched |= _touches(kind, action, result)
        merge_data(host.data, result)
        if kind in {"failed", "unreachable"}:
            host.failed |= kind == "failed"
            host.unreachable |= kind == "unreachable"
            host.adopted |= action == GUARD_ACTION and host.data.get("state") in FINISHED
            host.reason, host.lines = explain(result)

    def results(self, asked: tuple[str, ...], fallback: str = "") -> dict[str, HostResult]:
        """One result for each host asked, and for every other that took part.

        Args:
            asked: The hosts of the job.
            fallback: Reason for hosts that nothing was heard of.
        """
        return {name: self._result(name, fallback) for name in dict.fromkeys([*asked, *self._hosts])}

    def _result(self, name: str, fallback: str) -> HostResult:
        host = self._hosts.get(name, _Host())
        stats = (self._stats or {}).get(name)
        rescued = stats is not None and not stats["failures"] and not stats["unreachable"]
        ok = self.complete and (rescued or host.adopted)
        reason = "" if rescued else host.reason or fallback
        if stats is None and not host.adopted and not reason:
            reason = (
                "no play of this playbook names this device" if self.complete else "the run ended before this device was heard of"
            )
        return HostResult(
            host=name,
            ok=ok,
            changed=host.changed and not host.adopted,
            unreachable=host.unreachable and not rescued,
            touched=host.touched,
            reason="" if ok and not host.adopted else reason,
            lines=() if rescued else host.lines,
            data=host.data,
        )


def _touches(kind: str, action: str, result: Mapping[str, Any]) -> bool:
    short = action.rpartition(".")[2]
    if kind == "skipped" or short in _ON_CONTROLLER:
        return False
    if kind == "unreachable":
        return _NEVER_CONNECTED.search(str(result.get("msg", ""))) is None
    return short not in _LOOKS_ONLY


def merge_data(data: dict[str, Any], result: Mapping[str, Any]) -> None:
    """Merge the ``deskside`` dict of a result, and of each loop item, key by key; a later one wins."""
    for part in (result, *(item for item in result.get("results") or () if isinstance(item, Mapping))):
        said = part.get("deskside")
        if isinstance(said, Mapping):
            data.update(said)


def explain(result: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Reason and last lines of a failure: our own words first, then the module's."""
    if result.get("censored"):
        return "failed; the task hides its output (no_log)", ()
    said = result.get("deskside") if isinstance(result.get("deskside"), Mapping) else {}
    assert isinstance(said, Mapping)  # noqa: S101 - narrows for mypy
    failed = next((item for item in result.get("results") or () if isinstance(item, Mapping) and item.get("failed")), {})
    source = result if result.get("stderr") or result.get("stdout") or not failed else failed
    text = str(source.get("stderr") or source.get("stdout") or source.get("module_stderr") or source.get("module_stdout") or "")
    lines = tuple(map(str, said.get("lines") or text.strip().splitlines()))[-LINES_AT_MOST:]
    reason = said.get("reason") or failed.get("msg") or result.get("msg") or (lines[-1] if lines else "failed without a message")
    return " ".join(str(reason).split())[:REASON_AT_MOST], lines
