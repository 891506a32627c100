# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write one JSON line per outcome to the path in DESKSIDE_EVENTS."""

# ruff: noqa: SLF001 - the identity of a task has no public name in ansible-core
from __future__ import annotations

DOCUMENTATION = r"""
name: stream
type: notification
short_description: One JSON line per outcome, for the orchestrator
version_added: "0.1.0"
description:
  - Writes one compact JSON object per line to a file or FIFO. The last line holds the statistics; a reader that does
    not see it knows nothing about any host.
  - Results of tasks with C(no_log) are censored, decrypted vault values are masked, long texts are shortened.
  - May be the stdout callback (then nothing is printed) or stand in C(callbacks_enabled) beside another one.
options:
  path:
    description: File or FIFO that takes the lines.
    type: path
    required: true
    env:
      - name: DESKSIDE_EVENTS
author:
  - deskside maintainers
"""

import json
import time

from ansible.plugins.callback import CallbackBase

from ansible_collections.deskside.workplace.plugins.plugin_utils._event_stream import Mask, compact


class CallbackModule(CallbackBase):
    """One JSON line per outcome."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "deskside.workplace.stream"
    CALLBACK_NEEDS_ENABLED = True

    def set_options(self, task_keys=None, var_options=None, direct=None):
        """Open the stream."""
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        self._out = open(self.get_option("path"), "a", buffering=1, encoding="utf-8")  # noqa: SIM115 - open until the process ends
        self._mask = Mask()

    def _emit(self, event, **data):
        self._out.write(json.dumps({"e": event, "t": round(time.time(), 3), **data}, default=str, separators=(",", ":")) + "\n")

    def _result(self, event, result):
        task, host = result.task, result.host
        res = compact(result.result, censored=bool(task.no_log))
        self._emit(
            event,
            host=host.get_name(),
            task=task.get_name(),
            uuid=task._uuid,
            action=task.action,
            res=self._mask.clean(res, task, host),
        )

    def v2_playbook_on_play_start(self, play):
        """Play."""
        self._emit("play", name=play.get_name())

    def v2_playbook_on_task_start(self, task, is_conditional):  # noqa: ARG002 - the signature is Ansible's
        """Task."""
        self._emit("task", name=task.get_name(), uuid=task._uuid)

    def v2_playbook_on_handler_task_start(self, task):
        """Handler."""
        self._emit("task", name=task.get_name(), uuid=task._uuid)

    def v2_runner_on_ok(self, result):
        """Ok."""
        self._result("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """Failed."""
        self._result("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_unreachable(self, result):
        """Unreachable."""
        self._result("unreachable", result)

    def v2_runner_on_skipped(self, result):
        """Skipped."""
        self._emit(
            "skipped", host=result.host.get_name(), task=result.task.get_name(), uuid=result.task._uuid, action=result.task.action
        )

    def v2_playbook_on_stats(self, stats):
        """Stats: always the last line."""
        self._emit("stats", hosts={h: stats.summarize(h) for h in stats.processed})
