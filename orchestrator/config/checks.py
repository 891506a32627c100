"""What two settings say together. Each check reads the raw values, so that an error elsewhere in the window hides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from orchestrator.application.errors import Problem
from orchestrator.config import scalars
from orchestrator.config.channels import Mailbox, parse_smtp
from orchestrator.config.documents import Document, Steps, VaultText, thing_of
from orchestrator.config.scalars import quoted
from orchestrator.config.settings import TlsMode

type Found = Iterator[Problem]


def check_document(document: Document, root: Path) -> Found:
    """Every contradiction in maintenance.yml."""
    for name, window in _items(document, ("maintenance_windows",)):
        path: Steps = ("maintenance_windows", name)
        if isinstance(window, dict):
            yield from _times(document, path, window)
            yield from _zone(document, path, window)
            yield from _rings(document, path)
            yield from _starts(document, path)
            yield from _work(document, path, root)
            yield from _wake(document, path)
            yield from _report(document, path)
    yield from _freezes(document)
    yield from _mail(document)
    yield from check_empty(document)


def check_empty(document: Document) -> Found:
    """A key without a value: nobody can know what is meant by it."""
    refused = {problem.thing for problem in document.problems}
    for path in document.keys:
        if document.get(path) is None and "vars" not in path[:-1] and thing_of(path) not in refused:
            yield Problem(document.key_place(path), thing_of(path), "is empty: write a value, or remove the key")


def _items(document: Document, path: Steps) -> list[tuple[str, Any]]:
    found = document.get(path)
    return list(found.items()) if isinstance(found, dict) else []


def _entries(document: Document, path: Steps) -> list[tuple[Steps, dict[str, Any]]]:
    found = document.get(path)
    many = found if isinstance(found, list) else []
    return [((*path, index), entry) for index, entry in enumerate(many) if isinstance(entry, dict)]


def _quiet[T](parse: Callable[[Any], T], value: Any) -> T | None:
    """The parsed value, or ``None``: what cannot be read has a problem of its own."""
    if value is None:
        return None
    try:
        return parse(value)
    except ValueError:
        return None


def _at(document: Document, path: Steps, message: str) -> Problem:
    return Problem(document.place(path), thing_of(path), message)


def _times(document: Document, path: Steps, window: dict[str, Any]) -> Found:
    lasts = _quiet(scalars.parse_duration, window.get("lasts"))
    cutoff = _quiet(scalars.parse_duration, window.get("cutoff"))
    if lasts == timedelta(0):
        yield _at(document, (*path, "lasts"), f"{quoted(window['lasts'])} is no time at all: nothing could ever start")
    elif lasts is not None and cutoff is not None and cutoff >= lasts:
        compared = "longer than" if cutoff > lasts else "as long as"
        yield _at(
            document,
            (*path, "cutoff"),
            f"{quoted(window['cutoff'])} is {compared} the window ({quoted(window['lasts'])}): nothing could ever start. Make it shorter than lasts.",
        )
    reserve = _quiet(scalars.parse_duration, document.get(("reboot_reserve",)))
    if lasts and reserve and reserve >= lasts:
        yield _at(
            document,
            ("reboot_reserve",),
            f"{quoted(document.get(('reboot_reserve',)))} leaves no time in {path[-1]}, which lasts {quoted(window['lasts'])}: make it shorter.",
        )


def _zone(document: Document, path: Steps, window: dict[str, Any]) -> Found:
    if window.get("zone") == scalars.SITE_ZONE and not _items(document, ("sites",)):
        yield _at(
            document, (*path, "zone"), '"site" needs at least one site: write sites: with a group and a zone, or an IANA zone here'
        )


def _rings(document: Document, path: Steps) -> Found:
    rings = _entries(document, (*path, "rings"))
    names: dict[Any, Steps] = {}
    for ring_path, ring in rings:
        chosen = [key for key in ("devices", "share", "rest") if ring.get(key) not in (None, False)]
        if len(chosen) != 1:
            said = " and ".join(chosen) or "none of them"
            yield _at(document, ring_path, f"needs exactly one of devices, share and rest, but has {said}")
        if ring.get("name") in names:
            first = document.place(names[ring["name"]])
            yield _at(
                document,
                (*ring_path, "name"),
                f"{quoted(ring['name'])} is the name of another ring in line {first.line}: rings need different names",
            )
        names.setdefault(ring.get("name"), (*ring_path, "name"))
        yield from _gate(document, (*ring_path, "gate"))
    yield from _rest(document, (*path, "rings"), rings)


def _rest(document: Document, path: Steps, rings: list[tuple[Steps, dict[str, Any]]]) -> Found:
    rests = [ring_path for ring_path, ring in rings if ring.get("rest") is True]
    if rings and not rests:
        yield _at(document, path, "no ring takes the rest, so devices would be left out in silence: give one ring rest: true")
    for extra in rests[1:]:
        yield _at(document, (*extra, "rest"), "only one ring can take the rest: give this one devices or share")
    shares = [_quiet(scalars.parse_share, ring.get("share")) or Fraction(0) for _, ring in rings]
    if sum(shares) >= 1:
        yield _at(
            document,
            path,
            f"the shares make {float(sum(shares)) * 100:g} %, so the ring with rest: true would be empty: keep them below 100 %",
        )


def _gate(document: Document, path: Steps) -> Found:
    for probe_path, probe in _entries(document, (*path, "probes")):
        kinds = [key for key in ("http", "tcp", "command") if key in probe]
        if len(kinds) != 1:
            yield _at(
                document, probe_path, f"needs exactly one of http, tcp and command, but has {' and '.join(kinds) or 'none of them'}"
            )
        elif kinds == ["command"] and "from" in probe:
            yield _at(document, (*probe_path, "from"), "a command runs on each device of the ring: remove from")
        yield from _probe_target(document, probe_path, probe)


def _probe_target(document: Document, path: Steps, probe: dict[str, Any]) -> Found:
    url, address = probe.get("http"), probe.get("tcp")
    if isinstance(url, str) and not url.startswith(("http://", "https://")):
        yield _at(document, (*path, "http"), f"{quoted(url)} is not a URL: write http:// or https:// before it")
    if isinstance(address, str):
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            yield _at(document, (*path, "tcp"), f"{quoted(address)} is not host:port: write for example mail.example.org:25")


def _starts(document: Document, path: Steps) -> Found:
    single = document.get((*path, "starts"))
    entries = [((*path, "starts"), single)] if isinstance(single, dict) else _entries(document, (*path, "starts"))
    for entry_path, entry in entries:
        since, until = (_quiet(scalars.parse_date, entry.get(key)) for key in ("since", "until"))
        if since and until and until < since:
            yield _at(
                document,
                (*entry_path, "until"),
                f"{quoted(entry['until'])} is before since ({quoted(entry['since'])}): the window would never open",
            )


def _work(document: Document, path: Steps, root: Path) -> Found:
    for step_path, step in _entries(document, (*path, "work")):
        playbook = step.get("playbook")
        if isinstance(playbook, str) and playbook.endswith((".yml", ".yaml")) and not (root / playbook).is_file():
            yield _at(
                document, (*step_path, "playbook"), f"{quoted(playbook)} does not exist in the office directory: check the path"
            )
    for sealed in (where for where in document.places if where[: len(path)] == path and isinstance(document.get(where), VaultText)):
        yield _at(
            document, sealed, "a !vault value is not possible here: put it into group_vars or host_vars, where Ansible opens it"
        )
    steps = [step.get("playbook") for _, step in _entries(document, (*path, "work"))]
    for index, playbook in enumerate(steps):
        if playbook is not None and playbook in steps[:index]:
            yield _at(
                document, (*path, "work", index, "playbook"), f"{quoted(playbook)} is done twice in this window: keep one step"
            )


def _wake(document: Document, path: Steps) -> Found:
    wakers = [site for _, site in _items(document, ("sites",)) if isinstance(site, dict) and site.get("waker")]
    if document.get((*path, "absent", "wake")) is True and not wakers:
        yield _at(
            document,
            (*path, "absent", "wake"),
            "nothing could be woken: give a site a waker, a device there that sends Wake-on-LAN",
        )


def _report(document: Document, path: Steps) -> Found:
    report = document.get((*path, "report"))
    if not isinstance(report, dict):
        return
    if report.get("to") and document.get(("channels", "mail")) is None:
        yield _at(document, (*path, "report", "to"), "nobody can be mailed without channels.mail: write it, with smtp: or files:")
    if "at" in report and not report.get("to"):
        yield _at(document, (*path, "report", "at"), "means nothing without to: say who gets the report")


def _freezes(document: Document) -> Found:
    for path, freeze in _entries(document, ("freezes",)):
        first, last = (_quiet(scalars.parse_date, freeze.get(key)) for key in ("from", "to"))
        if isinstance(first, date) and isinstance(last, date) and last < first:
            yield _at(
                document,
                (*path, "to"),
                f"{quoted(freeze['to'])} is before from ({quoted(freeze['from'])}): no day would be frozen. Swap them.",
            )


def _mail(document: Document) -> Found:
    path: Steps = ("channels", "mail")
    mail = document.get(path)
    if not isinstance(mail, dict):
        return
    ways = [key for key in ("smtp", "files") if key in mail]
    if len(ways) != 1:
        yield _at(document, path, f"needs exactly one of smtp and files, but has {' and '.join(ways) or 'none of them'}")
    for key in ("password", "ca"):
        if key in mail and ways == ["files"]:
            yield _at(document, (*path, key), "means nothing with files: remove it")
    box = _quiet(parse_smtp, mail.get("smtp"))
    if isinstance(box, Mailbox) and box.tls is TlsMode.PLAIN and (box.user or "password" in mail):
        yield _at(
            document, (*path, "smtp"), "logs in without encryption: use smtps:// or smtp+starttls://, or remove user and password"
        )
        return
    if isinstance(box, Mailbox) and box.user and "password" not in mail:
        yield _at(
            document,
            path,
            f"password is missing: the URL logs in as {quoted(box.user)}. Write it as {{env: NAME}}, {{file: PATH}} or !vault",
        )
