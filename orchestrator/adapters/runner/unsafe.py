"""Values of ours are values: what looks like a template in them is not evaluated by Ansible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MARKS = ("{{", "{%", "{#")


def literal(value: Any) -> Any:
    """``value`` as JSON in which every text with template marks is flagged as unsafe (Ansible's own notation)."""
    if isinstance(value, str):
        return {"__ansible_unsafe": value} if any(mark in value for mark in _MARKS) else value
    if isinstance(value, Mapping):
        return {str(key): literal(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [literal(item) for item in value]
    return value
