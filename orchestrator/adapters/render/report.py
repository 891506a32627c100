"""The report document in its shapes: page, PDF, CSV, and the mail that carries it. All from one document."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from orchestrator.adapters.render.chart import FILLS, INK, LINE, SOAK, SOFT, draw
from orchestrator.adapters.render.moments import Zone, count, minutes
from orchestrator.adapters.render.pdf import to_pdf
from orchestrator.adapters.render.templates import environment
from orchestrator.application.errors import EnvironmentProblemError
from orchestrator.domain.notice import one_line, printable

COLUMNS = (
    *("occurrence", "device", "ring", "users", "outcome", "reason", "started_at", "finished_at", "restarted_at"),
    *("package", "from", "to", "class", "undo"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would compute a cell that begins so; an apostrophe before it keeps it text."""
UNDO_WORDS = {"repository": "from the repository", "cache": "from the device's cache", "none": "not"}

DOUBT_WORDS = {
    "unknown": "ambiguous: nobody knows whether it arrived",
    "repeated": "ambiguous: may have arrived twice, with one Message-ID",
    "missing": "missing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportMail:
    """The parts of a report mail."""

    subject: str
    text: str
    html: str
    attachments: tuple[tuple[str, str, bytes], ...]


class JinjaReportRenderer:
    """The port ``ReportRenderer``, and the mail around it."""

    def __init__(self) -> None:
        self._last_pdf: tuple[str, bytes] | None = None

    def html(self, document: Mapping[str, Any]) -> str:
        """One page without scripts and without anything fetched from elsewhere."""
        return self._fill("report.html.j2", document)

    def pdf(self, document: Mapping[str, Any]) -> bytes:
        """The same page on paper; the same document gives the same bytes.

        Raises:
            EnvironmentProblemError: The libraries for PDF are missing on this machine.
        """
        page = self.html(document)
        digest = hashlib.sha256(page.encode()).hexdigest()
        if self._last_pdf is None or self._last_pdf[0] != digest:
            self._last_pdf = (digest, to_pdf(page))
        return self._last_pdf[1]

    def csv(self, document: Mapping[str, Any]) -> str:
        """One row per device and package; a device without changes has one row with empty package columns. RFC 4180."""
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        writer.writerows([_cell(row[column]) for column in COLUMNS] for row in _rows(document))
        return out.getvalue()

    def mail(self, document: Mapping[str, Any]) -> ReportMail:
        """The report as a mail: a body any mail program shows, PDF (where this machine can make one) and CSV attached."""
        occurrence = document["occurrence"]
        stem = "-".join(("report", *occurrence["id"].split("/")))
        attachments: list[tuple[str, str, bytes]] = []
        missing = ""
        try:
            attachments.append((f"{stem}.pdf", "application/pdf", self.pdf(document)))
        except EnvironmentProblemError as error:
            missing = f"No PDF is attached: {error.message}"
        attachments.append((f"{stem}.csv", "text/csv", self.csv(document).encode()))
        day = Zone(occurrence["zone"]).day(occurrence["starts_at"])
        return ReportMail(
            subject=one_line(f"{occurrence['title']}, {day}: {document['headline']}"),
            text=self._fill("report.txt.j2", document, missing=missing),
            html=self._fill("report_mail.html.j2", document, missing=missing),
            attachments=tuple(attachments),
        )

    def _fill(self, template: str, document: Mapping[str, Any], **more: Any) -> str:
        clean = json.loads(printable(json.dumps(document, ensure_ascii=False)), object_hook=_printable)
        zone = Zone(document["occurrence"]["zone"])
        return (
            environment()
            .get_template(template)
            .render(
                d=clean,
                zone=zone,
                chart=draw(clean, zone),
                fills=FILLS,
                colour={"ink": INK, "soft": SOFT, "line": LINE, "soak": SOAK},
                groups=grouped(clean),
                people=_people(clean),
                doubts=doubts(clean),
                minutes=minutes,
                count=count,
                undo=undo,
                **more,
            )
        )


def grouped(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same change on many devices is one line: ``{package, from, to, devices}``, the most common first."""
    key = ("package", "from", "to")
    rows = sorted(document["changes"], key=lambda row: tuple(row[name] for name in key))
    found = [
        dict(zip(key, values, strict=True)) | {"devices": [row["device"] for row in group]}
        for values, group in groupby(rows, key=lambda row: tuple(row[name] for name in key))
    ]
    return sorted(found, key=lambda row: (-len(row["devices"]), row["package"], row["from"]))


def undo(device: Mapping[str, Any]) -> str:
    """``20 from the repository, 2 not``: how many changes of a device could be undone, and from where."""
    kinds = [change["undo"] for change in device["changes"]]
    return ", ".join(f"{kinds.count(kind)} {words}" for kind, words in UNDO_WORDS.items() if kind in kinds)


def doubts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Who could not be told and which messages are in doubt, as (person, sentence); what has one reason is one line."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for row in document["not_told"]:
        kinds.setdefault((row["person"], row["why"]), []).append(row["kind"])
    found = [(person, _untold([kind for kind in named if kind], why)) for (person, why), named in kinds.items()]
    known = {(row["person"], row["kind"]) for row in document["not_told"]}
    for row in document["ambiguous"]:
        if row["ambiguous"] != "missing" or (row["person"], row["kind"]) not in known:
            what = " ".join((row["kind"], row["key"].replace("_", " "))).strip()
            found.append(
                (row["person"], f"{what} {DOUBT_WORDS[row['ambiguous']]}{' (' + row['detail'] + ')' if row['detail'] else ''}")
            )
    return found


def _untold(kinds: list[str], why: str) -> str:
    return f"could not be told{' (' + ', '.join(kinds) + ')' if kinds else ''}: {why}"


def _people(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Per person the last word about invitation and closing notice."""
    found = []
    for person in document["people"]:
        last = {notice["kind"]: notice for notice in person["notices"]}
        reminders = sum(notice["kind"] == "reminder" and notice["state"] == "sent" for notice in person["notices"])
        found.append(person | {"invitation": last.get("invitation"), "closing": last.get("closing"), "reminders": reminders})
    return found


def _rows(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for device in document["devices"]:
        base = {
            "occurrence": document["occurrence"]["id"],
            "restarted_at": (device["restart"] or {}).get("at") or "",
            **{name: device[name] or "" for name in ("device", "ring", "outcome", "reason", "started_at", "finished_at")},
            "users": " ".join(device["users"]),
        }
        for change in device["changes"] or [dict.fromkeys(("package", "from", "to", "class", "undo"), "")]:
            yield base | change


def _cell(value: str) -> str:
    return f"'{value}" if value.startswith(FORMULA) else value


def _printable(found: dict[str, Any]) -> dict[str, Any]:
    """Escaped control characters come out of the JSON again: clean every text value."""
    return {key: printable(value) if isinstance(value, str) else _in_list(value) for key, value in found.items()}


def _in_list(value: Any) -> Any:
    return [printable(item) if isinstance(item, str) else item for item in value] if isinstance(value, list) else value
