# Copyright (c) 2026 deskside
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard on the device: who may change it, once per occurrence and step (docs/explanation/contracts.md, section 3).

Python >= 3.9, standard library only: this file runs on devices, inside modules and inside the transient unit.

    room = GuardRoom()                                  # /var/lib/deskside, the real boot identity, the real systemd
    ticket = Ticket.of({"occurrence": ..., "step": ..., "fence": 3})
    claim = room.claim(ticket)                          # rules 1-5 -> REFUSE, ADOPT, ATTACH, RESUME, GO
    owner = room.begin(ticket, plan)                    # "applying", written before the first change
    room.finish(ticket, owner, ok=True, result={...})   # the result, written by whoever did the work
    room.note_reboot(ticket)                            # before a restart is asked for

Every doubt (an unreadable record, a lock that cannot be had) raises :class:`GuardError`: the caller changes nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import subprocess
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, Optional

ROOT = "/var/lib/deskside"
STATES = ("claimed", "applying", "done", "failed")
LOCK_WAIT = 10.0

REFUSE = "refuse"
ADOPT = "adopt"
ATTACH = "attach"
RESUME = "resume"
GO = "go"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,179}\Z")
_ALIVE = ("active", "activating", "deactivating", "reloading", "refreshing")


class GuardError(Exception):
    """The guard cannot be believed or had: nothing may be changed."""


class GuardRefusedError(GuardError):
    """A newer worker owns this step."""


@dataclass(frozen=True)
class Ticket:
    """The right with which a run comes: which occurrence, which step, which fence."""

    occurrence: str
    step: str
    fence: int

    @classmethod
    def of(cls, value: Any) -> Ticket:
        """Read ``deskside_guard``.

        Raises:
            GuardError: It is not ``{"occurrence": text, "step": text, "fence": number}``.
        """
        if not isinstance(value, dict) or set(value) != {"occurrence", "step", "fence"}:
            raise GuardError(f"guard must have exactly the keys occurrence, step and fence, not {value!r}")
        try:
            fence = int(value["fence"])
        except (TypeError, ValueError):
            raise GuardError(f"guard.fence must be a whole number, not {value['fence']!r}") from None
        ticket = cls(str(value["occurrence"]), str(value["step"]), fence)
        if fence < 0 or not _NAME.match(ticket.slug) or not ticket.occurrence or not ticket.step:
            raise GuardError(
                f"guard {ticket.occurrence!r}/{ticket.step!r}/{fence} is not usable: "
                "letters, digits and _ . : - / (at most 180), and a fence from 0"
            )
        return ticket

    @property
    def slug(self) -> str:
        """Name of the record: ``<occurrence>.<step>``, ``/`` as ``_``."""
        return f"{self.occurrence}.{self.step}".replace("/", "_")

    @property
    def unit(self) -> str:
        """Name of the transient unit which does the changing work."""
        return f"deskside-{self.slug}.service"


@dataclass(frozen=True)
class Claim:
    """What the guard says to a run: ``verdict`` is one of REFUSE, ADOPT, ATTACH, RESUME, GO."""

    verdict: str
    record: Dict[str, Any] = field(default_factory=dict)
    reason: str = ""


def boot_identity(proc: str = "/proc") -> str:
    """Say which boot this is: ``<boot_id>.<start of PID 1 in ticks>``.

    The first half changes when a machine restarts, the second also when a container does (its boot_id is the host's).
    The time stamp of /proc/1 itself would not do: the kernel renews it when it drops the inode from memory.

    Raises:
        GuardError: /proc does not say it.
    """
    try:
        with open(os.path.join(proc, "sys/kernel/random/boot_id"), encoding="ascii") as handle:
            boot = handle.read().strip()
        with open(os.path.join(proc, "1/stat"), encoding="utf-8", errors="replace") as handle:
            ticks = handle.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError) as error:
        raise GuardError(f"the boot identity of this device cannot be read: {error}") from error
    return f"{boot}.{ticks}"


def has_systemd() -> bool:
    """Whether systemd is the running init: only then are there transient units."""
    return os.path.isdir("/run/systemd/system")


def unit_alive(unit: str) -> bool:
    """Whether systemd still runs this unit. Where there is no systemd nothing outlives its caller unseen: False."""
    if not has_systemd():
        return False
    try:
        done = subprocess.run(
            ["systemctl", "show", "--property=ActiveState", "--value", unit],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise GuardError(f"systemd does not say whether {unit} runs: {error}") from error
    if done.returncode != 0:
        raise GuardError(f"systemd does not say whether {unit} runs: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip() in _ALIVE


@dataclass
class GuardRoom:
    """The guard records of this device. ``boot``, ``alive`` and ``now`` are given so that rules can be tested without a device."""

    root: str = ROOT
    boot: Callable[[], str] = boot_identity
    alive: Callable[[str], bool] = unit_alive
    now: Callable[[], float] = time.time

    def path(self, ticket: Ticket) -> str:
        """File of the record."""
        return os.path.join(self.root, "guard", ticket.slug + ".json")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold ``guard/lock`` exclusively; waits at most LOCK_WAIT seconds.

        Raises:
            GuardError: Somebody holds it for longer, or the directory cannot be made.
        """
        folder = os.path.join(self.root, "guard")
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            handle = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise GuardError(f"the guard directory {folder} cannot be used: {error}") from error
        try:
            _flock_within(handle, LOCK_WAIT, folder)
            yield
        finally:
            os.close(handle)

    def read(self, ticket: Ticket) -> Optional[Dict[str, Any]]:
        """Return the record, ``None`` when there is none.

        Raises:
            GuardError: There is one, but it cannot be believed.
        """
        path = self.path(ticket)
        try:
            with open(path, encoding="utf-8") as handle:
                record = json.load(handle)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise GuardError(_unbelievable(path, error)) from error
        wrong = _wrong(record, ticket)
        if wrong:
            raise GuardError(_unbelievable(path, wrong))
        return record

    def claim(self, ticket: Ticket) -> Claim:
        """Apply rules 1 to 5, in this order, and write what they say. See :class:`Claim`."""
        with self.locked():
            record = self.read(ticket)
            verdict = judge(record, ticket, self.alive)
            if verdict.verdict in (REFUSE, ADOPT):
                return verdict
            if verdict.verdict == GO:
                record = self._fresh(ticket, (record or {}).get("reboot"))
            else:
                record = dict(verdict.record, fence=ticket.fence)
            self._write(ticket, record)
            return Claim(verdict.verdict, record)

    def begin(self, ticket: Ticket, plan: Optional[Dict[str, Any]] = None) -> str:
        """Write ``applying``; call it before the first change. A plan that is already there (RESUME) is kept and added to.

        Returns:
            The owner token which :meth:`finish` asks for.

        Raises:
            GuardRefusedError: A newer worker has claimed the step meanwhile.
            GuardError: The record is gone, or the step is already settled.
        """
        with self.locked():
            record = self._mine(ticket)
            if record["state"] in ("done", "failed"):
                raise GuardError(f"{ticket.slug} is already {record['state']}")
            owner = secrets.token_hex(8)
            self._write(ticket, dict(record, state="applying", owner=owner, plan=merge_plans(record.get("plan"), plan)))
            return owner

    def add_plan(self, ticket: Ticket, owner: str, plan: Dict[str, Any]) -> None:
        """Add what is about to change to the plan of an apply that has begun; what is there already stays as it is.

        Raises:
            GuardRefusedError: The step belongs to another apply.
        """
        with self.locked():
            record = self._owned(ticket, owner)
            self._write(ticket, dict(record, plan=merge_plans(record.get("plan"), plan)))

    def finish(self, ticket: Ticket, owner: Optional[str], *, ok: bool, result: Dict[str, Any]) -> None:
        """Write the end: ``done`` or ``failed`` with the result dict.

        With ``owner``: only while this apply is still the one of the record (a newer worker that attached does not stop
        it). Without: the step ends without ever having applied anything, so the fence must still be ours.

        Raises:
            GuardRefusedError: The step belongs to another apply or a newer worker.
        """
        with self.locked():
            record = self._owned(ticket, owner) if owner else self._mine(ticket)
            if not owner and record["state"] != "claimed":
                raise GuardRefusedError(f"{ticket.slug} is {record['state']}, not claimed")
            state = "done" if ok else "failed"
            self._write(ticket, dict(record, state=state, finished=self.now(), result=result))

    def settled(self, ticket: Ticket) -> Optional[Dict[str, Any]]:
        """Return the record once it is ``done`` or ``failed``, else ``None``."""
        record = self.read(ticket)
        return record if record and record["state"] in ("done", "failed") else None

    def note_reboot(self, ticket: Ticket) -> str:
        """Record a restart before it is asked for.

        Returns:
            ``"ask"`` = recorded, now ask for it; ``"happened"`` = it was recorded earlier and the device has restarted
            since; ``"asked"`` = recorded earlier in this boot: it was asked for (or the worker died just before).

        Raises:
            GuardRefusedError: A newer worker has taken over.
        """
        with self.locked():
            record = self.read(ticket)
            if record is not None and record["fence"] > ticket.fence:
                raise GuardRefusedError(taken_over(record))
            record = dict(record or self._fresh(ticket, None), fence=ticket.fence)
            before = (record.get("reboot") or {}).get("before")
            present = self.boot()
            if before is None:
                record["reboot"] = {"before": present, "at": self.now()}
            self._write(ticket, record)
            return "ask" if before is None else ("asked" if before == present else "happened")

    def _fresh(self, ticket: Ticket, reboot: Optional[Dict[str, Any]]) -> Dict[str, Any]:
        return {
            "v": 1, "occurrence": ticket.occurrence, "step": ticket.step, "fence": ticket.fence, "state": "claimed",
            "unit": ticket.unit, "started": self.now(), "finished": None, "boot": self.boot(), "reboot": reboot, "result": None,
        }  # fmt: skip

    def _present(self, ticket: Ticket) -> Dict[str, Any]:
        record = self.read(ticket)
        if record is None:
            raise GuardError(f"the guard record {self.path(ticket)} has vanished; nothing was changed")
        return record

    def _mine(self, ticket: Ticket) -> Dict[str, Any]:
        record = self._present(ticket)
        if record["fence"] != ticket.fence:
            raise GuardRefusedError(taken_over(record))
        return record

    def _owned(self, ticket: Ticket, owner: str) -> Dict[str, Any]:
        record = self._present(ticket)
        if record.get("owner") != owner or record["state"] != "applying":
            raise GuardRefusedError(f"the apply of {ticket.slug} has been taken over")
        return record

    def _write(self, ticket: Ticket, record: Dict[str, Any]) -> None:
        try:
            write_atomically(self.path(ticket), json.dumps(record, sort_keys=True) + "\n")
        except OSError as error:
            raise GuardError(f"the guard record {self.path(ticket)} cannot be written: {error}") from error


def judge(record: Optional[Dict[str, Any]], ticket: Ticket, alive: Callable[[str], bool]) -> Claim:
    """Apply the five rules to a record; pure but for ``alive``, which is asked only about an apply in the making."""
    if record is None:
        return Claim(GO)
    if record["fence"] > ticket.fence:
        return Claim(REFUSE, record, taken_over(record))
    if record["state"] in ("done", "failed"):
        return Claim(ADOPT, record)
    if record["state"] == "applying":
        return Claim(ATTACH if alive(record["unit"]) else RESUME, record)
    return Claim(GO, record)


def taken_over(record: Dict[str, Any]) -> str:
    """Reason of rule 1."""
    return f"a newer worker (fence {record['fence']}) has taken over"


def merge_plans(kept: Optional[Dict[str, Any]], more: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    """Add to a plan (a dict of dicts and lists) what is not in it yet: what was planned first stays as it was."""
    merged = dict(kept or {})
    for key, value in (more or {}).items():
        old = merged.get(key)
        if isinstance(value, dict):
            merged[key] = {**value, **(old or {})}
        else:
            merged[key] = list(dict.fromkeys([*(old or []), *value]))
    return merged


def write_atomically(path: str, text: str, mode: int = 0o600) -> None:
    """Replace a file so that a reader, or a power cut, sees the old or the new one, never half of it."""
    folder = os.path.dirname(path)
    part = f"{path}.{os.getpid()}.part"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(part, path)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _flock_within(handle: int, seconds: float, folder: str) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise GuardError(f"{folder}/lock is held by another process for more than {seconds:.0f} s") from None
            time.sleep(0.05)
        else:
            return


def _wrong(record: Any, ticket: Ticket) -> str:
    if not isinstance(record, dict) or record.get("v") != 1:
        return "it is no record of version 1"
    if (record.get("occurrence"), record.get("step")) != (ticket.occurrence, ticket.step):
        return f"it belongs to {record.get('occurrence')!r}/{record.get('step')!r}"
    if not isinstance(record.get("fence"), int) or isinstance(record.get("fence"), bool):
        return f"fence is {record.get('fence')!r}"
    if record.get("state") not in STATES:
        return f"state is {record.get('state')!r}"
    if not isinstance(record.get("unit"), str):
        return f"unit is {record.get('unit')!r}"
    if record["state"] in ("done", "failed") and record.get("result") is None:
        return f"it is {record['state']} without a result"
    for key in ("result", "reboot", "plan"):
        if not isinstance(record.get(key), (dict, type(None))):
            return f"{key} is {record.get(key)!r}"
    return ""


def _unbelievable(path: str, why: Any) -> str:
    return (
        f"the guard record {path} cannot be believed ({why}); nothing was done: "
        "look at it, find out what that run did, then remove the file"
    )
