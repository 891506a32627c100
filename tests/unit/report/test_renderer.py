"""The report as page, PDF, CSV and mail."""

from __future__ import annotations

import builtins
import copy
import csv
import io
import json
import re
import shutil
import subprocess
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from orchestrator.adapters.channels.mime import build_mail
from orchestrator.adapters.render import JinjaNoticeRenderer, JinjaReportRenderer
from orchestrator.adapters.render import chart as charts
from orchestrator.adapters.render import report as reports
from orchestrator.adapters.render.moments import Zone, minutes
from orchestrator.application.errors import EnvironmentProblemError
from orchestrator.application.notice_facts import report_notices
from orchestrator.application.report_document import build
from tests.unit.report import night

PLAN = night.plan()
DOCUMENT = json.loads(
    json.dumps(
        build(PLAN, night.occurrence_row(), night.runs(), night.gates(), night.outbox(PLAN), night.log(), made_at=night.at(600))
    )
)
RENDERER = JinjaReportRenderer()


class Page(HTMLParser):
    """Tags, addresses and text of a page; closing tags must match."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self._words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []
        self.words = " ".join(self._words)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "xlink:href"}]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self._words += data.split()


def changed(**parts):
    return copy.deepcopy(DOCUMENT) | parts


@pytest.fixture
def quick(monkeypatch):
    """Paper is not what the test is about, and takes seconds."""
    monkeypatch.setattr(reports, "to_pdf", lambda page: b"%PDF-")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("shape", ["html", "mail"])
def test_a_page_stands_alone(shape):
    text = RENDERER.html(DOCUMENT) if shape == "html" else RENDERER.mail(DOCUMENT).html
    page = Page(text)
    assert page.addresses == []
    assert not {"script", "img", "link", "iframe", "form", "object"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?://(?!intranet/health)", text)


def test_the_page_says_first_what_matters():
    words = Page(RENDERER.html(DOCUMENT)).words
    order = [
        "36 of 41 devices are up to date",
        "Needs somebody",
        "ws-edsger",
        "post-installation script failed",
        "E: Sub-process /usr/bin/dpkg returned an error code (1)",
        "Not done",
        "ws-old-3",
        "Rings",
        "What changed",
        "3.0.18-1~deb12u1",
        "Devices Device Outcome Began",
        "People",
        "What differed from the plan",
        "plan 7f3a9c41d2e8",
        "tzdata 2026b",
    ]
    start = words.index("Patch night · Wednesday")  # behind title and style
    places = [words.index(text, start) for text in order]
    assert places == sorted(places)


def test_every_device_change_and_person_is_on_the_page():
    words = Page(RENDERER.html(DOCUMENT)).words
    assert all(row["device"] in words for row in DOCUMENT["devices"])
    assert all(person["name"] in words for person in DOCUMENT["people"])
    assert {change["package"] for change in DOCUMENT["changes"]} <= set(words.split())
    assert "alan reminder before leaving ambiguous" in words
    assert "tim could not be told (invitation, reminder, closing)" in words


@pytest.mark.usefixtures("quick")
def test_output_of_a_device_is_text_and_never_markup():
    evil = copy.deepcopy(DOCUMENT)
    for row in (*evil["failures"], *evil["devices"]):
        row["reason"] = "</pre><script>alert(1)</script>"
        row["lines"] = ["\x1b[31m<img src=http://evil.example/x>", "\u0000"]
    evil["headline"] = "<b>bold</b>"
    for text in (RENDERER.html(evil), RENDERER.mail(evil).html):
        page = Page(text)
        assert not {"script", "img"} & set(page.tags)
        assert "<script>alert(1)</script>" in page.words
        assert "\x1b" not in text
        assert "\x00" not in text


@pytest.mark.usefixtures("quick")
def test_a_night_without_devices_or_starts_still_has_a_page():
    nothing = build(PLAN, night.occurrence_row(opened_at=None, finished_at=None), [], [], [], [], made_at=night.at(1))
    page = Page(RENDERER.html(nothing))
    assert "svg" not in page.tags
    assert "0 of 41 devices are up to date; 41 were not reached" in page.words
    assert RENDERER.mail(nothing).text.startswith("0 of 41")


def test_csv_has_a_row_per_change_and_one_for_each_quiet_device():
    rows = list(csv.DictReader(io.StringIO(RENDERER.csv(DOCUMENT), newline="")))
    with_package = {(row["device"], row["package"], row["from"], row["to"]) for row in rows if row["package"]}
    assert with_package == {(row["device"], row["package"], row["from"], row["to"]) for row in DOCUMENT["changes"]}
    quiet = sorted(row["device"] for row in rows if not row["package"])
    assert quiet == sorted(row["device"] for row in DOCUMENT["devices"] if not row["changes"])
    assert next(row for row in rows if row["device"] == "ws-ada")["restarted_at"] == "2026-12-09T21:05:06+00:00"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_csv_is_not_computed_by_a_spreadsheet(start):
    evil = copy.deepcopy(DOCUMENT)
    evil["devices"][0]["reason"] = f"{start}cmd|' /C calc'!A0"
    reasons = {row["reason"] for row in csv.DictReader(io.StringIO(RENDERER.csv(evil), newline=""))}
    assert f"'{start}cmd|' /C calc'!A0" in reasons
    assert not any(reason.startswith(start) for reason in reasons)


def test_pdf_is_a_pdf_with_the_same_words_and_the_same_bytes():
    small = changed(devices=DOCUMENT["devices"][:5])
    first = RENDERER.pdf(small)
    assert first.startswith(b"%PDF-")
    assert JinjaReportRenderer().pdf(small) == first
    if shutil.which("pdftotext") is None:
        pytest.fail("pdftotext is missing: apt-get install poppler-utils")
    text = subprocess.run(["pdftotext", "-layout", "-", "-"], input=first, capture_output=True, check=True).stdout.decode()
    assert "36 of 41 devices are up to date" in text
    assert "3.0.18-1~deb12u1" in text
    assert "José Álvarez" in text


def test_without_the_libraries_the_remedy_is_named_and_the_mail_goes_without(monkeypatch):
    real = builtins.__import__

    def broken(name, *rest, **more):
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0': not found\nmore")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(EnvironmentProblemError) as caught:
        JinjaReportRenderer().pdf(DOCUMENT)
    assert "cannot load library 'libpango-1.0-0'" in caught.value.message
    assert "apt-get install libpango-1.0-0" in caught.value.message
    mail = JinjaReportRenderer().mail(DOCUMENT)
    assert [name for name, _, _ in mail.attachments] == ["report-patch-night-2026-12-09.csv"]
    assert "No PDF is attached" in mail.text
    assert "No PDF is attached" in mail.html


def test_the_report_mail_carries_page_and_table_and_is_the_same_when_sent_again():
    [notice] = report_notices(DOCUMENT, ["leads@example.org"], channel="mail", due=night.at(600))
    renderer = JinjaNoticeRenderer(sender=night.SENDER, domain=night.DOMAIN, report=RENDERER)
    message = renderer.render(notice)
    assert message.subject.startswith("Patch night, Wednesday 9 December: 36 of 41 devices are up to date; 1 failed")
    assert [(name, kind) for name, kind, _ in message.attachments] == [
        ("report-patch-night-2026-12-09.pdf", "application/pdf"),
        ("report-patch-night-2026-12-09.csv", "text/csv"),
    ]
    assert message.recipient == "leads@example.org"
    assert message.headers["Date"] == "Thu, 10 Dec 2026 07:00:00 +0000"
    assert build_mail(message).as_bytes() == build_mail(renderer.render(notice)).as_bytes()
    assert len(message.html.encode()) < 100_000  # beyond that Gmail cuts a mail off


def test_bars_stand_where_the_clock_says():
    chart = charts.draw(DOCUMENT, Zone("Europe/Berlin"))
    assert chart is not None
    bars = {bar.name: bar for lane in chart.lanes for bar in lane.bars}
    total = timedelta(minutes=131)
    expected = charts.LEFT + (timedelta(minutes=27) / total) * (charts.WIDTH - charts.LEFT)
    assert bars["ws-grace"].x == pytest.approx(expected, abs=0.1)
    assert bars["ws-grace"].width == pytest.approx((timedelta(minutes=7) / total) * 850, abs=0.2)
    assert bars["ws-grace"].x < bars["ws-grace"].restart < bars["ws-grace"].x + bars["ws-grace"].width
    assert bars["ws-old-3"].x is None
    assert [label for _, label in chart.ticks] == ["22:00", "22:15", "22:30", "22:45", "23:00", "23:15", "23:30", "23:45", "00:00"]
    assert all(bar.y + bar.height <= chart.height for bar in bars.values())
    assert [lane.named for lane in chart.lanes] == [True, True, False, True]


def test_ticks_are_round_also_in_a_zone_of_quarter_hours():
    chart = charts.draw(DOCUMENT, Zone("Asia/Kathmandu"))
    assert chart is not None
    assert [label for _, label in chart.ticks][:2] == ["02:45", "03:00"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0.2, "1 s"), (48, "48 s"), (60, "1 min"), (3540, "59 min"), (3900, "1 h 05 min")]
)
def test_spans_are_short(seconds, text):
    assert minutes(seconds) == text
