"""The office's inventory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.domain.device import Device


@dataclass(frozen=True, slots=True)
class InventorySnapshot:
    """What Ansible says the office's inventory is. ``matches`` answers the patterns that were asked with it.

    Attributes:
        devices: In Ansible's own order of ``all``.
        groups: Every group with all its devices, also those of its children, in Ansible's order.
        warnings: What Ansible warned about.
        children: Every group with its direct child groups.
        group_vars: Raw variables of each group, in the same form as ``Device.vars``.
        host_vars: Of each device's variables those that its groups do not say for it.
        not_portable: Why a compiled inventory would not say the same; empty when it would.
    """

    devices: Mapping[str, Device]
    groups: Mapping[str, tuple[str, ...]]
    matches: Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...] = ()
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group_vars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    host_vars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    not_portable: tuple[str, ...] = ()


class InventorySource(Protocol):
    """Reads the office's inventory through Ansible itself."""

    def load(self, patterns: Collection[str] = ()) -> InventorySnapshot:
        """Resolve devices, groups and patterns.

        Raises:
            InventoryError: Ansible cannot read it.
        """
        ...
