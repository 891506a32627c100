# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The right to change a device, once per occurrence and step. Documentation: device_guard.yml."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.deskside.workplace.plugins.module_utils._device_guard import settle
from ansible_collections.deskside.workplace.plugins.module_utils._guard import GuardError, GuardRoom, Ticket


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "guard": {"type": "dict", "required": True},
            "state": {"type": "str", "choices": ["claimed", "released", "done", "rebooting", "rebooted"], "default": "claimed"},
            "result": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        ticket = Ticket.of(given["guard"])
        answer = settle(GuardRoom(), ticket, given["state"], given["result"], check_mode=module.check_mode)
    except GuardError as error:
        answer = {"state": "refused", "reason": str(error)}
    if answer["state"] in ("claimed", "released", "done", "ask", "asked", "happened", "rebooted"):
        module.exit_json(changed=False, guard_state=answer["state"])
    module.fail_json(msg=answer.get("reason", answer["state"]), guard_state=answer["state"], deskside=answer)


if __name__ == "__main__":
    main()
