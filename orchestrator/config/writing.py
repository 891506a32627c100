"""Writes a new office directory; never over something that is there, and never where Ansible would read it as inventory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.application.errors import BadInputError, RefusedError
from orchestrator.config.scalars import parse_zone
from orchestrator.config.sources import USUAL


def inventory_for(given: Path | None, office: Path, cwd: Path) -> Path:
    """The inventory to start from: the one given, else the usual file in the office directory or here.

    Raises:
        BadInputError: There is none.
    """
    if given is not None:
        path = cwd / given
        if not path.exists():
            raise BadInputError(f"--inventory {given} does not exist: name a file or a directory that Ansible can read")
        return Path(os.path.normpath(path))
    for folder in dict.fromkeys((office, cwd)):
        for name in USUAL:
            if (folder / name).exists():
                return folder / name
    raise BadInputError(f"there is no inventory in {office}: name yours with --inventory PATH (looked for {', '.join(USUAL)})")


def refuse_early(office: Path, inventory: Path, names: Sequence[str]) -> None:
    """Refuse before anything is written.

    Raises:
        RefusedError: A file is there already, or Ansible would read the new files as inventory.
    """
    for name in names:
        if (office / name).exists():
            raise RefusedError(
                f"{office / name} exists: nothing was written. Remove it, or name another directory with --office DIR"
            )
    if inventory.is_dir() and (office == inventory or inventory in office.parents):
        raise RefusedError(
            f"{office} lies in the inventory directory {inventory}, where Ansible would read deskside's files as inventory: "
            f"nothing was written. Name another directory, for example --office {inventory.parent / 'deskside-office'}"
        )


def source_text(inventory: Path, office: Path) -> str:
    """How maintenance.yml names the inventory: relative where that is short."""
    relative = os.path.relpath(inventory, office)
    return relative if relative.count("..") <= 3 else str(inventory)


def write_new(office: Path, files: Mapping[str, str]) -> tuple[Path, ...]:
    """Write the files; an existing one is never touched, and after a failure nothing of ours stays.

    Raises:
        RefusedError: One exists, or the directory cannot be written.
    """
    written: list[Path] = []
    try:
        office.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with (office / name).open("x", encoding="utf-8") as out:
                written.append(office / name)
                out.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise RefusedError(f"{error.filename or office} cannot be written: {error.strerror}. Nothing was written") from None
    return tuple(written)


def local_zone(etc: Path = Path("/etc")) -> str:
    """The IANA zone of this machine, ``UTC`` when it does not say."""
    candidates = [os.environ.get("TZ", "").removeprefix(":")]
    link = etc / "localtime"
    if link.is_symlink():
        candidates.append(str(link.readlink()).partition("zoneinfo/")[2])
    if (etc / "timezone").is_file():
        candidates.append((etc / "timezone").read_text(encoding="utf-8", errors="replace").strip())
    for candidate in filter(None, candidates):
        try:
            return parse_zone(candidate)
        except ValueError:
            continue
    return "UTC"
