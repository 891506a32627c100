# Copyright (c) 2026 deskside
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of a device are up to date. Documentation: os_update.yml."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_run as run

INTERPRETERS = ["/usr/bin/python3", "/usr/libexec/platform-python", "/usr/bin/python"]
ARGUMENTS = {
    "classes": {"type": "list", "elements": "str", "choices": ["security", "other", "all"], "default": ["all"]},
    "reject": {"type": "list", "elements": "str", "default": []},
    "allow_removals": {"type": "bool", "default": False},
    "allow_repair": {"type": "bool", "default": True},
    "min_free": {"type": "dict", "default": {"/": 300, "/boot": 60}},
    "lock_wait": {"type": "int", "default": 300},
    "refresh_after": {"type": "int", "default": 3600},
    "refresh_timeout": {"type": "int", "default": 300},
    "apply_timeout": {"type": "int", "default": 3600},
    "restart_services": {"type": "str", "choices": ["restart", "report"], "default": "restart"},
    "restart_never": {"type": "list", "elements": "str", "default": []},
    "guard": {"type": "dict"},
}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    wrong = run.wrong_parameters(module.params)
    if wrong:
        module.fail_json(msg="; ".join(wrong), deskside={"state": "refused", "reason": "; ".join(wrong)})
    if not run.python_fits() and not has_respawned():
        interpreter = probe_interpreters_for_module(INTERPRETERS, "apt_pkg")
        if interpreter:
            respawn_module(interpreter)
    result = run.carry_out(module.params, check_mode=module.check_mode)
    answer = run.answer(result, check_mode=module.check_mode)
    if result["state"] in ("failed", "refused"):
        module.fail_json(msg=result["reason"], **answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
