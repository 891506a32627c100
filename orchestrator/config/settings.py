"""The validated settings of one organisation: the last of the three stages (fragments, inputs, settings)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from orchestrator.application.errors import Problem
from orchestrator.application.office import OfficeFacts, Site
from orchestrator.domain.person import Person
from orchestrator.domain.source import NOWHERE, Source
from orchestrator.domain.window import Freeze, Window


class SecretKind(StrEnum):
    """Where a secret value is found when it is used."""

    VAULT = "vault"
    ENV = "env"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Secret:
    """A reference to a secret value; it never shows what it refers to, nor the value.

    Attributes:
        kind: Where the value is found.
        reference: Ciphertext, variable name or path (relative paths start at the office directory).
        source: Where it is written.
    """

    kind: SecretKind
    reference: str
    source: Source = NOWHERE

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"


class ChannelKind(StrEnum):
    """How a message leaves."""

    SMTP = "smtp"
    FILES = "files"


class TlsMode(StrEnum):
    """How an SMTP connection is protected; ``plain`` is accepted on the loopback interface only."""

    SMTPS = "smtps"
    STARTTLS = "starttls"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """The way out for notices and reports.

    Attributes:
        name: Its key under ``channels``.
        sender: Plain address of the From header; its domain is that of Message-IDs.
        sender_name: Display name, may be empty.
        host, port, tls, user, password, ca: Only for ``smtp``; ``ca`` is an absolute path.
        directory: Only for ``files``: a maildir; a relative path starts at the state directory.
    """

    name: str
    kind: ChannelKind
    sender: str
    sender_name: str = ""
    host: str = ""
    port: int = 0
    tls: TlsMode = TlsMode.SMTPS
    user: str | None = None
    password: Secret | None = None
    ca: Path | None = None
    directory: Path | None = None
    source: Source = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What `deskside patches` measures devices against."""

    oldest_security_fix: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A place in the office files that names something outside of them; checked as soon as that is known.

    Attributes:
        kind: ``pattern``, ``label`` (a key that is a pattern), ``group``, ``device``, ``playbook``
            or ``key`` (a key that is a playbook).
        text: What is written there.
        thing: Its path in the file, for messages.
    """

    kind: str
    text: str
    thing: str
    source: Source = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Everything that describes one organisation.

    Attributes:
        root: The office directory, absolute.
        windows: Windows by name; one whose every start rule is bad is only in ``disabled``.
        disabled: Bad recurrence rules: each disables itself only, and every screen says so.
        sources: Ansible inventory sources, absolute paths or what `-i` takes otherwise.
        reboot_reserve: Kept free before the end of a window for one restart.
        wake_wait: How long a woken device may take to answer.
        priors: Predicted seconds of a playbook while there is no history.
        references: Every group, device and pattern the files name.
    """

    root: Path
    sources: tuple[str, ...] = ()
    windows: Mapping[str, Window] = field(default_factory=dict)
    freezes: tuple[Freeze, ...] = ()
    sites: Mapping[str, Site] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    channels: Mapping[str, ChannelSettings] = field(default_factory=dict)
    reboot_reserve: timedelta = timedelta(minutes=15)
    wake_wait: timedelta = timedelta(minutes=5)
    priors: Mapping[str, timedelta] = field(default_factory=dict)
    limits: Limits = Limits()
    disabled: tuple[Problem, ...] = ()
    references: tuple[Reference, ...] = ()

    @property
    def facts(self) -> OfficeFacts:
        """What the use cases need of it."""
        mail = self.channels.get("mail")
        return OfficeFacts(
            windows=self.windows,
            freezes=self.freezes,
            sites=self.sites,
            zones={site.name: site.zone for site in self.sites.values()},
            people=self.people,
            priors={playbook: prior.total_seconds() for playbook, prior in self.priors.items()},
            channel=mail.name if mail else "",
            domain=mail.sender.partition("@")[2] if mail else "",
            reboot_reserve=self.reboot_reserve,
            wake_wait=self.wake_wait,
            security_limit=self.limits.oldest_security_fix,
        )
