"""Use case: `deskside notices preview`: what people will be told, or were told, word for word. Sends nothing, stores nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.application.errors import NotFoundError
from orchestrator.application.notice_facts import notices_for_plan, send_times
from orchestrator.application.office import OfficeFacts, suggestion
from orchestrator.application.ports import Message, NoticeRenderer, OutboxRow
from orchestrator.domain.notice import Notice, NoticeState
from orchestrator.domain.plan import Plan
from orchestrator.domain.window import Window

NO_CHANNEL = "preview"
"""The channel's name in an office that has none yet: a preview is what one looks at before there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """One message: ``state`` is that of the outbox, empty while it is only foreseen."""

    notice: Notice
    message: Message
    state: str = ""


def foreseen(plan: Plan, window: Window, office: OfficeFacts, *, now: datetime) -> tuple[Notice, ...]:
    """The invitations and reminders of a plan, as they would be put into the outbox now."""
    times = send_times(plan, window.people, office.people, now=now)
    return notices_for_plan(plan, office.people, times, domain=office.domain or "localhost", channel=office.channel or NO_CHANNEL)


def preview(notices: Sequence[Notice | OutboxRow], renderer: NoticeRenderer, *, person: str | None = None) -> tuple[Previewed, ...]:
    """Render notices for one person or for everybody, by due time.

    Args:
        notices: Foreseen ones, or rows of the outbox.
        renderer: The one that renders for sending too.
        person: A slug or an address.

    Raises:
        NotFoundError: Nobody of that name gets a notice.
    """
    rows = [row if isinstance(row, OutboxRow) else OutboxRow(notice=row, state=NoticeState.NEW) for row in notices]
    chosen = [row for row in rows if person is None or person in {row.notice.person, row.notice.address}]
    if person is not None and not chosen:
        raise NotFoundError(f'"{person}" gets no notice here.{suggestion(person, {row.notice.person for row in rows})}')
    known = {id(row) for row in notices if isinstance(row, OutboxRow)}
    return tuple(
        Previewed(notice=row.notice, message=renderer.render(row.notice), state=row.state.value if id(row) in known else "")
        for row in sorted(chosen, key=lambda row: (row.notice.due, row.notice.person, row.notice.kind))
    )
