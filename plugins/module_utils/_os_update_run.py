# Copyright (c) 2026 deskside
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module ``os_update`` does: ask the guard, answer from the stored scan, or let the transient unit do the work."""

from __future__ import annotations

import importlib.util
import os
import secrets
from typing import Any, Dict, List, Mapping

from . import _guard, _os_update_backends
from . import _os_update_engine as engine
from . import _os_update_model as model
from ._os_update_backend import Backend
from ._os_update_host import Host
from ._os_update_unit import Launcher

_LIMITS = {"lock_wait": (0, 7200), "refresh_after": (0, 31536000), "refresh_timeout": (10, 7200), "apply_timeout": (60, 86400)}


def python_fits() -> bool:
    """Whether this Python can ask apt; on a device without apt any Python will do for saying so."""
    return importlib.util.find_spec("apt_pkg") is not None or not os.path.exists("/usr/bin/apt-get")


def wrong_parameters(params: Mapping[str, Any]) -> List[str]:
    """Say everything that Ansible's own check cannot see, all at once."""
    wrong = []
    for name, (low, high) in _LIMITS.items():
        if not low <= params[name] <= high:
            wrong.append(f"{name} is {params[name]}: give {low} to {high} seconds")
    for path, mib in params["min_free"].items():
        if not str(path).startswith("/") or isinstance(mib, bool) or not str(mib).isdigit():
            wrong.append(f"min_free has {path!r}: {mib!r}: give an absolute path and whole MiB")
    if not params["classes"]:
        wrong.append("classes is empty: give security, other or all")
    return wrong


def carry_out(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Return the ``deskside`` dict of one call; see the contract for its keys."""
    options = model.Options.of({**params, "min_free": {path: int(mib) for path, mib in params["min_free"].items()}})
    host = Host(read_only=check_mode)
    try:
        backend = _backend(host, options)
        return engine.predict(host, backend) if check_mode else _Run(host, backend, params.get("guard")).result()
    except (model.RefusedUpdateError, _guard.GuardError) as error:
        return engine.refused(error)
    except SystemError as error:  # what python3-apt raises
        return model.report("failed", f"apt cannot read its own state: {error}")


def _backend(host: Host, options: model.Options) -> Backend:
    if os.geteuid() != 0:
        raise model.RefusedUpdateError("os_update must run as root: set `become: true`")
    backend = _os_update_backends.choose(host, options)
    lack = backend.missing()
    if lack:
        raise model.RefusedUpdateError(lack)
    return backend


class _Run:
    """One real call: guarded when there is a ticket."""

    def __init__(self, host: Host, backend: Backend, guard: Any) -> None:
        self.host = host
        self.backend = backend
        self.options = backend.options
        self.ticket = _guard.Ticket.of(guard) if guard else None
        self.room = _guard.GuardRoom()
        slug = self.ticket.slug if self.ticket else f"adhoc-{secrets.token_hex(4)}"
        unit = self.ticket.unit if self.ticket else f"deskside-{slug}.service"
        limit = 2 * self.options.lock_wait + self.options.refresh_timeout + 2 * self.options.apply_timeout + 300
        self.launcher = Launcher(slug, unit, limit)

    def result(self) -> Dict[str, Any]:
        """Follow what the guard says; an apply that ends under our eyes without a result is taken up once."""
        if self.ticket is None:
            return self._work(resume=False)
        for _ in range(2):
            claim = self.room.claim(self.ticket)
            if claim.verdict == _guard.REFUSE:
                raise _guard.GuardRefusedError(claim.reason)
            if claim.verdict == _guard.ADOPT:
                reasons = self.host.reboot_reasons()  # it may have restarted since
                return {
                    **engine.adopted(claim.record),
                    "earlier": True,
                    "reboot_required": bool(reasons),
                    "reboot_reasons": reasons,
                }
            if claim.verdict != _guard.ATTACH:
                return self._work(resume=claim.verdict == _guard.RESUME)
            if not self.launcher.wait():
                return self._still_running()
            record = self.room.settled(self.ticket)
            if record is not None:
                return dict(record["result"])
        return model.report("failed", f"{self.launcher.unit} ended twice without a result: look at it on the device")

    def _work(self, *, resume: bool) -> Dict[str, Any]:
        if not resume:
            result = engine.nothing_to_do(self.host, self.backend)
            if result is not None:
                if self.ticket is not None:
                    self.room.finish(self.ticket, None, ok=True, result=result)
                return result
        job = {
            "options": {name: getattr(self.options, name) for name in model.Options.__dataclass_fields__},
            "guard": vars(self.ticket) if self.ticket else None,
            "unit": self.launcher.unit,
            "resume": resume,
        }
        result = self.launcher.run(job)
        if result is None:
            return self._without_result()
        self.launcher.clear()
        result["warnings"] = [*result.get("warnings", []), *self.launcher.warnings]
        return result

    def _without_result(self) -> Dict[str, Any]:
        if _guard.unit_alive(self.launcher.unit):
            return self._still_running()
        lines = self.launcher.lines()
        return model.report("failed", f"{self.launcher.unit} was ended before it had finished", lines=lines)

    def _still_running(self) -> Dict[str, Any]:
        return model.report("failed", f"not finished after {self.launcher.limit:.0f} s; {self.launcher.unit} goes on on the device")


def answer(result: Dict[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Make the module's result of the ``deskside`` dict: changed, diff and the fact for the play that may restart."""
    packages = result.get("packages", [])
    earlier = result.pop("earlier", False)  # nothing of it was done by this call
    did = not earlier and result["state"] in ("done", "failed") and (bool(packages) or result["state"] == "done")
    packages = packages if did else []
    return {
        "changed": did,
        "diff": {"before": _versions(packages, "from"), "after": _versions(packages, "to")},
        "deskside": result,
        "ansible_facts": {} if check_mode else {"os_update_reboot_required": bool(result.get("reboot_required"))},
    }


def _versions(packages: List[Dict[str, str]], key: str) -> str:
    return "".join(f"{row['name']} {row[key]}\n" for row in packages if row[key])
