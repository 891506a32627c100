"""Runs in a Python process of its own: asks Ansible what the inventory is and writes one JSON document.

A process of its own, because Ansible reads its configuration once per process, prints while it works, and an inventory plugin
may do anything. Question on stdin, answer on the descriptor that was stdout; what Ansible prints goes to stderr.

Values stay as they are written: templates are not rendered, vault values stay ciphertext. No vault password is ever loaded.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

MARKS = ("{{", "{%", "{#", "#jinja2:")
ORIGINAL_LOADER_VARS = ("inventory_file", "inventory_dir")


def main() -> int:
    """Answer the one question."""
    question = json.load(sys.stdin)
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    warnings: list[str] = []
    try:
        answer = _Reading(question, warnings).answer()
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is the answer
        answer = {"error": str(error) or type(error).__name__, "warnings": warnings}
    with os.fdopen(answer_fd, "w", encoding="utf-8") as out:
        json.dump(answer, out)
    return 0


class _Reading:
    """One reading of the inventory."""

    def __init__(self, question: dict[str, Any], warnings: list[str]) -> None:
        from ansible.plugins.loader import init_plugin_loader

        init_plugin_loader()
        self.warnings = warnings
        self.reasons: list[str] = []
        self.problems: list[dict[str, Any]] = []
        self.patterns: list[str] = question["patterns"]
        self._translated: dict[int, tuple[Any, Any]] = {}
        self._collect_warnings()
        self._open(question["sources"])

    def _collect_warnings(self) -> None:
        """Ansible's warnings are for the snapshot; where it prints them depends on its configuration."""
        from ansible.utils.display import Display

        kept = self.warnings

        def keep(self: Any, msg: Any, color: Any = None, stderr: bool = False, *args: Any, **kwargs: Any) -> None:
            del self, color, args, kwargs
            if stderr and str(msg).strip():
                kept.append(str(msg).strip())

        Display.display = keep

    def _open(self, sources: list[str]) -> None:
        from ansible.inventory.manager import InventoryManager
        from ansible.vars.manager import VariableManager

        loader = _loader(self.reasons)
        first = next((Path(source) for source in sources if "," not in source), Path.cwd())
        # Ansible also reads group_vars beside the "playbook"; there is none, and the working directory must not stand in for it.
        loader.set_basedir(str(first if first.is_dir() else first.parent))
        self.inventory = InventoryManager(loader=loader, sources=sources)
        self.variables = VariableManager(loader=loader, inventory=self.inventory)

    def answer(self) -> dict[str, Any]:
        groups = self.inventory.groups
        raw = {host: self._raw_host(host) for host in groups["all"].get_hosts()}
        group_vars = {name: self._raw_group(group) for name, group in groups.items()}
        self._foreign_plugins()
        return {
            "hosts": {host.name: self._host(host, found) for host, found in raw.items()},
            "own": self._own(raw, group_vars),
            "groups": {name: [host.name for host in group.get_hosts()] for name, group in groups.items()},
            "children": {name: [child.name for child in group.child_groups] for name, group in groups.items()},
            "group_vars": {name: self._portable_dict(found) for name, found in group_vars.items()},
            "matches": {pattern: [host.name for host in self.inventory.get_hosts(pattern)] for pattern in self.patterns},
            "warnings": list(dict.fromkeys(self.warnings)),
            "reasons": list(dict.fromkeys(self.reasons)),
            "problems": self.problems,
        }

    def _raw_host(self, host: Any) -> dict[str, Any]:
        """Every variable of a host as its groups, files and precedence make it."""
        from ansible import constants

        found: dict[str, Any] = self.variables.get_vars(host=host, include_hostvars=False, stage="all")
        for internal in constants.INTERNAL_STATIC_VARS:
            found.pop(internal, None)
        for key in ORIGINAL_LOADER_VARS:
            found[key] = host.vars.get(key)
        return found

    def _host(self, host: Any, found: dict[str, Any]) -> dict[str, Any]:
        name = host.name
        if "[" in name or ":" in name:
            self.reasons.append(f'the name "{name}" means something else in a written inventory')
        self._check_users(name, found.get("deskside_users"))
        groups = sorted(group.name for group in host.get_groups() if group.name not in {"all", "ungrouped"})
        return {"groups": groups, "vars": self._portable_dict(found)}

    def _own(self, raw: dict[Any, dict[str, Any]], group_vars: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """What a host must say itself when its groups say ``group_vars``: Ansible's own merge of the groups is compared."""
        from ansible.inventory.helpers import get_group_vars

        for name, found in group_vars.items():
            self.inventory.groups[name].vars = found
        own: dict[str, dict[str, Any]] = {}
        for host, found in raw.items():
            from_groups = get_group_vars(host.get_groups())
            own[host.name] = self._portable_dict(
                {key: value for key, value in found.items() if key not in from_groups or not self._same(value, from_groups[key])}
            )
        return own

    def _same(self, one: Any, other: Any) -> bool:
        return one is other or bool(self._portable("", one) == self._portable("", other))

    def _raw_group(self, group: Any) -> dict[str, Any]:
        from ansible.utils.vars import combine_vars
        from ansible.vars.plugins import get_vars_from_inventory_sources

        from_plugins = get_vars_from_inventory_sources(self.variables._loader, self.inventory._sources, [group], "all")  # noqa: SLF001 - as ansible-inventory does
        found: dict[str, Any] = combine_vars(group.get_vars(), from_plugins)
        if group.priority != 1:
            found["ansible_group_priority"] = group.priority
        return found

    def _portable_dict(self, found: dict[str, Any]) -> dict[str, Any]:
        return {str(key): self._once(key, value) for key, value in found.items()}

    def _once(self, key: Any, value: Any) -> Any:
        """A group's value is the same object on each of its hosts: it is translated once."""
        kept = self._translated.get(id(value))
        if kept is None or kept[0] is not value:
            kept = self._translated[id(value)] = (value, self._portable(key, value))
        return kept[1]

    def _foreign_plugins(self) -> None:
        """A vars plugin may decrypt or ask a server; its values must not be written into a file."""
        from ansible import constants
        from ansible.plugins.loader import vars_loader

        for name in vars_loader._plugin_instance_cache or {}:  # noqa: SLF001 - the list Ansible itself walks
            if name.rpartition(".")[2] != "host_group_vars":
                self.reasons.append(f"the vars plugin {name} is in use")
        if not {"yaml", "ansible.builtin.yaml"} & set(constants.INVENTORY_ENABLED):
            self.reasons.append("ansible.cfg does not enable the yaml inventory plugin")

    def _portable(self, key: Any, value: Any) -> Any:
        """The value as JSON that Ansible reads back as the same: ciphertext and untrusted templates keep their marks."""
        from ansible.parsing.vault import EncryptedString, VaultHelper

        if isinstance(value, EncryptedString):
            return {"__ansible_vault": VaultHelper.get_ciphertext(value, with_tags=False)}
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, list | tuple):
            return [self._portable(key, item) for item in value]
        if isinstance(value, dict):
            if not all(isinstance(inner, str) for inner in value):
                self.reasons.append(f"{key} has keys that are not texts")
            return {str(inner): self._portable(key, item) for inner, item in value.items()}
        self.reasons.append(f"{key} is a {type(value).__name__.removeprefix('_AnsibleTagged').lower()}, which JSON does not know")
        return str(value)

    def _text(self, value: str) -> Any:
        from ansible._internal._datatag._tags import TrustedAsTemplate

        plain = str.__str__(value)
        template = any(mark in plain for mark in MARKS)
        return {"__ansible_unsafe": plain} if template and not TrustedAsTemplate.is_tagged_on(value) else plain

    def _check_users(self, host: str, value: Any) -> None:
        """A wrong deskside_users is never guessed at: whom to tell would be a guess."""
        if value is None or (isinstance(value, list) and all(isinstance(item, str) and "{{" not in item for item in value)):
            return
        shown = f'"{str.__str__(value)}"' if type(value).__name__.endswith("Str") or type(value) is str else f"a {_kind(value)}"
        remedy = (
            "a template; deskside reads it unrendered: write the names"
            if "{{" in shown
            else "not a list of names: write [name], or [] for nobody"
        )
        self.problems.append({"thing": f"{host}.deskside_users", "message": f"{shown} is {remedy}", **_origin(value)})


def _kind(value: Any) -> str:
    return type(value).__name__.removeprefix("_AnsibleTagged").lower()


def _origin(value: Any) -> dict[str, Any]:
    from ansible._internal._datatag._tags import Origin

    origin = Origin.get_tag(value)
    if origin is None or not origin.path:
        return {"file": "", "line": 0, "column": 0}
    return {"file": str(origin.path), "line": origin.line_num or 0, "column": origin.col_num or 0}


def _loader(reasons: list[str]) -> Any:
    """Ansible's loader, which treats files that are encrypted as a whole as empty: nothing here may know what is in them."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import is_encrypted

    class BlindLoader(DataLoader):  # type: ignore[misc] # ansible has no types
        def _decrypt_if_vault_data(self, b_data: bytes) -> tuple[bytes, bool]:
            if not is_encrypted(b_data):
                return b_data, True
            reasons.append("a variables file is encrypted as a whole")
            return type(b_data)(b"{}") if type(b_data) is bytes else b"{}", True

    return BlindLoader()


if __name__ == "__main__":
    sys.exit(main())
