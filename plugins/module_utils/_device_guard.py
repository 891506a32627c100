# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module device_guard does with the guard room: claim, release, mark as done.

FOR INTERNAL COLLECTION USE ONLY. Python >= 3.9, standard library only.
"""

from __future__ import annotations

import json
import os

from ansible_collections.deskside.workplace.plugins.module_utils._guard import ADOPT, ATTACH, REFUSE, GuardRefusedError, judge
from ansible_collections.deskside.workplace.plugins.module_utils._guard import taken_over, write_atomically

ADOPTED = "an earlier run of this occurrence has already done it"


def settle(room, ticket, state, result, check_mode=False):
    """Bring the guard into ``state``.

    Returns:
        A dict with ``state``: the state asked for, or ``adopted``, ``failed``, ``refused`` with a ``reason``.

    Raises:
        GuardError: The record cannot be believed or written.
    """
    if state == "claimed":
        return _claim(room, ticket, check_mode)
    if state == "rebooting":
        return {"state": "ask" if check_mode else room.note_reboot(ticket)}
    if state == "rebooted":
        return _rebooted(room, ticket, result, check_mode)
    return _done(room, ticket, result, check_mode) if state == "done" else _release(room, ticket, check_mode)


def _claim(room, ticket, check_mode):
    claim = judge(room.read(ticket), ticket, room.alive) if check_mode else room.claim(ticket)
    if claim.verdict == REFUSE:
        return {"state": "refused", "reason": claim.reason}
    if claim.verdict == ATTACH:
        return {"state": "refused", "reason": "%s is still at work on this device" % claim.record["unit"]}
    if claim.verdict == ADOPT:
        return _adopted(claim.record)
    return {"state": "claimed"}


def _adopted(record):
    stored = dict(record["result"] or {})
    if record["state"] == "failed":
        return dict(stored, state="failed", reason=stored.get("reason") or "an earlier run of this occurrence failed")
    return dict(stored, state="adopted", reason=ADOPTED)


def _done(room, ticket, result, check_mode):
    if not check_mode and room.settled(ticket) is None:
        room.finish(ticket, None, ok=True, result=dict({"state": "done"}, **result))
    return {"state": "done"}


def _release(room, ticket, check_mode):
    """Forget a claim that has changed nothing; a record of a restart is never forgotten."""
    with room.locked():
        record = room.read(ticket)
        ours = record is not None and record["fence"] == ticket.fence and record["state"] == "claimed" and not record["reboot"]
        if ours and not check_mode:
            os.unlink(room.path(ticket))
    return {"state": "released"}


def _rebooted(room, ticket, result, check_mode):
    """Complete the record of a restart: which boot came after, and how long it took."""
    with room.locked():
        record = room.read(ticket)
        if record is not None and record["fence"] > ticket.fence:
            raise GuardRefusedError(taken_over(record))
        if record is not None and record["reboot"] and not check_mode:
            known = {key: value for key, value in result.items() if value is not None}
            complete = dict(record, reboot=dict(record["reboot"], **known))
            write_atomically(room.path(ticket), json.dumps(complete, sort_keys=True) + "\n")
    return {"state": "rebooted"}
