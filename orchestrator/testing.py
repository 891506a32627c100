"""Public fakes: the outside as tests want it. Deterministic, documented, and they record what was asked of them.

They keep the promises of the ports; :class:`MemoryStore` is the real SQL store on a throw-away file, so that nothing that holds
in a test fails in the database.
"""

from __future__ import annotations

import tempfile
import threading
import time
import weakref
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.adapters.store import FILE, SqlStore, open_store
from orchestrator.adapters.store.database import Database
from orchestrator.application.ports import (
    Delivery,
    HostResult,
    InventorySnapshot,
    Job,
    Message,
    ProbeResult,
    RunEvent,
    RunResult,
    RunStatus,
    Sent,
)
from orchestrator.domain.window import HealthProbe

__all__ = ["FakeClock", "FixedInventory", "HostScript", "MemoryStore", "RecordingChannel", "ScriptedProber", "ScriptedRunner"]


class FakeClock:
    """A clock that moves only when it is told to, or when somebody sleeps on it.

    Args:
        now: Where it starts, aware.
    """

    def __init__(self, now: datetime = datetime(2026, 12, 9, 21, tzinfo=UTC)) -> None:
        if now.tzinfo is None:
            raise ValueError(f"{now!r} has no time zone: instants are aware UTC")
        self._start = now.astimezone(UTC)
        self._passed = timedelta()
        self._guard = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Aware UTC."""
        with self._guard:
            return self._start + self._passed

    def monotonic(self) -> float:
        """Seconds since it was made."""
        with self._guard:
            return self._passed.total_seconds()

    def sleep(self, seconds: float) -> None:
        """Move on by so much, without waiting; :attr:`slept` records it."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, by: float | timedelta) -> None:
        """Move on by seconds or a span."""
        with self._guard:
            self._passed += by if isinstance(by, timedelta) else timedelta(seconds=by)

    def set(self, now: datetime) -> None:
        """Move to an instant, also backwards as clocks do when they are corrected: then ``monotonic`` stays."""
        with self._guard:
            target = now.astimezone(UTC) - self._start
            if target >= self._passed:
                self._passed = target
            else:
                self._start = now.astimezone(UTC) - self._passed


@dataclass(frozen=True, slots=True, kw_only=True)
class HostScript:
    """What happens to one host the next time a job reaches it."""

    ok: bool = True
    changed: bool = True
    unreachable: bool = False
    touched: bool = True
    reason: str = ""
    lines: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


class ScriptedRunner:
    """Answers every job from a script; a host without one changes and is well.

    Attributes:
        jobs: Every job that was run, in order.

    Args:
        clock: Moved on by ``seconds`` for each job.
        seconds: How long a job takes.
        during: Called in the middle of each job, before its hosts are answered: cancel, move the clock, look at the locks.
    """

    def __init__(
        self, *, clock: FakeClock | None = None, seconds: float = 60.0, during: Callable[[Job], None] | None = None
    ) -> None:
        self.jobs: list[Job] = []
        self._clock = clock
        self._seconds = seconds
        self._during = during
        self._scripts: dict[str, deque[HostScript]] = defaultdict(deque)
        self._endings: deque[tuple[RunStatus, bool]] = deque()

    def will(self, host: str, *scripts: HostScript) -> None:
        """Answer the next jobs that name this host like this, one script a job."""
        self._scripts[host].extend(scripts)

    def will_end(self, status: RunStatus, *, complete: bool = True) -> None:
        """End the next job like this; ``complete=False`` = the event stream breaks off: no host is known."""
        self._endings.append((status, complete))

    def run(self, job: Job, *, on_event: Callable[[RunEvent], None], cancelled: Callable[[], bool]) -> RunResult:
        """Carry out the script; when it is cancelled nothing is known about any host."""
        self.jobs.append(job)
        if self._clock is not None:
            self._clock.advance(self._seconds)
        if self._during is not None:
            self._during(job)
        at = self._clock.now().timestamp() if self._clock is not None else time.time()
        if cancelled():
            return self._result(job, RunStatus.CANCELED, {}, complete=False)
        results = {host: self._answer(host) for host in job.hosts}
        for result in results.values():
            on_event(
                RunEvent(at=at, kind=_kind(result), host=result.host, task=job.playbook, result={"deskside": dict(result.data)})
            )
        good = RunStatus.SUCCESSFUL if all(result.ok for result in results.values()) else RunStatus.FAILED
        status, complete = self._endings.popleft() if self._endings else (good, True)
        return self._result(job, status, results, complete=complete)

    def _answer(self, host: str) -> HostResult:
        script = self._scripts[host].popleft() if self._scripts[host] else HostScript()
        return HostResult(
            host=host,
            ok=script.ok and not script.unreachable,
            changed=script.changed and script.ok,
            unreachable=script.unreachable,
            touched=script.touched and not script.unreachable,
            reason=script.reason,
            lines=script.lines,
            data=script.data,
        )

    def _result(self, job: Job, status: RunStatus, hosts: Mapping[str, HostResult], *, complete: bool) -> RunResult:
        rc = 0 if status is RunStatus.SUCCESSFUL else 2
        return RunResult(
            status=status,
            rc=rc,
            hosts=hosts if complete else {},
            complete=complete,
            artifact=Path("/nonexistent") / job.id,
            seconds=self._seconds,
        )


def _kind(result: HostResult) -> str:
    if result.unreachable:
        return "unreachable"
    if not result.ok:
        return "failed"
    return "changed" if result.changed else "ok"


class ScriptedProber:
    """Answers probes from a script; a host without one is reachable and needs a run.

    Attributes:
        asked: The host lists that were probed, in order.
        woken: Every device a magic packet was sent to.
        stopped: Every (host, occurrence) whose unit was stopped.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.woken: list[str] = []
        self.stopped: list[tuple[str, str]] = []
        self._now: dict[str, ProbeResult] = {}
        self._next: dict[str, deque[ProbeResult]] = defaultdict(deque)
        self._sick: dict[str, Mapping[str, str]] = {}
        self._wakes: dict[str, ProbeResult] = {}

    def will(self, *results: ProbeResult) -> None:
        """Answer like this from now on."""
        self._now.update({result.host: result for result in results})

    def then(self, *results: ProbeResult) -> None:
        """Answer the next probes of these hosts like this, once each, before what :meth:`will` said."""
        for result in results:
            self._next[result.host].append(result)

    def absent(self, *hosts: str) -> None:
        """These do not answer."""
        self.will(*(ProbeResult(host=host, reachable=False, error="no answer within 20 s") for host in hosts))

    def wakes_up(self, host: str) -> None:
        """This one sleeps until a magic packet reaches it."""
        self.absent(host)
        self._wakes[host] = ProbeResult(host=host, reachable=True)

    def sick(self, probe: HealthProbe, reasons: Mapping[str, str]) -> None:
        """This health probe answers so (host or ``controller`` → reason); an empty mapping makes it well again."""
        self._sick[str(probe)] = reasons

    def probe(self, hosts: Sequence[str], *, occurrence: str | None = None, timeout: float = 20.0) -> Mapping[str, ProbeResult]:
        """Answer from the script."""
        del occurrence, timeout
        self.asked.append(tuple(hosts))
        return {host: self._answer(host) for host in hosts}

    def stop_unit(self, host: str, occurrence: str, *, timeout: float = 30.0) -> bool:
        """Record it; nothing is left when the host answers."""
        del timeout
        self.stopped.append((host, occurrence))
        return self._now.get(host, ProbeResult(host=host, reachable=True)).reachable

    def health(self, probe: HealthProbe, hosts: Sequence[str]) -> Mapping[str, str]:
        """Well, unless :meth:`sick` said otherwise."""
        asked = tuple(hosts) if probe.kind == "command" else ("controller",)
        reasons = self._sick.get(str(probe), {})
        return {host: reasons.get(host, "") for host in asked}

    def wake(self, waker: str, macs: Mapping[str, str]) -> Mapping[str, str]:
        """Send to all; those of :meth:`wakes_up` are reachable afterwards."""
        del waker
        self.woken.extend(macs)
        self.will(*(self._wakes[host] for host in macs if host in self._wakes))
        return dict.fromkeys(macs, "")

    def _answer(self, host: str) -> ProbeResult:
        if self._next[host]:
            return self._next[host].popleft()
        return self._now.get(host, ProbeResult(host=host, reachable=True))


class FixedInventory:
    """An inventory that is what it was made with; patterns it does not know match nothing."""

    def __init__(self, snapshot: InventorySnapshot) -> None:
        self.snapshot = snapshot
        self.asked: list[tuple[str, ...]] = []

    def load(self, patterns: Collection[str] = ()) -> InventorySnapshot:
        """Return the snapshot."""
        self.asked.append(tuple(patterns))
        return self.snapshot


class RecordingChannel:
    """Keeps every message.

    Attributes:
        messages: Every message that was handed over, also those that were answered with Retryable or Rejected.

    Args:
        answers: What to answer, one a message; afterwards it takes everything.
    """

    def __init__(self, *answers: Delivery, name: str = "recording") -> None:
        self.name = name
        self.messages: list[Message] = []
        self._answers = deque(answers)

    def send(self, message: Message) -> Delivery:
        """Record the message and answer."""
        self.messages.append(message)
        return self._answers.popleft() if self._answers else Sent(detail=f"{self.name}: {len(self.messages)}")


class MemoryStore(SqlStore):
    """The real store on a temporary file, without waiting for the disk. Goes away with the object, or with :meth:`close`."""

    _template: bytes = b""
    _guard = threading.Lock()

    def __init__(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="deskside-store-")
        path = Path(folder.name) / FILE
        path.write_bytes(self._migrated())
        super().__init__(Database(path, synchronous="OFF"))
        self._gone = weakref.finalize(self, _remove, self._database, folder)

    def close(self) -> None:
        """Remove the file."""
        self._gone()

    @classmethod
    def _migrated(cls) -> bytes:
        with cls._guard:
            if not MemoryStore._template:
                with tempfile.TemporaryDirectory(prefix="deskside-store-") as folder:
                    open_store(Path(folder)).close()
                    MemoryStore._template = (Path(folder) / FILE).read_bytes()
        return MemoryStore._template


def _remove(database: Database, folder: tempfile.TemporaryDirectory[str]) -> None:
    database.close()
    folder.cleanup()
