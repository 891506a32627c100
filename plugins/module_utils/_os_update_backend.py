# Copyright (c) 2026 deskside
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``os_update`` needs of a package system."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Dict, List, Optional, Sequence

from . import _os_update_model as model
from ._os_update_host import Holder, Host


class Backend(ABC):
    """The questions asked of a package system. ``Apt`` answers them for Debian and its relatives.

    A class of the same shape for another system (dnf: ``dnf updateinfo``, ``/var/lib/rpm``, ``needs-restarting``) and one
    row in ``BACKENDS`` (_os_update_backends.py) is all it takes; nothing else knows which one is at work.
    """

    def __init__(self, host: Host, options: model.Options) -> None:
        self.host = host
        self.options = options

    @abstractmethod
    def cache_files(self) -> List[str]:
        """Every file that decides what is pending, in the order of the probe."""

    @abstractmethod
    def missing(self) -> str:
        """Say what this device lacks to be updated this way; empty when nothing."""

    @abstractmethod
    def lists_age(self) -> float:
        """Seconds since the lists of available versions were refreshed; infinite when they never were or the sources changed."""

    @abstractmethod
    def busy(self) -> Optional[Holder]:
        """Who is changing packages now."""

    @abstractmethod
    def interrupted(self) -> List[str]:
        """Packages that an earlier, interrupted run left half installed (``*`` = an unfinished journal)."""

    @abstractmethod
    def scan(self) -> List[model.Pending]:
        """All installed packages with a newer version."""

    @abstractmethod
    def plan(self, rows: Sequence[model.Pending]) -> model.Plan:
        """What installing these rows would do, without doing it."""

    @abstractmethod
    def spaces(self) -> Dict[str, str]:
        """Where it writes: ``/usr`` and ``archives``."""

    @abstractmethod
    def refresh_command(self) -> List[str]:
        """The program that refreshes the lists."""

    @abstractmethod
    def repair_commands(self) -> List[List[str]]:
        """The programs that finish an interrupted run."""

    @abstractmethod
    def apply_command(self, plan: model.Plan) -> List[str]:
        """The program that carries out a plan."""

    @abstractmethod
    def settle_commands(self, automatic: Sequence[str]) -> List[List[str]]:
        """Programs that put right what the apply command cannot leave alone."""

    @abstractmethod
    def installed(self) -> Dict[str, str]:
        """Package → version, from the package database itself."""

    @abstractmethod
    def foreign_updates(self) -> List[str]:
        """Say what else updates or restarts this device by itself, outside every window."""
