"""The record of one run on disk: compressed events, without secrets, without one file per event."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import time
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from orchestrator.adapters.runner.private import write_private

EVENTS = "events.jsonl.gz"
OUTPUT = "output.txt"
HIDDEN = "[hidden]"
FLUSH_SECONDS = 2.0
SHORTEST_SECRET = 4
_SECRET_NAME = re.compile(r"pass(word|wd|phrase)?$|secret|token|private_?key|api_?key|credential", re.IGNORECASE)


def slug(job: str) -> str:
    """A job id as a directory name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", job).lstrip(".") or "_"


def new_artifact(state: Path, job: str) -> Path:
    """A directory nobody has used: a job that is run again gets one of its own."""
    room = state / "artifacts"
    room.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(1, 10_000):
        path = room / (slug(job) if number == 1 else f"{slug(job)}.{number}")
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{room}: ten thousand artifacts of job {job!r}; remove old ones")


def secrets_in(variables: Mapping[str, Any]) -> frozenset[str]:
    """Texts that stand under a name which says secret, at every depth."""
    found: set[str] = set()
    _collect(variables, found, hidden=False)
    return frozenset(text for text in found if len(text) >= SHORTEST_SECRET)


def _collect(value: Any, found: set[str], *, hidden: bool) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _collect(item, found, hidden=hidden or bool(_SECRET_NAME.search(str(key))))
    elif isinstance(value, (list, tuple)):
        for item in value:
            _collect(item, found, hidden=hidden)
    elif hidden and isinstance(value, str):
        found.add(value)


class Scrubber:
    """Takes known secrets out of text, also as they look inside JSON."""

    def __init__(self, secrets: Collection[str]) -> None:
        forms = {form for secret in secrets for form in (secret, json.dumps(secret)[1:-1])}
        self._pattern = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))) if forms else None

    def __call__(self, text: str) -> str:
        """``text`` with every secret hidden."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text


class EventFile:
    """Gzip JSON lines; flushed now and then, so that a killed worker leaves what it has seen."""

    def __init__(self, path: Path) -> None:
        self._raw = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb")
        self._zip = zlib.compressobj(1, zlib.DEFLATED, 31)
        self._flushed = time.monotonic()

    def write(self, line: str) -> None:
        """Append one line."""
        self._raw.write(self._zip.compress(line.encode() + b"\n"))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._raw.write(self._zip.flush(zlib.Z_SYNC_FLUSH))
            self._raw.flush()
            self._flushed = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._raw.write(self._zip.flush(zlib.Z_FINISH))
        self._raw.close()


def read_events(artifact: Path) -> Iterator[dict[str, Any]]:
    """Every event of a run that can still be read; a file cut short by a crash ends early, without an error."""
    try:
        with gzip.open(artifact / EVENTS, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
    except (EOFError, ValueError):
        return


def keep_output(artifact: Path, lines: Sequence[str]) -> None:
    """Keep what Ansible printed beside the events: warnings and its own errors. Never called when results were printed too."""
    if any(lines):
        write_private(artifact / OUTPUT, "\n".join(lines) + "\n")


def strip(artifact: Path) -> None:
    """Remove what ansible-runner leaves and we do not want: its command file holds the environment, its event directory must be empty.

    Raises:
        RuntimeError: There are event files: the run did not take the path that was meant for it.
    """
    (artifact / "command").unlink(missing_ok=True)
    shutil.rmtree(artifact / "fact_cache", ignore_errors=True)
    events = artifact / "job_events"
    if events.is_dir():
        left = sum(1 for _ in events.iterdir())
        if left:
            raise RuntimeError(f"{events}: ansible-runner wrote {left} event files although events go through our own callback")
        events.rmdir()
