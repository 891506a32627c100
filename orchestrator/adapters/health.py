"""What `deskside doctor` asks of the controller itself."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.adapters.calendars import tzdata_version
from orchestrator.application.check_readiness import HouseCheck
from orchestrator.application.errors import DesksideError
from orchestrator.application.ports import Channel, Store

MIN_FREE_MB = 500


def house_checks(
    *, channels: Callable[[], Mapping[str, Channel]], state: Path, store: Callable[[], Store]
) -> tuple[Callable[[], HouseCheck], ...]:
    """Mail out, clock, tzdata, store and state directory, the engine, Ansible with its containment."""
    return (lambda: _mail(channels), _clock, _tzdata, lambda: _store(store, state), lambda: _engine(state), _ansible)


def _mail(channels: Callable[[], Mapping[str, Channel]]) -> HouseCheck:
    """Connects and logs in, sends nothing."""
    try:
        ways = channels()
        for name, channel in ways.items():
            ask = getattr(channel, "check", None)
            why = ask() if callable(ask) else ""
            if why:
                return HouseCheck(name="mail out", why=f"{name}: {why}")
    except DesksideError as error:
        return HouseCheck(name="mail out", why=error.message)
    if not ways:
        return HouseCheck(name="mail out", why="no channel is configured: nobody will be told")
    return HouseCheck(name="mail out", why="", detail=", ".join(ways))


def _clock() -> HouseCheck:
    """Ask systemd, which knows whether the clock is kept; without systemd nobody does, and that is said."""
    if shutil.which("timedatectl") is None:
        return HouseCheck(name="clock", why="", detail="not checked: no timedatectl here")
    done = subprocess.run(
        ["timedatectl", "show", "-p", "NTPSynchronized", "--value"], capture_output=True, text=True, timeout=10, check=False
    )
    answer = done.stdout.strip()
    if done.returncode != 0 or answer not in {"yes", "no"}:
        return HouseCheck(name="clock", why="", detail="not checked: systemd does not answer")
    return HouseCheck(name="clock", why="" if answer == "yes" else "the clock is not synchronised (timedatectl)", detail=answer)


def _tzdata() -> HouseCheck:
    version = tzdata_version()
    return HouseCheck(
        name="time zones", why="" if version != "unknown" else "no IANA version is known: install tzdata", detail=version
    )


def _store(store: Callable[[], Store], state: Path) -> HouseCheck:
    try:
        store().locks()
    except DesksideError as error:
        return HouseCheck(name="state", why=error.message)
    free = shutil.disk_usage(state).free // 2**20
    why = "" if free >= MIN_FREE_MB else f"{free} MB free in {state}, {MIN_FREE_MB} MB are needed"
    return HouseCheck(name="state", why=why, detail=f"{state}, {free} MB free")


def _engine(state: Path) -> HouseCheck:
    """The durable engine loads and its database opens; who carries out the work here, if anybody does now."""
    from orchestrator.adapters.engine.database import open_engine_database
    from orchestrator.adapters.engine.executor_lock import lock_file

    try:
        from dbos import DBOS

        open_engine_database(state).dispose()
    except (ImportError, DesksideError) as error:
        return HouseCheck(name="engine", why=str(error))
    holder = lock_file(state, "local")
    return HouseCheck(name="engine", why="", detail=f"{DBOS.__name__}, {'used before' if holder.exists() else 'never used yet'}")


def _ansible() -> HouseCheck:
    from orchestrator.adapters.runner.containment import containment
    from orchestrator.adapters.runner.runner import program

    try:
        program("ansible-playbook")
        return HouseCheck(name="ansible", why="", detail=f"contained by {containment().name}")
    except DesksideError as error:
        return HouseCheck(name="ansible", why=error.message)
