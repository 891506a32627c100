"""One notice of every kind about the sample night. Not a test."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from orchestrator.adapters.render import JinjaNoticeRenderer
from orchestrator.application.notice_facts import cancel_notices, canonical, iso, readiness_notices, started_notices
from orchestrator.domain.notice import Notice, NoticeKind
from orchestrator.domain.plan import Plan
from tests.unit.report import night

READINESS = {
    "window": "Patch night",
    "starts": iso(night.START),
    "ready": ["ws-ada", "ws-linus", "dc-1"],
    "not_ready": [
        {"device": "ws-old-3", "why": "did not answer on port 22"},
        {"device": "fs-2", "why": "312 MB free on /boot, 500 MB are needed"},
    ],
    "problems": ["mail: mail.example.org:587 refused the login"],
}


def renderer() -> JinjaNoticeRenderer:
    return JinjaNoticeRenderer(sender=night.SENDER, domain=night.DOMAIN, contact=night.CONTACT)


def of(notices: tuple[Notice, ...], person: str, kind: NoticeKind) -> Notice:
    return next(notice for notice in notices if notice.person == person and notice.kind is kind)


def changed(notice: Notice, **facts) -> Notice:
    return replace(notice, facts=canonical(json.loads(notice.facts) | facts))


def kinds(plan: Plan) -> dict[str, Notice]:
    """Golden name → notice."""
    before, after = night.invitations(plan), night.closings(plan)
    afternoon = datetime(2026, 12, 9, 14, 0, tzinfo=UTC)
    leads = readiness_notices(
        READINESS,
        ["leads@example.org"],
        occurrence=night.ID,
        zone="Europe/Berlin",
        channel="mail",
        due=afternoon,
        expires=night.START,
    )
    ada = of(before, "ada", NoticeKind.INVITATION)
    shared = json.loads(ada.facts)
    two = [*shared["devices"], {"name": "ws-lab", "expected": iso(night.at(44)), "minutes": 20}]
    return {
        "invitation": ada,
        "invitation-far-zone": of(before, "jose", NoticeKind.INVITATION),
        "invitation-two-computers": changed(ada, devices=two, restart="always"),
        "invitation-emergency": changed(
            ada, emergency="CVE-2026-1234 is being exploited", restart="never", work=["“update drivers” is carried out"]
        ),
        "reminder": of(before, "ada", NoticeKind.REMINDER),
        "started": started_notices(plan, night.PEOPLE, {"ws-ada"}, domain=night.DOMAIN, channel="mail", at=night.at(0.2))[0],
        "closing-done": of(after, "ada", NoticeKind.CLOSING),
        "closing-failed": of(after, "edsger", NoticeKind.CLOSING),
        "cancelled": cancel_notices([ada], reason="postponed for you until Fri 18 Dec: on a customer call", at=afternoon)[0],
        "readiness": leads[0],
    }
