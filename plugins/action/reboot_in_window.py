# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restart a device where its maintenance window allows it. Documentation: ../modules/reboot_in_window.yml."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ansible_collections.deskside.workplace.plugins.plugin_utils._reboot import ARGUMENTS, Restart, wishes
from ansible_collections.deskside.workplace.plugins.plugin_utils._reboot_device import ActionDevice


class ActionModule(ActionBase):
    """Thin: plugin_utils/_reboot.py decides, plugin_utils/_reboot_device.py speaks with the device."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Decide, restart, wait, verify."""
        super().run(tmp, task_vars)
        _result, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        device = ActionDevice(self, task_vars)
        return Restart(device, wishes(given, task_vars, self._templar), check_mode=self._task.check_mode).carry_out()
