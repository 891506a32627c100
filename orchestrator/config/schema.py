"""What may stand in an office's files: the one definition that loader, JSON Schema, sample and reference page share.

A key that is not here is an error. ``LATER`` names keys of later versions: they get a message of their own, because accepting
and ignoring them would be a promise that nobody keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from orchestrator.config.values import (
    Address,
    Bool,
    Clock,
    Count,
    Day,
    Duration,
    Hours,
    Invite,
    Name,
    OneOrMany,
    Pattern,
    Positive,
    Reminder,
    RingShare,
    SecretValue,
    Sender,
    Share,
    SmtpUrl,
    StayUp,
    Text,
    WindowName,
    WindowZone,
    Zone,
    one_or_many,
)
from orchestrator.domain.person import WorkingHours


class Part(BaseModel):
    """A mapping in an office file: unknown keys are errors, values are never guessed."""

    # Not strict: that refuses a list where a tuple is meant. Every scalar has a parser of ours, so nothing is guessed.
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    EXACTLY_ONE: ClassVar[tuple[str, ...]] = ()
    LATER: ClassVar[frozenset[str]] = frozenset()
    LATER_VALUES: ClassVar[Mapping[str, frozenset[str]]] = {}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add to pydantic's own schema which keys exclude each other."""
        found = handler(core)
        if cls.EXACTLY_ONE:
            handler.resolve_ref_schema(found)["oneOf"] = [{"required": [key]} for key in cls.EXACTLY_ONE]
        return found


class SitePart(Part):
    """A place with its own network and time zone."""

    group: Text = Field(description="Ansible group that holds the devices of this place.", examples=["site_berlin"])
    zone: Zone = Field(description="IANA time zone of this place.", examples=["Europe/Berlin"])
    waker: Text | None = Field(
        default=None,
        description="A device there that can send Wake-on-LAN packets. Without it nothing is woken there.",
        examples=["fs-1"],
    )


class StartPart(Part):
    """When a window opens: dates of a recurrence, and a local time."""

    LATER = frozenset({"ics"})
    rrule: Text = Field(
        description="RFC 5545 recurrence of dates. Second Tuesday of the month: FREQ=MONTHLY;BYDAY=2TU.",
        examples=["FREQ=MONTHLY;BYDAY=2TU"],
    )
    plus_days: Count = Field(
        default=0, description="So many days after each of these dates (patch Tuesday plus one: 1).", examples=[1]
    )
    at: Clock = Field(description="Local time at which the window opens.", examples=["22:00"])
    since: Day = Field(description="The recurrence counts from this date.", examples=["2026-01-01"])
    until: Day | None = Field(default=None, description="Last date on which the window may open.", examples=["2030-12-31"])
    except_: tuple[Day, ...] = Field(
        default=(), alias="except", description="Dates on which it does not open.", examples=[["2026-12-09"]]
    )
    dst: Literal["shift", "skip"] = Field(
        default="shift",
        description="A local time that does not exist because clocks go forward: shift opens it later by the gap, skip leaves the date out.",
        examples=["shift"],
    )


class WorkPart(Part):
    """One playbook, carried out on each device."""

    LATER = frozenset({"undo", "when", "tags"})
    playbook: Text = Field(
        description="A playbook of deskside by name, or the path of one of yours from the office directory.",
        examples=["apply_os_updates"],
    )
    vars: dict[str, Any] = Field(
        default_factory=dict,
        description="Extra variables for it; they win over host_vars and group_vars.",
        examples=[{"os_update_classes": ["security"]}],
    )
    reboot: Literal["if_needed", "never", "always"] = Field(
        default="if_needed", description="May it restart the device: if_needed, never or always.", examples=["if_needed"]
    )


class ProbePart(Part):
    """One question that must be answered well after a ring: exactly one of http, tcp and command."""

    EXACTLY_ONE = ("http", "tcp", "command")

    http: Text | None = Field(
        default=None, description="A URL; healthy is an answer from 200 to 399.", examples=["http://intranet.example.org/health"]
    )
    tcp: Text | None = Field(
        default=None, description="host:port; healthy is that it accepts a connection.", examples=["mail.example.org:25"]
    )
    command: Text | None = Field(
        default=None,
        description="A command on each device of the ring; healthy is exit code 0.",
        examples=["systemctl is-active cups"],
    )
    from_: Literal["controller"] = Field(
        default="controller",
        alias="from",
        description="Who asks http and tcp; only the machine deskside runs on.",
        examples=["controller"],
    )
    timeout: Duration = Field(default=timedelta(seconds=10), description="How long an answer may take.", examples=["10s"])


class GatePart(Part):
    """What must hold after a ring before the next one starts."""

    ok: Share = Field(
        default=Fraction(1), description="Share of the devices that ended well. Absent ones are outside of it.", examples=["95%"]
    )
    failed_at_most: Count | None = Field(
        default=None, description="More failures than this are red, whatever the share.", examples=[2]
    )
    soak: Duration = Field(default=timedelta(0), description="Wait so long after the ring, then look again.", examples=["10m"])
    probes: tuple[ProbePart, ...] = Field(default=(), description="Questions that must be answered well after the soak time.")
    present_at_least: Share = Field(
        default=Fraction(1, 2),
        description="A ring with a smaller share of devices present proves nothing and is red. The first of several rings (canary): one device, if nothing is said.",
        examples=["50%"],
    )


class RingPart(Part):
    """An ordered share of the devices: exactly one of devices, share and rest."""

    EXACTLY_ONE = ("devices", "share", "rest")
    LATER = frozenset({"deferral", "deadline", "grace", "approval"})
    name: Name = Field(description="Name of the ring.", examples=["canary"])
    devices: Pattern | None = Field(
        default=None, description="Ansible pattern of its devices. These rings choose first.", examples=["ring_canary"]
    )
    share: RingShare | None = Field(
        default=None, description="Share of the devices that no pattern claimed; at least one.", examples=["10%"]
    )
    rest: Bool = Field(
        default=False, description="true: everything that is left. Every window has exactly one such ring.", examples=[True]
    )
    at_once: Positive | None = Field(default=None, description="At most so many devices at the same time.", examples=[20])
    gate: GatePart = Field(default_factory=GatePart, description="The check after this ring.")


class AbsentPart(Part):
    """What happens to devices that do not answer."""

    LATER = frozenset({"deadline", "hours"})
    LATER_VALUES = {"then": frozenset({"when_seen"})}
    wake: Bool = Field(
        default=False,
        description="Wake sleeping devices (Wake-on-LAN through the waker of their site) before their ring.",
        examples=[True],
    )
    then: Literal["next"] = Field(
        default="next", description="A device that stays absent leads the plan of the next occurrence.", examples=["next"]
    )


class PeoplePart(Part):
    """Who is told when."""

    LATER = frozenset({"links", "defer", "postpone", "digest"})
    invite: Invite = Field(
        default=timedelta(days=3), description="Calendar invitation so long before the start, or never.", examples=["3d"]
    )
    remind: tuple[Reminder, ...] = Field(
        default=(),
        description="Reminders: durations before the start; before_leaving is the last working hour before it.",
        examples=[["1d", "before_leaving"]],
    )
    nobody_owns: Literal["hold", "include"] = Field(
        default="hold",
        description="Devices whose people are unknown (no deskside_users): hold leaves them out, include does not.",
        examples=["hold"],
    )


class ReportPart(Part):
    """Who gets the report."""

    LATER = frozenset({"formats", "format"})
    to: tuple[Address, ...] = Field(default=(), description="Mail addresses.", examples=[["it-leads@example.org"]])
    at: Clock | None = Field(
        default=None, description="Not before this local time; without it as soon as the window has ended.", examples=["07:00"]
    )


class WindowPart(Part):
    """A recurring span of time in which named work may touch named devices."""

    LATER = frozenset({"approval", "approvers", "catch_up", "links", "undo", "calendar", "update_policy", "escalate", "silence"})
    LATER_VALUES = {"missed": frozenset({"catch_up", "run"}), "on_red_gate": frozenset({"undo", "go_on", "ask"})}
    title: Text | None = Field(default=None, description="What people read. Default: the name.", examples=["Patch night"])
    devices: Pattern = Field(
        description="Ansible pattern of all its devices, as in --limit.", examples=["workstations:servers:!lab"]
    )
    devices_at_most: Positive | None = Field(
        default=None, description="When the pattern matches more devices, nothing starts.", examples=[400]
    )
    starts: Annotated[tuple[StartPart, ...], Field(min_length=1), BeforeValidator(one_or_many), OneOrMany()] = Field(
        description="When it opens: one rule, or a list of rules."
    )
    zone: WindowZone = Field(
        description="IANA time zone of all its times. site: each site in its own zone, one occurrence per zone.", examples=["site"]
    )
    lasts: Duration = Field(description="How long it stays open: elapsed time, also in nights when clocks change.", examples=["5h"])
    cutoff: Duration = Field(
        default=timedelta(0), description="Nothing new starts later than this before the end.", examples=["45m"]
    )
    missed: Literal["skip"] = Field(
        default="skip", description="An occurrence during which deskside was down is not made up for.", examples=["skip"]
    )
    work: tuple[WorkPart, ...] = Field(
        description="What is done, in order; a device that fails a step skips the rest.", min_length=1
    )
    rings: tuple[RingPart, ...] = Field(
        default=(),
        description="In which order. Default: one ring with everything.",
        examples=[{"name": "early", "share": "10%", "gate": {"ok": "95%", "soak": "10m"}}, {"name": "broad", "rest": True}],
    )
    one_at_a_time: tuple[Pattern, ...] = Field(
        default=(),
        description="Groups of which never two devices are in maintenance together, by whomever.",
        examples=[["file_servers"]],
    )
    stay_up: dict[str, StayUp] = Field(
        default_factory=dict,
        description="Of each group at least so many devices, or this share, stay untouched.",
        examples=[{"servers": "50%"}],
    )
    absent: AbsentPart = Field(default_factory=AbsentPart, description="What happens to devices that do not answer.")
    on_red_gate: Literal["stop"] = Field(default="stop", description="After a red gate no further ring starts.", examples=["stop"])
    people: PeoplePart = Field(default_factory=PeoplePart, description="Who is told when.")
    report: ReportPart = Field(default_factory=ReportPart, description="Who gets the report.")


class FreezePart(Part):
    """Days on which no window opens."""

    LATER = frozenset({"ics", "calendar", "zone"})
    title: Text = Field(description="What people read.", examples=["Christmas"])
    from_: Day = Field(alias="from", description="First day.", examples=["2026-12-23"])
    to: Day = Field(description="Last day.", examples=["2027-01-02"])
    devices: Pattern | None = Field(
        default=None, description="Only for these devices (Ansible pattern). Default: for everything.", examples=["servers"]
    )


class MailPart(Part):
    """The way out for invitations, reminders and reports: exactly one of smtp and files."""

    EXACTLY_ONE = ("smtp", "files")
    LATER = frozenset({"apprise", "reply_to", "daily_cap", "digest"})
    smtp: SmtpUrl | None = Field(
        default=None,
        description="smtps://user@host:465 or smtp+starttls://user@host:587. smtp:// without encryption only on this machine itself.",
        examples=["smtps://it@mail.example.org"],
    )
    files: Text | None = Field(
        default=None,
        description="A maildir to put messages into instead of sending them; relative to the state directory.",
        examples=["mail"],
    )
    from_: Sender = Field(alias="from", description="Sender of every message.", examples=["IT maintenance <it@example.org>"])
    password: SecretValue | None = Field(
        default=None,
        description="Password of the mail account: a !vault value, {env: NAME} or {file: PATH}.",
        examples=[{"env": "DESKSIDE_SMTP_PASSWORD"}],
    )
    ca: Text | None = Field(
        default=None,
        description="Certificate authority of the mail server, a PEM file in the office directory.",
        examples=["ca.pem"],
    )


class ChannelsPart(Part):
    """How messages leave."""

    LATER = frozenset({"apprise", "chat", "sms", "slack", "teams", "matrix", "webhook", "telegram"})
    mail: MailPart | None = Field(default=None, description="Mail, or a directory of mails for dry runs.")


class LimitsPart(Part):
    """What devices are measured against."""

    oldest_security_fix: Duration = Field(
        default=timedelta(days=14),
        description="A device whose oldest pending security fix is older is overdue in `deskside patches`.",
        examples=["14d"],
    )


class MaintenanceFile(Part):
    """maintenance.yml: what happens when, to which devices. maintenance.d/*.yml may hold parts of it."""

    LATER = frozenset({"approvers", "calendars", "escalation", "on_call", "catalogue"})
    inventory: tuple[Text, ...] = Field(
        default=(),
        description="Ansible inventory sources, from this directory, as `-i` takes them. Default: what ansible.cfg here says, else hosts.yml.",
        examples=[["hosts.yml"]],
    )
    sites: dict[Name, SitePart] = Field(
        default_factory=dict, description="Places. Needed for zone: site and for waking devices.", examples=["berlin"]
    )
    maintenance_windows: dict[WindowName, WindowPart] = Field(
        default_factory=dict, description="Maintenance windows by name.", examples=["patch-night"]
    )
    freezes: tuple[FreezePart, ...] = Field(default=(), description="Days on which no window opens.")
    channels: ChannelsPart = Field(default_factory=ChannelsPart, description="How messages leave.")
    reboot_reserve: Duration = Field(
        default=timedelta(minutes=15),
        description="Kept free at the end of a window for one restart: none begins later.",
        examples=["15m"],
    )
    wake_wait: Duration = Field(
        default=timedelta(minutes=5), description="How long a woken device may take to answer.", examples=["5m"]
    )
    priors: dict[str, Duration] = Field(
        default_factory=dict,
        description="How long a playbook takes on one device, by name, as long as there is no history.",
        examples=[{"apply_os_updates": "15m"}],
    )
    limits: LimitsPart = Field(default_factory=LimitsPart, description="What devices are measured against.")


class PersonPart(Part):
    """One person; the key never changes, everything else may."""

    LATER = frozenset({"manager", "job_role", "language", "phone", "channels", "groups", "login"})
    name: Text = Field(description="Full name.", examples=["Ada Lovelace"])
    mail: Address | None = Field(
        default=None,
        description="Mail address; without one this person cannot be told, and the plan says so.",
        examples=["ada@example.org"],
    )
    zone: Zone = Field(description="IANA time zone; every message to this person uses it.", examples=["Europe/London"])
    hours: Hours = Field(
        default_factory=WorkingHours,
        description="Working hours: messages arrive in them. Default: 09:00-17:00 mon-fri.",
        examples=["09:00-17:00 mon-fri"],
    )
