"""Asks devices without Ansible: many at once, one connection each, read only."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.adapters.prober import checks, wake
from orchestrator.adapters.prober.answer import AnswerError, result
from orchestrator.adapters.prober.connections import Connection, ConnectionBook
from orchestrator.adapters.prober.session import Done, UnreachableError, run
from orchestrator.application.errors import DesksideError
from orchestrator.application.ports import ProbeResult
from orchestrator.domain.window import HealthProbe

SCRIPT = Path(__file__).with_name("probe.sh")
AT_ONCE = 20
WAKE_SECONDS = 30.0
_UNSAFE = re.compile(r"[^A-Za-z0-9_.:-]")


class SshProber:
    """Implements :class:`orchestrator.application.ports.Prober`.

    Args:
        office_root: The office directory.
        inventory_sources: Ansible's sources, absolute or relative to it.
        refresh_after: Package lists that are older prove nothing; the smallest ``os_update_refresh_after`` in use.
        at_once: Connections at the same time.
        book: How devices are reached (a fake in tests).
    """

    def __init__(
        self,
        office_root: Path,
        inventory_sources: Sequence[str],
        *,
        refresh_after: float = 3600.0,
        at_once: int = AT_ONCE,
        book: ConnectionBook | None = None,
    ) -> None:
        self._book = book or ConnectionBook(office_root, inventory_sources)
        self._refresh_after, self._at_once = refresh_after, at_once
        self._script = SCRIPT.read_text(encoding="utf-8")

    def probe(self, hosts: Sequence[str], *, occurrence: str | None = None, timeout: float = 20.0) -> Mapping[str, ProbeResult]:
        """Ask all of them at once; every host asked is in the answer."""
        slug = _slug(occurrence) if occurrence else ""
        script = f"SLUG={slug}\n{self._script}"

        async def ask(connection: Connection) -> ProbeResult:
            return await self._probe(connection, script, occurrence, timeout)

        found = self._each(hosts, ask, lambda host, why: ProbeResult(host=host, reachable=False, error=why))
        return {host: _in_time(answer) for host, answer in found.items()}

    def stop_unit(self, host: str, occurrence: str, *, timeout: float = 30.0) -> bool:
        """Stop our transient unit on the device; True when none of this occurrence is left running."""
        pattern = f"deskside-{_slug(occurrence)}.*.service"
        script = (
            f"timeout {max(1, int(timeout) - 5)} systemctl stop '{pattern}'; "
            f"systemctl list-units --no-legend --plain --state=active,activating,deactivating,reloading '{pattern}' && echo asked"
        )

        async def stop(connection: Connection) -> bool:
            done = await run(connection, script, root=True, seconds=timeout)
            return done.out.split() == ["asked"]

        return self._each([host], stop, lambda _host, _why: False)[host]

    def health(self, probe: HealthProbe, hosts: Sequence[str]) -> Mapping[str, str]:
        """Ask one health probe. Returns host (or ``controller``) → empty text when healthy, else the reason."""
        seconds = probe.timeout.total_seconds()
        if probe.kind == "http":
            return {"controller": checks.http(probe.target, seconds)}
        if probe.kind == "tcp":
            return {"controller": checks.tcp(probe.target, seconds)}

        async def ask(connection: Connection) -> str:
            return _failure(await run(connection, probe.target, root=True, seconds=seconds))

        return self._each(hosts, ask, lambda _host, why: why)

    def wake(self, waker: str, macs: Mapping[str, str]) -> Mapping[str, str]:
        """Let ``waker`` send a magic packet to each device (name → MAC). Returns name → empty text or why not."""
        normal = {name: wake.normal(mac) for name, mac in macs.items()}
        good = [mac for mac in normal.values() if mac is not None]

        async def send(connection: Connection) -> str:
            return _failure(await run(connection, wake.script(good), root=False, seconds=WAKE_SECONDS))

        why = self._each([waker], send, lambda _host, why: why)[waker] if good else ""
        return {
            name: f'"{macs[name]}" is no hardware address' if mac is None else why and f"{waker}: {why}"
            for name, mac in normal.items()
        }

    async def _probe(self, connection: Connection, script: str, occurrence: str | None, seconds: float) -> ProbeResult:
        host = connection.host
        if not connection.error and connection.kind not in {"ssh", "local"}:
            return ProbeResult(host=host, reachable=True, facts={"why_run": [f"connection {connection.kind} cannot be probed"]})
        done = await run(connection, script, root=True, seconds=seconds)
        become = ""
        if not done.out.startswith("v=1"):
            become = _last_line(done) or f"exit code {done.code}"
            done = await run(connection, script, root=False, seconds=seconds)
        try:
            answer = result(host, done.out, occurrence=occurrence, refresh_after=self._refresh_after, now=time.time())
        except AnswerError as error:
            return ProbeResult(host=host, reachable=True, facts={"why_run": [f"{error}: {_last_line(done)}"], "become": become})
        facts = dict(answer.facts) | {"path": done.path, "answered": time.monotonic()}
        return replace(answer, facts=facts | ({"become": become} if become else {}))

    def _each[T](
        self, hosts: Sequence[str], ask: Callable[[Connection], Coroutine[Any, Any, T]], failed: Callable[[str, str], T]
    ) -> dict[str, T]:
        try:
            ways = self._book.connection_facts(hosts)
        except DesksideError as error:
            return {host: failed(host, error.message) for host in hosts}
        return asyncio.run(self._all(ways, ask, failed))

    async def _all[T](
        self, ways: Mapping[str, Connection], ask: Callable[[Connection], Coroutine[Any, Any, T]], failed: Callable[[str, str], T]
    ) -> dict[str, T]:
        room = asyncio.Semaphore(self._at_once)

        async def one(way: Connection) -> T:
            async with room:
                try:
                    return await ask(way)
                except UnreachableError as error:
                    self._book.forget(way.host)
                    return failed(way.host, str(error))

        return dict(zip(ways, await asyncio.gather(*(one(way) for way in ways.values())), strict=True))


def _slug(occurrence: str) -> str:
    """The occurrence as it stands in names of records and units; anything that a shell could read otherwise is refused by the guard, too."""
    return _UNSAFE.sub("_", occurrence)


def _in_time(answer: ProbeResult) -> ProbeResult:
    """The device's clock as it stands now: answers are compared after the slowest device has spoken."""
    facts = dict(answer.facts)
    answered = facts.pop("answered", None)
    if answered is not None and facts.get("clock") is not None:
        facts["clock"] += time.monotonic() - answered
    return replace(answer, facts=facts)


def _failure(done: Done) -> str:
    return "" if done.code == 0 else f"exit code {done.code}" + (f": {_last_line(done)}" if _last_line(done) else "")


def _last_line(done: Done) -> str:
    lines = (done.err.strip() or done.out.strip()).splitlines()
    return lines[-1].strip()[:300] if lines else ""
