"""Runs a daemon and kills it, at the phases its own record names and at random moments, until the night is over."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos import processes

POLL = 0.02
RANDOM = "random"
BOOT = 1.5
"""Seconds: a process that has not begun anything yet is no interesting victim."""

PHASES = ("plan", "notice", "lease", "apply", "reboot-wait", "gate", "report")
"""Every phase that must be hit; the words the product writes into its record before it does the thing."""

AFTERLIFE = 4.0
"""Seconds that the last daemon lives after the end of the night, to do again what it should not."""

_OVER = "('finished', 'stopped', 'cancelled', 'missed')"


@dataclass(slots=True)
class Kill:
    """One kill -9 of the daemon's main process."""

    at: float
    phase: str
    text: str
    delay: float
    lived: float
    survivors: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Orders:
    """What is to be killed in one night.

    Attributes:
        wanted: Beginning of a phase's text → (least, most) seconds from its row to the kill. Each is used once.
        randoms: Kills at random moments: (part of a row's text from which the time runs, seconds). Spread over the night by what happens,
            not by the clock: a slow machine is hit as evenly as a fast one.
        moment: Called between the row and the kill, for a moment no delay can name.
    """

    wanted: dict[str, tuple[float, float]]
    randoms: list[tuple[str, float]] = field(default_factory=list)
    moment: Callable[[Killer, str], None] | None = None


class Killer:
    """One night.

    Args:
        command: The daemon's command line.
        environment: Its environment.
        state: Its state directory.
        office: Its office directory.
        rng: Where chance comes from.
        orders: What is to be killed; what was not hit is left in it.
        say: Takes a line per kill.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        state: Path,
        office: Path,
        rng: random.Random,
        orders: Orders,
        say: Callable[[str], None] = print,
    ) -> None:
        self._command, self._environment = list(command), dict(environment)
        self.state, self.office = state, office
        self._rng, self._orders, self._say = rng, orders, say
        self.kills: list[Kill] = []
        self._seen = 0
        self._pollers: list[threading.Thread] = []
        self._daemon: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._random: tuple[float, float] | None = None

    def run(self, *, seconds: float) -> bool:
        """Drive the night to its end. Returns whether it came to one within ``seconds``."""
        deadline = time.monotonic() + seconds
        try:
            self._start()
            while time.monotonic() < deadline:
                self._step()
                if self.over() and not self._one_more():
                    time.sleep(AFTERLIFE)
                    return True
                time.sleep(POLL)
            return False
        finally:
            self._stop()
            for poller in self._pollers:
                poller.join(timeout=30)
            processes.end(self.office)

    def _step(self) -> None:
        if self.daemon.poll() is not None:
            raise AssertionError(f"the daemon ended by itself with {self.daemon.returncode}; see {self.state.parent}/daemon.log")
        for number, text in self._rows("SELECT id, text FROM log WHERE kind = 'phase' AND id > ? ORDER BY id", self._seen):
            self._seen = number
            self._arm(text)
            wish = next((wish for wish in self._orders.wanted if text.startswith(wish)), None)
            if wish is not None:
                delay = self._rng.uniform(*self._orders.wanted.pop(wish))
                time.sleep(delay)
                if self._orders.moment:
                    self._orders.moment(self, text)
                self._kill(text.split()[0], text, delay)
                return
        if self._random is not None and time.monotonic() >= max(self._random[0], self._started + BOOT):
            delay, self._random = self._random[1], None
            self._kill(RANDOM, self._last_phase(), delay)

    def _arm(self, text: str) -> None:
        """From this row runs the time to the next kill at a random moment, if one was drawn for it."""
        drawn = next(((anchor, delay) for anchor, delay in self._orders.randoms if anchor in text), None)
        if drawn is not None and self._random is None:
            self._orders.randoms.remove(drawn)
            self._random = (time.monotonic() + drawn[1], drawn[1])

    def _one_more(self) -> bool:
        """Kills that found no moment in the night come after its end: a daemon that starts then must do nothing again."""
        if self._random is None:
            hit = {kill.phase for kill in self.kills}
            left = [wish for wish in self._orders.wanted if wish.split()[0] in hit]
            if self._orders.randoms:
                self._orders.randoms.pop()
            elif left:
                self._orders.wanted.pop(left[0])
            else:
                return False
            delay = self._rng.uniform(0.5, 3.0)
            self._random = (time.monotonic() + delay, delay)
        return True

    # -- the daemon --------------------------------------------------------------------------------------------------

    @property
    def daemon(self) -> subprocess.Popen[bytes]:
        """The process that lives now."""
        assert self._daemon is not None
        return self._daemon

    def _start(self) -> None:
        with (self.state.parent / "daemon.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self._command],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started = time.monotonic()

    def _kill(self, phase: str, text: str, delay: float) -> None:
        kill = Kill(time.time(), phase, text, delay, time.monotonic() - self._started)
        before = processes.of_office(self.office)
        os.kill(self.daemon.pid, signal.SIGKILL)
        self.daemon.wait(timeout=30)
        poller = threading.Thread(target=self._poll, args=(kill, before | processes.of_office(self.office)))
        poller.start()
        self._pollers.append(poller)
        self.kills.append(kill)
        for number, _text in self._rows("SELECT max(id), '' FROM log"):
            self._seen = number or 0  # what the dead process wrote is no moment of the next one
        self._say(f"  kill {len(self.kills):2}  {phase:11}  +{delay:.2f} s  after {kill.lived:5.1f} s of life  ({text})")
        self._start()

    def _poll(self, kill: Kill, suspects: dict[processes.Process, str]) -> None:
        kill.survivors = processes.survivors(suspects)

    def _stop(self) -> None:
        if self._daemon is not None and self._daemon.poll() is None:
            self._daemon.send_signal(signal.SIGTERM)
            try:
                self._daemon.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self._daemon.kill()
                self._daemon.wait(timeout=10)

    # -- its record --------------------------------------------------------------------------------------------------

    def over(self) -> bool:
        """The occurrence has ended, everything that was to be sent has left, the report too."""
        ended = self._rows(f"SELECT 1, id FROM occurrence WHERE state IN {_OVER}")
        if not ended:
            return False
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # as the store writes it: text order is time order
        waiting = self._rows("SELECT 1, id FROM outbox WHERE state IN ('new', 'sending') AND (expires IS NULL OR expires > ?)", now)
        return not waiting and bool(self._rows("SELECT 1, id FROM outbox WHERE kind = 'report'"))

    def _last_phase(self) -> str:
        rows = self._rows("SELECT 1, text FROM log WHERE kind = 'phase' ORDER BY id DESC LIMIT 1")
        return f"after: {rows[0][1]}" if rows else "before the first phase"

    def _rows(self, query: str, *values: object) -> list[tuple[int, str]]:
        """Read only, without a lock that the product could feel; nothing while the store is not there yet."""
        path = self.state / "deskside.db"
        if not path.exists():
            return []
        try:
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1.0)
            try:
                return list(connection.execute(query, values))
            finally:
                connection.close()
        except sqlite3.OperationalError:
            return []
