# Copyright (c) 2026 deskside
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which package system a device has. One file per package system beside this one."""

from __future__ import annotations

import shlex
from typing import Dict, List, Tuple, Type

from . import _os_update_model as model
from ._os_update_apt import Apt
from ._os_update_backend import Backend
from ._os_update_host import Host


BACKENDS: Dict[str, Type[Backend]] = {"debian": Apt}


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


def choose(host: Host, options: model.Options) -> Backend:
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
