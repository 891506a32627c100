"""Last stage: validated inputs become the domain's values. One line per setting; nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from orchestrator.application.errors import Problem
from orchestrator.application.office import Site
from orchestrator.config.documents import Document, Steps, thing_of
from orchestrator.config.schema import (
    FreezePart,
    GatePart,
    MailPart,
    MaintenanceFile,
    PeoplePart,
    PersonPart,
    ProbePart,
    RingPart,
    StartPart,
    WindowPart,
)
from orchestrator.config.settings import ChannelKind, ChannelSettings, Secret
from orchestrator.domain.person import Person
from orchestrator.domain.recurrence import check
from orchestrator.domain.window import (
    DstPolicy,
    Freeze,
    Gate,
    HealthProbe,
    NobodyOwns,
    PeopleRule,
    RebootPolicy,
    ReportRule,
    Ring,
    StartRule,
    Window,
    Work,
)

EVERYTHING = RingPart(name="all", rest=True)
"""The one ring of a window that names none."""


def build_windows(inputs: MaintenanceFile, document: Document) -> tuple[dict[str, Window], tuple[Problem, ...]]:
    """Windows by name, and the recurrence rules that are bad: a window keeps its good rules, and is left out without any."""
    windows: dict[str, Window] = {}
    disabled: list[Problem] = []
    for name, part in inputs.maintenance_windows.items():
        path: Steps = ("maintenance_windows", name)
        starts, bad = _starts(part, document, path)
        disabled += bad
        if starts:
            windows[name] = _window(name, part, starts, document, path)
    return windows, tuple(disabled)


def _starts(part: WindowPart, document: Document, path: Steps) -> tuple[tuple[StartRule, ...], list[Problem]]:
    good: list[StartRule] = []
    bad: list[Problem] = []
    several = isinstance(document.get((*path, "starts")), list)
    for index, start in enumerate(part.starts):
        rule = _start(start)
        place: Steps = (*path, "starts", index, "rrule") if several else (*path, "starts", "rrule")
        problem = check(rule)
        if problem is None:
            good.append(rule)
        else:
            bad.append(Problem(document.place(place), thing_of(place), f'"{start.rrule}" is switched off: {problem}'))
    return tuple(good), bad


def _start(part: StartPart) -> StartRule:
    return StartRule(
        rrule=part.rrule,
        at=part.at,
        since=part.since,
        plus_days=part.plus_days,
        until=part.until,
        except_dates=frozenset(part.except_),
        dst=DstPolicy(part.dst),
    )


def _window(name: str, part: WindowPart, starts: tuple[StartRule, ...], document: Document, path: Steps) -> Window:
    rings = part.rings or (EVERYTHING,)
    return Window(
        name=name,
        title=part.title or name,
        devices=part.devices,
        starts=starts,
        zone=part.zone,
        lasts=part.lasts,
        cutoff=part.cutoff,
        devices_at_most=part.devices_at_most,
        work=tuple(
            Work(
                playbook=step.playbook,
                vars=dict(step.vars),
                reboot=RebootPolicy(step.reboot),
                source=document.place((*path, "work", index)),
            )
            for index, step in enumerate(part.work)
        ),
        rings=tuple(
            _ring(ring, document, (*path, "rings", index), canary=index == 0 and len(rings) > 1) for index, ring in enumerate(rings)
        ),
        one_at_a_time=part.one_at_a_time,
        stay_up=dict(part.stay_up),
        wake=part.absent.wake,
        people=_people(part.people),
        report=ReportRule(to=part.report.to, at=part.report.at),
        source=document.key_place(path),
    )


def _ring(part: RingPart, document: Document, path: Steps, *, canary: bool) -> Ring:
    return Ring(
        name=part.name,
        devices=part.devices,
        share=part.share,
        rest=part.rest,
        at_once=part.at_once,
        gate=_gate(part.gate, document, (*path, "gate"), canary=canary),
        source=document.place(path),
    )


def _gate(part: GatePart, document: Document, path: Steps, *, canary: bool) -> Gate:
    """The canary ring, the first of several, proves something as soon as one device of it is there (window contract 8)."""
    unsaid = "present_at_least" not in part.model_fields_set
    return Gate(
        ok=part.ok,
        failed_at_most=part.failed_at_most,
        soak=part.soak,
        probes=tuple(_probe(probe, document, (*path, "probes", index)) for index, probe in enumerate(part.probes)),
        present_at_least=Fraction(0) if canary and unsaid else part.present_at_least,
    )


def _probe(part: ProbePart, document: Document, path: Steps) -> HealthProbe:
    kind = next(kind for kind in ("http", "tcp", "command") if getattr(part, kind) is not None)
    return HealthProbe(kind=kind, target=getattr(part, kind), timeout=part.timeout, source=document.place(path))


def _people(part: PeoplePart) -> PeopleRule:
    leads = tuple(lead for lead in part.remind if not isinstance(lead, str))
    return PeopleRule(
        invite=None if isinstance(part.invite, str) else part.invite,
        remind=leads,
        before_leaving="before_leaving" in part.remind,
        nobody_owns=NobodyOwns(part.nobody_owns),
    )


def build_freezes(parts: tuple[FreezePart, ...], document: Document) -> tuple[Freeze, ...]:
    """Freezes, in the order of the file."""
    return tuple(
        Freeze(title=part.title, first=part.from_, last=part.to, devices=part.devices, source=document.place(("freezes", index)))
        for index, part in enumerate(parts)
    )


def build_sites(inputs: MaintenanceFile) -> dict[str, Site]:
    """Sites by name."""
    return {name: Site(name=name, group=part.group, zone=part.zone, waker=part.waker) for name, part in inputs.sites.items()}


def build_people(parts: Mapping[str, PersonPart]) -> dict[str, Person]:
    """People by slug."""
    return {
        slug: Person(slug=slug, name=part.name, mail=part.mail, zone=part.zone, hours=part.hours) for slug, part in parts.items()
    }


def build_channels(part: MailPart | None, document: Document, root: Path) -> dict[str, ChannelSettings]:
    """The one channel of this version, ``mail``; without it nobody is told, and the plan says so."""
    if part is None:
        return {}
    path: Steps = ("channels", "mail")
    name, address = part.from_
    source = document.key_place(path)
    if part.smtp is None:
        directory = Path(part.files or "mail")
        files = ChannelSettings(
            name="mail", kind=ChannelKind.FILES, sender=address, sender_name=name, directory=directory, source=source
        )
        return {"mail": files}
    box = part.smtp
    settings = ChannelSettings(
        name="mail",
        kind=ChannelKind.SMTP,
        sender=address,
        sender_name=name,
        host=box.host,
        port=box.port,
        tls=box.tls,
        # Most mail accounts are called like the address they send from.
        user=box.user or (address if part.password else None),
        password=_secret(part.password, document, path),
        ca=(root / part.ca) if part.ca else None,
        source=source,
    )
    return {"mail": settings}


def _secret(secret: Secret | None, document: Document, path: Steps) -> Secret | None:
    return Secret(secret.kind, secret.reference, document.place((*path, "password"))) if secret else None
