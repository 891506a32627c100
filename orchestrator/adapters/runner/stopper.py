"""Decides that a run has to end: cancelled, or its time is up. ansible-runner asks it twice a second and kills on yes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.application.ports import RunStatus

KEEPER_SECONDS = 5.0


class Stopper:
    """A cancel callback for ansible-runner; it never raises, since an exception there would leave Ansible running.

    Args:
        seconds: After so many the run is timed out.
        cancelled: Asked at every poll; an error in it counts as yes.
        pidfile: Where the keeper (if that is the containment) writes its process id: it must be asked, a killed one
            could no longer end its tree.

    Attributes:
        status: ``TIMEOUT`` or ``CANCELED`` once decided.
        patience: Seconds that the end may take.
    """

    patience = KEEPER_SECONDS + 10.0

    def __init__(self, seconds: float, cancelled: Callable[[], bool], pidfile: Path) -> None:
        self._deadline = time.monotonic() + seconds
        self._reasons = [cancelled]
        self._pidfile = pidfile
        self._asked = 0.0
        self.status: RunStatus | None = None

    def also(self, reason: Callable[[], bool]) -> None:
        """One more reason to cancel."""
        self._reasons.append(reason)

    def cancel(self) -> None:
        """Cancel at the next poll."""
        self._reasons.append(lambda: True)

    def __call__(self) -> bool:
        """Whether ansible-runner should kill now."""
        if self.status is None:
            self.status = self._decide()
        return self.status is not None and self._kernel_kills()

    def _decide(self) -> RunStatus | None:
        if any(_says_yes(reason) for reason in self._reasons):
            return RunStatus.CANCELED
        return RunStatus.TIMEOUT if time.monotonic() > self._deadline else None

    def _kernel_kills(self) -> bool:
        """False while a keeper is still at work: it gets SIGTERM and some seconds."""
        if not self._pidfile.is_file():
            return True
        if not self._asked:
            self._asked = time.monotonic()
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(self._pidfile.read_text(encoding="ascii")), signal.SIGTERM)
        return time.monotonic() - self._asked > KEEPER_SECONDS


def _says_yes(reason: Callable[[], bool]) -> bool:
    try:
        return bool(reason())
    except Exception:  # noqa: BLE001 - whoever decides is broken: doubt means no more work
        return True
