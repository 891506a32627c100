"""Where the office directory and the state directory are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from orchestrator.application.errors import NotFoundError

MAIN_FILE = "maintenance.yml"
FRAGMENTS = "maintenance.d"
PEOPLE_FILE = "people.yml"
SERVICE_STATE = Path("/var/lib/deskside")


def find_office(explicit: Path | None, env: Mapping[str, str], cwd: Path) -> Path:
    """Find the office directory: ``--office``, then ``$DESKSIDE_OFFICE``, then the nearest parent that holds maintenance.yml.

    Raises:
        NotFoundError: There is none; the message says how to make one.
    """
    variable = env.get("DESKSIDE_OFFICE", "")
    if explicit is not None:
        # The command line hands on the variable as if it had been given: the message names what the person has to change.
        return _named_office(cwd / explicit, "$DESKSIDE_OFFICE" if variable == str(explicit) else "--office")
    if variable:
        return _named_office(cwd / variable, "$DESKSIDE_OFFICE")
    for folder in (cwd, *cwd.parents):
        if (folder / MAIN_FILE).is_file():
            return folder
    raise NotFoundError(
        f"no office directory: neither {cwd} nor a directory above it holds {MAIN_FILE}. "
        "Name one with --office or $DESKSIDE_OFFICE, or make one with: deskside init"
    )


def _named_office(folder: Path, origin: str) -> Path:
    if (folder / MAIN_FILE).is_file():
        return folder
    why = f"has no {MAIN_FILE}" if folder.is_dir() else "is not a directory"
    raise NotFoundError(f"{origin} {folder} {why}. Name an office directory, or make one with: deskside init --office {folder}")


def find_state(explicit: Path | None, env: Mapping[str, str], *, uid: int, home: Path) -> Path:
    """Find the state directory: ``--state``, ``$DESKSIDE_STATE``, the service's own for root and for the service, else the user's."""
    if explicit is not None:
        return explicit.absolute()
    if env.get("DESKSIDE_STATE"):
        return Path(env["DESKSIDE_STATE"]).absolute()
    if uid == 0 or os.access(SERVICE_STATE, os.W_OK):
        return SERVICE_STATE
    base = env.get("XDG_STATE_HOME", "")
    # The specification of XDG says that a relative path is to be ignored.
    return (Path(base) if Path(base).is_absolute() else home / ".local" / "state") / "deskside"
