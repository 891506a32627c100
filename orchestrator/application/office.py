"""What the use cases need to know of one organisation. `orchestrator.config` reads it from the office directory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches

from orchestrator.application.errors import NotFoundError
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
        channel: Name of the channel every notice goes over; empty = nobody can be told.
        domain: Domain of the sender address, for Message-IDs.
        reboot_reserve: Kept free at the end of a window, so that a restart ends inside it.
        wake_wait: How long a woken device may take to answer.
        security_limit: A security fix pending for longer than this is overdue.
    """

    windows: Mapping[str, Window] = field(default_factory=dict)
    freezes: tuple[Freeze, ...] = ()
    sites: Mapping[str, Site] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    priors: Mapping[str, float] = field(default_factory=dict)
    channel: str = "mail"
    domain: str = "localhost"
    reboot_reserve: timedelta = timedelta(minutes=15)
    wake_wait: timedelta = timedelta(minutes=5)
    security_limit: timedelta = timedelta(days=14)

    def window(self, name: str) -> Window:
        """The window of that name.

        Raises:
            NotFoundError: There is none; says which there are.
        """
        try:
            return self.windows[name]
        except KeyError:
            raise NotFoundError(f'no maintenance window is called "{name}".{suggestion(name, self.windows)}') from None


def suggestion(word: str, known: Iterable[str]) -> str:
    """`` Did you mean "x"?`` or `` Known: a, b.``, with a leading space."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f' Did you mean "{near[0]}"?'
    return f" Known: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}." if names else " None is known."
