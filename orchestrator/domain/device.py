"""A managed machine as the planner sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One Ansible inventory host.

    Attributes:
        name: ``inventory_hostname``: a changeable label.
        groups: Every group it is in, without ``all`` and ``ungrouped``.
        users: Person slugs from ``deskside_users``, the first owns; ``()`` nobody's on purpose; ``None`` unset = unknown.
        site: Site name, or ``None`` when no site's group holds it.
        address: ``ansible_host`` or the name itself.
        mac: ``deskside_mac`` for Wake-on-LAN, ``None`` when unknown.
        vars: Its raw, untemplated variables (no decrypted vault value: those stay opaque).
    """

    name: str
    groups: frozenset[str] = frozenset()
    users: tuple[str, ...] | None = None
    site: str | None = None
    address: str = ""
    mac: str | None = None
    vars: Mapping[str, Any] = field(default_factory=dict)

    @property
    def device_class(self) -> str:
        """The class whose history predicts its duration: ``deskside_class``, or its first group by name."""
        named = self.vars.get("deskside_class")
        return str(named) if named else min(self.groups, default="device")
