"""``AnsibleInventory``: devices, groups and patterns as Ansible itself resolves them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.adapters.inventory.fingerprint import Fingerprint, fingerprint
from orchestrator.adapters.inventory.process import ask
from orchestrator.application.errors import InventoryError, Problem
from orchestrator.application.office import Site
from orchestrator.application.ports import InventorySnapshot
from orchestrator.domain.device import Device
from orchestrator.domain.source import NOWHERE, Source

TIMEOUT = 120.0
_FAILED = re.compile(r"Failed to parse inventory with '([^']+)' plugin: (.+)")
_ORIGIN = re.compile(r"^Origin: (\S+?):(\d+):(\d+)", re.MULTILINE)


class AnsibleInventory:
    """Reads the office's inventory. What can be read again without Ansible noticing a difference is kept (see ``fingerprint``).

    Args:
        root: The office directory; its ansible.cfg is honoured.
        sources: What Ansible takes after ``-i``: absolute paths or ``host,``.
        sites: The office's sites; a device belongs to the first whose group holds it.
        timeout: Seconds one reading may take.
    """

    def __init__(
        self, root: Path, sources: Sequence[str], sites: Mapping[str, Site] | None = None, *, timeout: float = TIMEOUT
    ) -> None:
        self._root = root
        self._sources = tuple(sources)
        self._sites = dict(sites or {})
        self._timeout = timeout
        self._kept: tuple[Fingerprint, InventorySnapshot] | None = None

    def load(self, patterns: Collection[str] = ()) -> InventorySnapshot:
        """Resolve devices, groups and patterns, exactly as ``--limit`` would.

        Raises:
            InventoryError: Ansible cannot read it, or a device's ``deskside_users`` is no list of names.
        """
        self._refuse_early(patterns)
        before = fingerprint(self._root, self._sources)
        if before is not None and self._kept and self._kept[0] == before and set(patterns) <= set(self._kept[1].matches):
            return self._kept[1]
        snapshot = self._read(patterns)
        # A file that changed while Ansible read it is read again next time.
        self._kept = (before, snapshot) if before is not None and before == fingerprint(self._root, self._sources) else None
        return snapshot

    def _read(self, patterns: Collection[str]) -> InventorySnapshot:
        answer = ask("reader.py", {"sources": self._sources, "patterns": sorted(patterns)}, root=self._root, timeout=self._timeout)
        if "error" in answer:
            raise _refusal(answer["error"], answer.get("warnings", ()), self._root)
        if answer["problems"]:
            problems = tuple(_problem(each, self._root) for each in answer["problems"])
            raise InventoryError("; ".join(f"{each.thing}: {each.message}" for each in problems), problems=problems)
        return self._snapshot(answer)

    def _refuse_early(self, patterns: Collection[str]) -> None:
        if not self._sources:
            raise InventoryError(
                f"{self._root} has no inventory: write inventory: [YOUR_FILE] into maintenance.yml, or put hosts.yml there"
            )
        for pattern in patterns:
            if not pattern.strip() or pattern.startswith("@"):
                raise InventoryError(f'"{pattern}" is not a pattern of groups and devices')
        for source in self._sources:
            if "," not in source and not Path(source).exists():
                raise InventoryError(f"the inventory {source} does not exist")

    def _snapshot(self, answer: Mapping[str, Any]) -> InventorySnapshot:
        return InventorySnapshot(
            devices={name: self._device(name, found) for name, found in answer["hosts"].items()},
            groups=_tuples(answer["groups"]),
            matches=_tuples(answer["matches"]),
            warnings=tuple(_one_line(warning) for warning in answer["warnings"]),
            children=_tuples(answer["children"]),
            group_vars=answer["group_vars"],
            host_vars=answer["own"],
            not_portable=tuple(answer["reasons"]),
        )

    def _device(self, name: str, found: Mapping[str, Any]) -> Device:
        variables = found["vars"]
        groups = frozenset(found["groups"])
        users = variables.get("deskside_users")
        return Device(
            name=name,
            groups=groups,
            users=None if users is None else tuple(users),
            site=next((site.name for site in self._sites.values() if site.group in groups), None),
            address=_text(variables.get("ansible_host")) or name,
            mac=_text(variables.get("deskside_mac")),
            vars=variables,
        )


def _tuples(found: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(members) for name, members in found.items()}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _problem(found: Mapping[str, Any], root: Path) -> Problem:
    file = found["file"]
    if file and Path(file).is_relative_to(Path.cwd()):
        file = str(Path(file).relative_to(Path.cwd()))
    elif file and Path(file).is_relative_to(root):
        file = str(Path(file).relative_to(root.parent))
    source = Source(file, found["line"], found["column"]) if file else NOWHERE
    return Problem(source, found["thing"], found["message"])


def _one_line(text: str) -> str:
    return " ".join(text.removeprefix("[WARNING]:").split())


def _refusal(error: str, warnings: Sequence[str], root: Path) -> InventoryError:
    """Ansible's own words. Why a source could not be parsed is only in the warnings before the error: one per plugin that tried."""
    reasons: dict[str, Problem] = {}
    for warning in warnings:
        failed = _FAILED.search(warning)
        if failed:
            origin = _ORIGIN.search(warning)
            place = (
                {"file": origin[1], "line": int(origin[2]), "column": int(origin[3])}
                if origin
                else {"file": "", "line": 0, "column": 0}
            )
            problem = _problem({"thing": "inventory", "message": failed[2].strip(), **place}, root)
            reasons.setdefault(problem.message, problem)
    placed = [problem for problem in reasons.values() if problem.source.line]
    text = _one_line(error)
    # The plugin that understood the file far enough to name a line is the one that was meant.
    told = placed or list(reasons.values())
    details = "; ".join(f"{problem.source}: {problem.message}" if problem.source.line else problem.message for problem in told)
    return InventoryError(f"{text}: {details}" if details else text, problems=tuple(placed))
