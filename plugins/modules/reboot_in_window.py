# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of an action plugin (plugins/action/reboot_in_window.py); nothing of it runs on the device. Documentation: reboot_in_window.yml."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def main():
    """Refuse: only the action plugin knows the controller's clock."""
    AnsibleModule(argument_spec={}).fail_json(msg="reboot_in_window is an action plugin and cannot run on the device")


if __name__ == "__main__":
    main()
