"""The reading end of the event stream: a FIFO, a thread, the artifact and the tally."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.adapters.runner.artifact import EventFile, Scrubber
from orchestrator.adapters.runner.events import StreamError, Tally

_END = "\x04deskside-end"
_JOIN_SECONDS = 30.0


class EventStream:
    """Reads events while Ansible runs; leaves when told, also when somebody still holds the other end open.

    Args:
        fifo: Where the callback writes; made here.
        artifact: Gets every line, without secrets.
        tally: Gets every line, without secrets.
        scrub: Takes secrets out of a line.

    Attributes:
        error: The first exception of ``tally``; the run should then be ended.
        garbled: A line could not be understood: what the run says is not to be believed.
    """

    def __init__(self, fifo: Path, artifact: Path, tally: Tally, scrub: Scrubber) -> None:
        os.mkfifo(fifo, 0o600)
        self._keep = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)  # neither side waits for the other to open, or to write
        self._fifo, self._artifact, self._tally, self._scrub = fifo, artifact, tally, scrub
        self._thread = threading.Thread(target=self._read, name=f"events-{artifact.parent.name}", daemon=True)
        self.error: BaseException | None = None
        self.garbled = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.write(self._keep, f"\n{_END}\n".encode())
        self._thread.join(_JOIN_SECONDS)
        os.close(self._keep)

    def _read(self) -> None:
        with self._fifo.open(encoding="utf-8", errors="replace") as lines, EventFile(self._artifact) as record:
            for raw in lines:
                line = raw.rstrip("\n")
                if line == _END:
                    return
                if line:
                    self._take(self._scrub(line), record.write)

    def _take(self, line: str, record: Callable[[str], None]) -> None:
        if self.error is not None:
            return
        try:
            record(line)
            self._tally.feed(line)
        except StreamError:
            self.garbled = True
        except BaseException as error:  # noqa: BLE001 - it crosses a thread: kept here, raised by the run
            self.error = error
