"""What the use cases need to know of one organisation. `orchestrator.config` reads it from the office directory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from orchestrator.domain.person import Person
from orchestrator.domain.window import Freeze, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place with its own zone; ``group`` is the Ansible group of its devices, ``waker`` a device there that can wake others."""

    name: str
    group: str
    zone: str
    waker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeFacts:
    """One organisation, validated.

    Attributes:
        zones: Site name → IANA zone.
        priors: Playbook → predicted seconds while there is no history.
        channel: Name of the channel every notice goes over.
        domain: Domain of the sender address, for Message-IDs.
    """

    windows: Mapping[str, Window] = field(default_factory=dict)
    freezes: tuple[Freeze, ...] = ()
    sites: Mapping[str, Site] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    priors: Mapping[str, float] = field(default_factory=dict)
    channel: str = "mail"
    domain: str = "localhost"


def suggestion(word: str, known: Iterable[str]) -> str:
    """A sentence with a leading space that names the nearest known word, or nothing."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""
