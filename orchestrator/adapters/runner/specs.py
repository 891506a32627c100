"""What a playbook says about itself: the ``.meta.yml`` beside it, read without Ansible."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from orchestrator.application.errors import ConfigurationError, NotFoundError

COLLECTION = "deskside.workplace"
_KEYS = frozenset({"needs_window", "may_reboot", "undo", "inventory", "probe", "guard"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybookSpec:
    """What deskside must know before it runs a playbook.

    Attributes:
        name: Short name in our collection, or the path as given.
        path: Its file.
        needs_window: It changes devices in a way that people notice.
        may_reboot: It has a part that may restart the device.
        undo: How it is undone: a playbook name, ``packages``, ``snapshot`` or ``none``.
        inventory: ``job`` = a small compiled inventory will do, ``office`` = the real one.
        probe: Name of the question that can prove that nothing is to be done (``packages``), empty = none can.
        guard: ``inside`` = it speaks with the device's guard itself, ``wrap`` = we do around it.
        options: Its variables: name → argument spec.
        described: False when there is no meta file (a foreign playbook): everything above is the careful default.
    """

    name: str
    path: Path
    short_description: str = ""
    description: str = ""
    needs_window: bool = True
    may_reboot: bool = True
    undo: str = "none"
    inventory: str = "office"
    probe: str = ""
    guard: str = "wrap"
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    described: bool = True

    @property
    def reference(self) -> str:
        """What ansible-playbook is given."""
        return (
            f"{COLLECTION}.{self.name}"
            if self.name == self.path.stem and self.path.parent == playbook_directory()
            else str(self.path)
        )


@cache
def playbook_directory() -> Path:
    """Where our playbooks lie: the repository, or the collection inside an installed wheel.

    Raises:
        NotFoundError: Neither is there.
    """
    root = Path(__file__).resolve().parents[3]
    for place in (root / "playbooks", root / "ansible_collections" / "deskside" / "workplace" / "playbooks"):
        if place.is_dir() and (place.parent / "galaxy.yml").is_file():
            return place
    raise NotFoundError(f"the collection {COLLECTION} lies neither in {root} nor beside it; install deskside again")


def playbook_names() -> tuple[str, ...]:
    """Every playbook of our collection, sorted."""
    return tuple(sorted(path.stem for path in playbook_directory().glob("*.yml") if not path.name.endswith(".meta.yml")))


def playbook_spec(name_or_path: str, *, cwd: Path | None = None, office: Path | None = None) -> PlaybookSpec:
    """Find a playbook and read what it says about itself.

    Args:
        name_or_path: ``apply_os_updates``, ``deskside.workplace.apply_os_updates`` or a path.
        cwd: Where a relative path starts; default the present directory.
        office: Where it is looked for next.

    Raises:
        NotFoundError: There is no such playbook.
        ConfigurationError: Its meta file is not what it should be.
    """
    short = name_or_path.removeprefix(f"{COLLECTION}.")
    if short in playbook_names():
        return _read(short, playbook_directory() / f"{short}.yml")
    for base in (cwd or Path.cwd(), office):
        path = (base / name_or_path).resolve() if base is not None else None
        if path is not None and path.is_file():
            return _read(str(path), path)
    close = difflib.get_close_matches(short, playbook_names(), n=1)
    hint = f' Did you mean "{close[0]}"?' if close else f" Known: {', '.join(playbook_names())}; or give the path of a file."
    raise NotFoundError(f'no playbook is called "{name_or_path}".{hint}')


def _read(name: str, path: Path) -> PlaybookSpec:
    meta = path.with_name(f"{path.stem}.meta.yml")
    if not meta.is_file():
        return PlaybookSpec(name=name, path=path, described=False)
    try:
        document = yaml.safe_load(meta.read_text(encoding="utf-8"))
        own = document["argument_specs"][path.stem]
        ours = dict(own.get("deskside") or {})
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{meta}: argument_specs.{path.stem} cannot be read ({error}); see CONTRIBUTING.md") from error
    unknown = set(ours) - _KEYS
    if unknown:
        raise ConfigurationError(f"{meta}: deskside.{min(unknown)} is not known; known: {', '.join(sorted(_KEYS))}")
    return PlaybookSpec(
        name=name,
        path=path,
        short_description=str(own.get("short_description") or document.get("short_description") or ""),
        description=str(own.get("description") or document.get("description") or ""),
        options=own.get("options") or {},
        **ours,
    )
