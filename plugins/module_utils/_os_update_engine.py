# Copyright (c) 2026 deskside
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of things in an update: lock, repair, refresh, scan, plan, room, apply, verify, services, scan again.

:func:`predict` is check mode and changes nothing at all. :class:`Update` is the real run; it works in the transient unit.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from . import _guard
from . import _os_update_cache as cache
from . import _os_update_model as model
from ._os_update_backend import Backend
from ._os_update_host import Host, split_restarts


class FailedUpdateError(Exception):
    """Something went wrong; ``output`` is what the program said."""

    def __init__(self, reason: str, output: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.output = output


def predict(host: Host, backend: Backend) -> Dict[str, Any]:
    """Say exactly what a run would do now, from the lists that are there."""
    options = backend.options
    warnings = backend.foreign_updates()
    if backend.lists_age() > options.refresh_after:
        warnings.append("the package lists are old: a real run refreshes them first and may find more")
    broken = backend.interrupted()
    if broken:
        _may_repair(options, broken)
        warnings.append(f"a real run first repairs an interrupted dpkg: {', '.join(broken)}")
    rows = _rows(host, backend)
    chosen = model.select(rows, options)
    plan = backend.plan(chosen.chosen) if chosen.chosen else model.Plan()
    _check_room(host, backend, plan)
    state = "done" if plan.changes or broken else "nothing"
    reasons = host.reboot_reasons()
    return model.report(
        state, packages=[c.row() for c in plan.changes], pending=[r.row() for r in rows], held=list(chosen.held),
        rejected=list(chosen.rejected), reboot_required=bool(reasons), reboot_reasons=reasons, warnings=warnings + _kept(plan),
    )  # fmt: skip


def nothing_to_do(host: Host, backend: Backend) -> Optional[Dict[str, Any]]:
    """Answer from the stored scan when it proves that there is nothing to do; ``None`` = look closer."""
    if backend.lists_age() > backend.options.refresh_after or backend.interrupted():
        return None
    rows = cache.stored(host, cache.key(host, backend.cache_files()))
    if rows is None:
        return None
    chosen = model.select(rows, backend.options)
    return None if chosen.chosen else _finished(host, backend, "nothing", rows, chosen)


class Update:
    """One real run. ``begin`` is called once, right before the first change (it moves the guard to ``applying``)."""

    def __init__(
        self,
        host: Host,
        backend: Backend,
        begin: Callable[[Optional[Dict[str, Any]]], Optional[Dict[str, Any]]],
        *,
        resume: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.host = host
        self.backend = backend
        self.options = backend.options
        self._begin = begin
        self._resume = resume
        self._sleep = sleep
        self._known: Dict[str, Any] = {}
        self._before: Dict[str, str] = {}
        self._began = False
        self.warnings: List[str] = []
        self._output = ""

    def carry_out(self) -> Dict[str, Any]:
        """Return the ``deskside`` dict; a failure is a dict too.

        Raises:
            RefusedUpdateError: Nothing was changed.
            GuardError: A newer worker came first; nothing was changed.
        """
        self._before = self.backend.installed()
        try:
            return self._steps()
        except FailedUpdateError as failure:
            return self._failed(failure)
        except model.RefusedUpdateError as refusal:
            if not self._began:
                raise
            return self._failed(FailedUpdateError(str(refusal), self._output))
        except SystemError as error:  # what python3-apt raises
            return self._failed(FailedUpdateError(f"apt cannot read its own state: {error}", self._output))

    def _steps(self) -> Dict[str, Any]:
        self._wait_for_locks()
        if self._resume:
            self._start(None)
        self._repair()
        self._refresh()
        rows = _rows(self.host, self.backend)
        chosen = model.select(rows, self.options)
        plan = self.backend.plan(chosen.chosen) if chosen.chosen else model.Plan()
        self.warnings += _kept(plan)
        if plan.changes:
            _check_room(self.host, self.backend, plan)
            self._change(plan)
        if not self._began:
            return _finished(self.host, self.backend, "nothing", rows, chosen, warnings=self.warnings)
        return self._verified(plan)

    # -- the steps ----------------------------------------------------------------------------------------------------

    def _wait_for_locks(self) -> None:
        deadline = time.monotonic() + self.options.lock_wait
        holder = self.backend.busy()
        while holder is not None:
            if time.monotonic() >= deadline:
                raise model.RefusedUpdateError(f"{holder}; waited {self.options.lock_wait} s for it")
            self._sleep(1.0)
            holder = self.backend.busy()

    def _repair(self) -> None:
        broken = self.backend.interrupted()
        if not broken:
            return
        _may_repair(self.options, broken)
        self._start(None)
        for argv in self.backend.repair_commands():
            self._do(argv, "an interrupted dpkg could not be repaired")
        left = self.backend.interrupted()
        if left:
            raise FailedUpdateError(f"dpkg is still interrupted after the repair: {', '.join(left)}", self._output)
        self.warnings.append(f"repaired an interrupted dpkg: {', '.join(broken)}")

    def _refresh(self) -> None:
        if self.backend.lists_age() <= self.options.refresh_after:
            return
        argv = self.backend.refresh_command()
        done = self.host.run(argv, self.options.refresh_timeout)
        if done.code != 0:
            reason = model.failure_reason(argv[0], done.code, done.output)
            raise FailedUpdateError(f"the package lists could not be refreshed: {reason}", done.output)
        cache.note_refresh(self.host)

    def _change(self, plan: model.Plan) -> None:
        self._start(plan)
        failed_before = self.host.failed_units()
        cache.forget(self.host)
        self._do(self.backend.apply_command(plan), "")
        for unit in sorted(set(self.host.failed_units()) - set(failed_before)):
            self.warnings.append(f"{unit} failed during the update")

    def _start(self, plan: Optional[model.Plan]) -> None:
        """Move the guard to ``applying``. What an interrupted apply had planned comes back and stays what we compare with."""
        record = plan.record() if plan else None
        kept = self._begin(record)
        self._began = True
        self._known = _guard.merge_plans(_guard.merge_plans(kept, self._known), record)

    def _settle(self, after: Dict[str, str]) -> None:
        automatic = [name for name in self._known.get("automatic", []) if name in after]
        for argv in self.backend.settle_commands(automatic):
            done = self.host.run(argv, 120)
            if done.code != 0:
                self.warnings.append(f"{' '.join(argv[:2])}: {model.failure_reason(argv[0], done.code, done.output)}")

    def _do(self, argv: Sequence[str], what: str) -> None:
        done = self.host.run(argv, self.options.apply_timeout)
        self._output += done.output
        if done.code != 0:
            reason = model.failure_reason(argv[0], done.code, done.output)
            raise FailedUpdateError(f"{what}: {reason}" if what else reason, done.output)

    # -- the end ------------------------------------------------------------------------------------------------------

    def _verified(self, plan: model.Plan) -> Dict[str, Any]:
        after = self.backend.installed()
        self._settle(after)
        changes = self._changes(after)
        wrong = model.missed(plan, after)
        if wrong:
            raise FailedUpdateError(
                f"{len(wrong)} of {len(plan.changes)} packages did not reach their version: {'; '.join(wrong)}", self._output
            )
        restarted, pending = self._restart_services()
        rows = _rows(self.host, self.backend)
        chosen = model.select(rows, self.options)
        return _finished(
            self.host, self.backend, "done", rows, chosen, packages=[c.row() for c in changes], warnings=self.warnings,
            services=restarted, services_pending=pending, lines=model.tail(self._output),
        )  # fmt: skip

    def _changes(self, after: Dict[str, str]) -> Tuple[model.Change, ...]:
        return model.changes_between(self._before, after, self._known.get("changes", {}))

    def _failed(self, failure: FailedUpdateError) -> Dict[str, Any]:
        after = self.backend.installed()
        changes = self._changes(after)
        if self._began:
            self._settle(after)
        rows: List[model.Pending] = []
        try:
            rows = _rows(self.host, self.backend)
        except (SystemError, OSError) as error:
            self.warnings.append(f"what is pending could not be read after the failure: {error}")
        chosen = model.select(rows, self.options)
        return _finished(
            self.host, self.backend, "failed", rows, chosen, reason=failure.reason, packages=[c.row() for c in changes],
            warnings=self.warnings, lines=model.tail(failure.output),
        )  # fmt: skip

    def _restart_services(self) -> Tuple[List[str], List[str]]:
        units, others = self.host.stale_services()
        ready, pending = split_restarts(units, self.options.restart_never)
        if others:
            self.warnings.append(f"{len(others)} processes outside services run replaced files: {', '.join(others[:5])}")
        if self.options.restart_services != "restart" or not ready:
            return [], sorted([*ready, *pending])
        done = self.host.run(["systemctl", "restart", *ready], 300)
        if done.code != 0:
            raise FailedUpdateError(f"services did not come back after their restart: {', '.join(ready)}", done.output)
        return ready, pending


def _rows(host: Host, backend: Backend) -> List[model.Pending]:
    """What is pending: stored, if the key still holds, else looked up and stored under the key read before."""
    present = cache.key(host, backend.cache_files())
    rows = cache.stored(host, present)
    if rows is None:
        rows = backend.scan()
        if not host.read_only:
            cache.store(host, present, rows)
    return rows


def _may_repair(options: model.Options, broken: Sequence[str]) -> None:
    if not options.allow_repair:
        raise model.RefusedUpdateError(
            f"dpkg was interrupted ({', '.join(broken)}) and os_update_allow_repair is off: run `dpkg --configure -a` on the device"
        )


def _check_room(host: Host, backend: Backend, plan: model.Plan) -> None:
    if not plan.changes:
        return
    paths = {**{path: path for path in backend.options.min_free}, **backend.spaces()}
    lack = model.shortage(plan, backend.options.min_free, host.spaces(paths))
    if lack:
        raise model.RefusedUpdateError(lack)


def _kept(plan: model.Plan) -> List[str]:
    return [f"kept back, because they would remove or touch what must stay: {', '.join(plan.kept)}"] if plan.kept else []


def _finished(
    host: Host, backend: Backend, state: str, rows: Sequence[model.Pending], chosen: model.Selection, **more: Any
) -> Dict[str, Any]:
    reasons = host.reboot_reasons()
    more["warnings"] = [*backend.foreign_updates(), *more.get("warnings", [])]
    return model.report(
        state, pending=[row.row() for row in rows], held=list(chosen.held), rejected=list(chosen.rejected),
        reboot_required=bool(reasons), reboot_reasons=reasons, **more,
    )  # fmt: skip


def refused(error: Exception) -> Dict[str, Any]:
    """The dict of a run that changed nothing, on purpose."""
    return model.report("refused", str(error))


def adopted(record: Dict[str, Any], state: str = "adopted") -> Dict[str, Any]:
    """The dict of a run whose work an earlier one had done; a stored failure stays a failure."""
    result = dict(record["result"])
    return result if record["state"] == _guard.STATES[3] else {**result, "state": state}
