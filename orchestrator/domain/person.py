"""A human who is affected, asked or told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Local hours on some weekdays (Monday = 0), half-open ``[start, end)``."""

    start: time = time(9)
    end: time = time(17)
    days: frozenset[int] = frozenset(range(5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One entry of people.yml; ``slug`` never changes, login and mail are attributes."""

    slug: str
    name: str
    mail: str | None
    zone: str
    hours: WorkingHours = WorkingHours()
    manager: str | None = None
    job_role: str | None = None
    language: str = "en"
