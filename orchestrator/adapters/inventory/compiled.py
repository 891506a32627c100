"""A small inventory for one job: one JSON file that Ansible reads much faster, and that says exactly the same.

Written from the snapshot, so that a run sees what its plan saw. All groups and devices are in it, because a template may ask
``groups`` or another device's ``hostvars``. Values are raw: templates unrendered, vault values as ciphertext.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from orchestrator.application.errors import InventoryError
from orchestrator.application.ports import InventorySnapshot, InventorySource

FILE_NAME = "hosts.json"


def compile_inventory(inventory: InventorySource | InventorySnapshot, hosts: Collection[str], directory: Path) -> Path | None:
    """Write the compiled inventory of a job into a private directory.

    Args:
        inventory: The office's inventory, or what it said when the plan was made.
        hosts: The devices of the job; all must exist.
        directory: Existing and private; the file gets mode 0600.

    Returns:
        The file for ``-i``, or ``None`` when only the real inventory says the same (``InventorySnapshot.not_portable`` tells why).

    Raises:
        InventoryError: Ansible cannot read the inventory, or a device is not in it.
    """
    snapshot = inventory if isinstance(inventory, InventorySnapshot) else inventory.load()
    missing = sorted(set(hosts) - set(snapshot.devices))
    if missing:
        raise InventoryError(f"{', '.join(missing)} left the inventory after the plan was made: plan again")
    if snapshot.not_portable:
        return None
    path = directory / FILE_NAME
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(compiled_text(snapshot, frozenset(hosts)))
    return path


def compiled_text(snapshot: InventorySnapshot, hosts: Collection[str]) -> str:
    """The compiled inventory, in the JSON form of Ansible's yaml inventory plugin.

    The variables of the job's devices are flattened onto them: the precedence of groups is already decided. The others say
    only what their groups do not say for them, so that the file stays small and is read fast. Groups keep their variables, also
    for the implicit localhost and for devices that a playbook adds while it runs. (For the latter, one level is lost: a file in
    group_vars of a parent group no longer wins over the inventory's own line for a child group.)
    """
    everything = {
        "hosts": {name: _variables(snapshot, name, full=name in hosts) for name in snapshot.groups["all"]},
        # Naming all groups here first keeps the order of the `groups` variable.
        "children": {name: {} for name in snapshot.groups if name != "all"},
        "vars": dict(snapshot.group_vars.get("all", {})),
    }
    inventory: dict[str, Any] = {"all": everything}
    for name in snapshot.groups:
        if name not in {"all", "ungrouped"}:
            inventory[name] = _group(snapshot, name)
    return json.dumps(inventory, ensure_ascii=False)


def _variables(snapshot: InventorySnapshot, name: str, *, full: bool) -> Mapping[str, Any]:
    everything = snapshot.devices[name].vars
    return dict(everything if full else snapshot.host_vars.get(name, everything))


def _group(snapshot: InventorySnapshot, name: str) -> Mapping[str, Any]:
    return {
        "hosts": dict.fromkeys(snapshot.groups[name]),
        "children": dict.fromkeys(snapshot.children.get(name, ())),
        "vars": dict(snapshot.group_vars.get(name, {})),
    }
