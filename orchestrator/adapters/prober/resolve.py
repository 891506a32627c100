"""Asks Ansible how it would reach devices. Started as a program of its own, so that nothing here imports Ansible.

Standard input: ``{"sources": [...], "hosts": [...], "basedir": "..."}``. Standard output: host → facts, with secrets, for a
pipe and memory only. Anything Ansible warns about goes to standard error.
"""

from __future__ import annotations

import json
import sys
from typing import Any

SSH = ("host", "port", "remote_user", "private_key_file", "password", "ssh_args", "ssh_common_args", "ssh_extra_args", "timeout")
BECOME = ("become_user", "become_pass", "become_exe", "become_flags")


def _templated(templar: Any, variables: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: templar.template(variables[name]) for name in names & set(variables)}


def _facts(templar: Any, variables: dict[str, Any]) -> dict[str, Any]:
    from ansible import constants as C  # noqa: N812 - its name everywhere in Ansible
    from ansible.playbook.play_context import PlayContext
    from ansible.plugins.loader import become_loader, connection_loader

    base = _templated(templar, variables, {"ansible_connection", "ansible_become", "ansible_become_method", "inventory_hostname"})
    connection = str(base.get("ansible_connection") or C.DEFAULT_TRANSPORT).rpartition(".")[2]
    method = str(base.get("ansible_become_method") or C.DEFAULT_BECOME_METHOD).rpartition(".")[2]
    facts: dict[str, Any] = {"connection": connection, "become_method": method}
    ssh, become = connection_loader.get("ansible.builtin.ssh", PlayContext()), become_loader.get("ansible.builtin.sudo")
    wanted = {
        name
        for kind, plugin in (("connection", ssh), ("become", become))
        for name in C.config.get_plugin_vars(kind, plugin._load_name)  # noqa: SLF001 - as Ansible's own executor asks
    }
    given = _templated(templar, variables, wanted) | {"inventory_hostname": base["inventory_hostname"]}
    if connection in {"ssh", "smart"}:
        ssh.set_options(var_options=given)
        facts |= {name: ssh.get_option(name) for name in SSH}
        facts["connection"] = "ssh"
    become.set_options(var_options=given)
    return facts | {name: become.get_option(name) for name in BECOME}


def main() -> int:
    """Read the question, print the answer; a host that cannot be resolved answers with ``error``."""
    asked = json.load(sys.stdin)
    from ansible import constants as C  # noqa: N812
    from ansible.cli import CLI
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader
    from ansible.template import Templar
    from ansible.vars.manager import VariableManager

    init_plugin_loader()
    loader = DataLoader()
    loader.set_basedir(asked["basedir"])
    loader.set_vault_secrets(CLI.setup_vault_secrets(loader, vault_ids=C.DEFAULT_VAULT_IDENTITY_LIST, auto_prompt=False))
    inventory = InventoryManager(loader=loader, sources=asked["sources"])
    manager = VariableManager(loader=loader, inventory=inventory)
    answer: dict[str, Any] = {}
    for name in asked["hosts"]:
        host = inventory.get_host(name)
        if host is None:
            answer[name] = {"error": "not in the inventory"}
            continue
        variables = manager.get_vars(host=host, include_hostvars=False)
        try:
            facts = _facts(Templar(loader=loader, variables=variables), variables)
        except Exception as error:  # noqa: BLE001 - one host's bad template must not hide the others
            facts = {"error": f"its connection variables cannot be read: {' '.join(str(error).split())}"}
        answer[name] = {
            key: None if value is None else value if isinstance(value, int) else str(value) for key, value in facts.items()
        }
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
