# Copyright (c) 2026 deskside
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``os_update`` needs of a package system, and which one a device has. One file per package system beside this one."""

from __future__ import annotations

import shlex
from typing import Dict, List, Optional, Sequence, Tuple

from . import _os_update_model as model
from ._os_update_apt import Apt
from ._os_update_host import Holder, Host


class Backend:
    """The questions asked of a package system. :class:`Apt` answers them for Debian and its relatives.

    A class of the same shape for another system (dnf: ``dnf updateinfo``, ``/var/lib/rpm``, ``needs-restarting``) and one
    row in ``BACKENDS`` is all it takes; nothing else knows which one is at work.
    """

    def __init__(self, host: Host, options: model.Options) -> None:
        raise NotImplementedError

    def cache_files(self) -> List[str]:
        """Every file that decides what is pending, in the order of the probe."""
        raise NotImplementedError

    def missing(self) -> str:
        """Say what this device lacks to be updated this way; empty when nothing."""
        raise NotImplementedError

    def lists_age(self) -> float:
        """Seconds since the lists of available versions were refreshed; infinite when they never were or the sources changed."""
        raise NotImplementedError

    def busy(self) -> Optional[Holder]:
        """Who is changing packages now."""
        raise NotImplementedError

    def interrupted(self) -> List[str]:
        """Packages that an earlier, interrupted run left half installed (``*`` = an unfinished journal)."""
        raise NotImplementedError

    def scan(self) -> List[model.Pending]:
        """All installed packages with a newer version."""
        raise NotImplementedError

    def plan(self, rows: Sequence[model.Pending]) -> model.Plan:
        """What installing these rows would do, without doing it."""
        raise NotImplementedError

    def spaces(self) -> Dict[str, str]:
        """Where it writes: ``/usr`` and ``archives``."""
        raise NotImplementedError

    def refresh_command(self) -> List[str]:
        """The program that refreshes the lists."""
        raise NotImplementedError

    def repair_commands(self) -> List[List[str]]:
        """The programs that finish an interrupted run."""
        raise NotImplementedError

    def apply_command(self, plan: model.Plan) -> List[str]:
        """The program that carries out a plan."""
        raise NotImplementedError

    def settle_commands(self, automatic: Sequence[str]) -> List[List[str]]:
        """Programs that put right what the apply command cannot leave alone."""
        raise NotImplementedError

    def installed(self) -> Dict[str, str]:
        """Package → version, from the package database itself."""
        raise NotImplementedError

    def foreign_updates(self) -> List[str]:
        """Say what else updates or restarts this device by itself, outside every window."""
        raise NotImplementedError


BACKENDS = {"debian": Apt}


def identify(os_release: str) -> Tuple[str, List[str]]:
    """Read os-release: the system's own name, and the families it belongs to, nearest first."""
    values = {}
    for line in os_release.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.isidentifier():
            try:
                values[key] = " ".join(shlex.split(value))
            except ValueError:
                values[key] = value
    families = [values.get("ID", ""), *values.get("ID_LIKE", "").split()]
    return values.get("PRETTY_NAME") or values.get("ID") or "an unknown system", [name for name in families if name]


def choose(host: Host, options: model.Options) -> Apt:
    """Return the backend of this device.

    Raises:
        RefusedUpdateError: No backend handles it.
    """
    name, families = identify(host.read("/etc/os-release") or "")
    for family in families:
        if family in BACKENDS:
            return BACKENDS[family](host, options)
    raise model.RefusedUpdateError(
        f"os_update updates Debian and its relatives (apt); this device is {name}: leave it out of the targets"
    )
