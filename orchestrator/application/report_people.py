"""Who was told, who could not be, and which messages are in doubt: the part of the report about people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.application.notice_facts import iso
from orchestrator.application.ports import OutboxRow
from orchestrator.domain.notice import NoticeKind, NoticeState
from orchestrator.domain.plan import Plan

FOR_LEADS = frozenset({NoticeKind.REPORT, NoticeKind.READINESS})
EXPECTED = (NoticeKind.INVITATION, NoticeKind.CLOSING)
"""Kinds of which everybody who is told gets exactly one."""
RESENT = "resent after crash"
"""How the outbox marks a row that a dead sender may have sent already (ports.Outbox.recover)."""
UNSENT = frozenset({NoticeState.NEW, NoticeState.SENDING})


def people(plan: Plan, rows: Sequence[OutboxRow]) -> list[dict[str, Any]]:
    """One row per person of the plan: ``{person, name, address, devices, notices: [{kind, key, state, at, detail}]}``."""
    return [
        {
            "person": told.person,
            "name": told.name,
            "address": told.address,
            "devices": list(told.devices),
            "notices": [_notice(row) for row in rows if row.notice.person == told.person and row.notice.kind not in FOR_LEADS],
        }
        for told in plan.told
    ]


def unreachable(plan: Plan, rows: Sequence[OutboxRow]) -> list[dict[str, str]]:
    """Who could not be told, and why: no address in the office, refused by the mail server, or never handed over."""
    found = [{"person": str(row["person"]), "kind": "", "why": str(row["why"])} for row in plan.facts.get("unreachable_people", ())]
    for row in rows:
        if row.notice.kind in FOR_LEADS:
            continue
        if row.state is NoticeState.REJECTED:
            found.append({"person": row.notice.person, "kind": row.notice.kind.value, "why": row.detail or "refused"})
        elif row.state in UNSENT and row.notice.kind in EXPECTED:
            found.append({"person": row.notice.person, "kind": row.notice.kind.value, "why": row.detail or "not sent yet"})
    return found


def ambiguous(plan: Plan, rows: Sequence[OutboxRow]) -> list[dict[str, str]]:
    """Every message that may be missing or may have arrived twice (contract 7).

    Returns:
        ``{person, kind, key, id, ambiguous, detail}``; ``ambiguous`` is ``unknown`` (nobody knows whether it arrived),
        ``repeated`` (sent again after a crash: at most two copies with one Message-ID) or ``missing``.
    """
    found = []
    for row in rows:
        if row.notice.kind in FOR_LEADS:
            continue
        if row.state is NoticeState.AMBIGUOUS:
            found.append(_doubt(row, "unknown"))
        elif row.detail.startswith(RESENT) and row.state is NoticeState.SENT:
            found.append(_doubt(row, "repeated"))
        elif row.notice.kind in EXPECTED and row.state in UNSENT | {NoticeState.REJECTED}:
            found.append(_doubt(row, "missing"))
    found.extend(_never_written(plan, rows))
    return found


def _never_written(plan: Plan, rows: Sequence[OutboxRow]) -> list[dict[str, str]]:
    """People who have no row of a kind that others have: without a channel, or with ``invite: never``, nobody has one."""
    known = {(row.notice.person, row.notice.kind) for row in rows}
    kinds = {kind for _, kind in known}
    detail = "was never put into the outbox"
    return [
        {"person": told.person, "kind": kind.value, "key": "", "id": "", "ambiguous": "missing", "detail": detail}
        for told in plan.told
        for kind in EXPECTED
        if kind in kinds and (told.person, kind) not in known
    ]


def _notice(row: OutboxRow) -> dict[str, Any]:
    return {
        "kind": row.notice.kind.value,
        "key": row.notice.key,
        "state": row.state.value,
        "at": iso(row.sent_at) if row.sent_at else None,
        "detail": row.detail,
    }


def _doubt(row: OutboxRow, how: str) -> dict[str, str]:
    notice = row.notice
    return {
        "person": notice.person,
        "kind": notice.kind.value,
        "key": notice.key,
        "id": notice.id,
        "ambiguous": how,
        "detail": row.detail,
    }
