# Copyright (c) 2026 deskside
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transient unit: how changing work outlives the connection that asked for it.

:class:`Launcher` (in the module) ships this package's source and a job to ``/run/deskside/<slug>`` and starts
``deskside-<slug>.service`` there. :func:`main` (in the unit) holds the work lock, carries out the job and writes the result
itself, into the guard record and ``result.json``. Where there is no systemd the same job runs in a child process.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from typing import Any, Dict, List, Optional

from . import _guard, _os_update_backends
from . import _os_update_engine as engine
from . import _os_update_model as model
from ._os_update_host import Host

PACKAGE = "deskside_apply"
PARTS = (
    "_guard", "_os_update_model", "_os_update_host", "_os_update_cache", "_os_update_backend", "_os_update_apt", "_os_update_backends",
    "_os_update_engine", "_os_update_unit",
)  # fmt: skip
RUN = "/run/deskside"
WORK_LOCK = f"{_guard.ROOT}/work.lock"
START = f"import sys\n\nsys.path.insert(0, sys.argv[1])\nfrom {PACKAGE}._os_update_unit import main\n\nmain(sys.argv[1])\n"


class Launcher:
    """Starts the unit of one job, waits for it and reads what it did."""

    def __init__(self, slug: str, unit: str, limit: float) -> None:
        self.slug = slug
        self.unit = unit
        self.limit = limit
        self.folder = os.path.join(RUN, slug)
        self.warnings: List[str] = []

    def run(self, job: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """Carry out a job. Returns the result dict, ``None`` when the unit ended without one (see :meth:`lines`)."""
        self._stop_leftover()
        self._ship(job)
        argv = [sys.executable, "-I", "-B", os.path.join(self.folder, "start.py"), self.folder]
        if _guard.has_systemd():
            argv = [
                "systemd-run", "--quiet", "--collect", "--wait", f"--unit={self.unit}", f"--description=deskside: {self.slug}",
                "--property=TimeoutStopSec=60", "--property=OOMScoreAdjust=-500", *argv,
            ]  # fmt: skip
        else:
            self.warnings.append("this device runs without systemd: the update was not protected against a lost connection")
        with open(os.path.join(self.folder, "start.log"), "wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            process.wait(timeout=self.limit)
        except subprocess.TimeoutExpired:
            return None
        self.wait()
        return self.result()

    def wait(self) -> bool:
        """Wait until the unit has ended, however that is learned; False = it still runs at the limit."""
        deadline, pause = time.monotonic() + self.limit, 0.1
        while _guard.unit_alive(self.unit):
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)
        return True

    def result(self) -> Optional[Dict[str, Any]]:
        """What the unit left, if it came to its end."""
        try:
            with open(os.path.join(self.folder, "result.json"), encoding="utf-8") as handle:
                return dict(json.load(handle))
        except (OSError, ValueError):
            return None

    def lines(self) -> List[str]:
        """Last words of a unit that left no result."""
        text = ""
        for name in ("start.log", "unit.log"):
            try:
                with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as handle:
                    text += handle.read()
            except OSError:
                continue
        return model.tail(text)

    def clear(self) -> None:
        """Remove the job's files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop_leftover(self) -> None:
        """A unit of a worker that was overtaken before its first change cannot begin any more: end it."""
        if not _guard.unit_alive(self.unit):
            return
        subprocess.run(["systemctl", "stop", self.unit], stdin=subprocess.DEVNULL, capture_output=True, timeout=90, check=False)
        if _guard.unit_alive(self.unit):
            raise model.RefusedUpdateError(f"{self.unit} of an earlier worker does not end: look at it on the device")

    def _ship(self, job: Dict[str, Any]) -> None:
        os.makedirs(RUN, mode=0o700, exist_ok=True)
        self.clear()
        package = os.path.join(self.folder, PACKAGE)
        os.makedirs(package, mode=0o700)
        texts = {os.path.join(package, f"{part}.py"): _source(part) for part in PARTS}
        texts[os.path.join(package, "__init__.py")] = ""
        texts[os.path.join(self.folder, "start.py")] = START
        for path, text in texts.items():
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(text)
        _guard.write_atomically(os.path.join(self.folder, "job.json"), json.dumps(job))


def _source(part: str) -> str:
    """Source of one of our modules, also from inside the archive in which Ansible ships it."""
    name = f"{__package__}.{part}"
    loader = importlib.import_module(name).__spec__.loader  # type: ignore[union-attr]
    text = loader.get_source(name)  # type: ignore[union-attr]
    if text is None:
        raise model.RefusedUpdateError(f"the source of {name} is not at hand: this Ansible ships modules in an unknown way")
    return str(text)


# -- in the unit ------------------------------------------------------------------------------------------------------


def main(folder: str) -> None:
    """Entry point of the unit: carry out ``job.json``, leave ``result.json``."""
    log = os.open(os.path.join(folder, "unit.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as handle:
        job = json.load(handle)
    result = work(Host(), job)
    _guard.write_atomically(os.path.join(folder, "result.json"), json.dumps(result))


def work(host: Host, job: Dict[str, Any]) -> Dict[str, Any]:
    """Carry out a job under the work lock, and settle the guard."""
    options = model.Options.of(job["options"])
    ticket = _guard.Ticket.of(job["guard"]) if job["guard"] else None
    room = _guard.GuardRoom()
    owner: List[str] = []

    def begin(plan: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
        if ticket is None:
            return None
        if not owner:
            owner.append(room.begin(ticket, plan))
        elif plan is not None:
            room.add_plan(ticket, owner[0], plan)
        return (room.read(ticket) or {}).get("plan")

    lock = -1
    try:
        lock = take_work_lock(job["unit"], options.lock_wait)
        result = engine.Update(host, _os_update_backends.choose(host, options), begin, resume=job["resume"]).carry_out()
    except (model.RefusedUpdateError, _guard.GuardError) as error:
        return engine.refused(error)
    except Exception as error:  # noqa: BLE001 - the last resort: whatever went wrong, the result says so
        traceback.print_exc()
        result = model.report("failed", f"os_update itself failed: {error!r}", lines=model.tail(traceback.format_exc()))
    finally:
        if lock >= 0:
            os.close(lock)
    if ticket is not None:
        room.finish(ticket, owner[0] if owner else None, ok=result["state"] != "failed", result=result)
    return result


def take_work_lock(unit: str, limit: float) -> int:
    """Hold ``work.lock``: only one run of ours changes this device at a time.

    Raises:
        RefusedUpdateError: Another one does, for longer than the limit.
    """
    os.makedirs(_guard.ROOT, mode=0o755, exist_ok=True)
    handle = os.open(WORK_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + limit
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                who = os.pread(handle, 300, 0).decode(errors="replace").strip() or "another run"
                os.close(handle)
                raise model.RefusedUpdateError(f"{who} is changing this device; waited {limit:.0f} s for it") from None
            time.sleep(0.5)
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{unit} (pid {os.getpid()})\n".encode(), 0)
    return handle
