"""`deskside notices preview WINDOW|OCCURRENCE`: what people will be told, or were told. Sends nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.entrypoints.cli._house import enter
from orchestrator.entrypoints.cli._output import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.application.ports import OutboxRow
    from orchestrator.application.preview_notices import Previewed
    from orchestrator.bootstrap import House
    from orchestrator.domain.notice import Notice

app = typer.Typer(no_args_is_help=True, help="Preview what people will be told.")


@app.callback()
def _group() -> None:
    """Preview what people will be told."""


@app.command()
def preview(
    ctx: typer.Context,
    wanted: Annotated[str, typer.Argument(metavar="WINDOW|OCCURRENCE", help="A window's name, an occurrence's id, last or next.")],
    person: Annotated[
        str | None, typer.Option("--person", metavar="PERSON", help="Only for this person (slug or address).")
    ] = None,
    maildir: Annotated[
        Path | None,
        typer.Option(
            "--maildir", metavar="DIR", help="Also put the mails there, one maildir per person, to open in a mail program."
        ),
    ] = None,
) -> None:
    """Show every message word for word, with the instant it is due. Sends nothing."""
    from orchestrator.application.preview_notices import preview as render

    cli, house = enter(ctx)
    found = render(_notices(house, wanted), house.renderer, person=person)
    if maildir is not None:
        _write(house, maildir, found)
    if cli.json:
        print_json([_plain(one) for one in found])
        return
    print(
        "\n".join(_lines(found)) if found else "Nobody is told anything: no device of it belongs to a person with a mail address."
    )


def _notices(house: House, wanted: str) -> Sequence[Notice | OutboxRow]:
    """Of an occurrence on the books its outbox, of a window what its next occurrence would put there."""
    from orchestrator.application.preview_notices import foreseen
    from orchestrator.application.steer_rollout import find_occurrence

    if wanted not in house.facts.windows and _has_store(house):
        row = find_occurrence(house.store_to_read, wanted, now=house.clock.now())
        return house.store_to_read.rows(row.id)
    window = house.facts.window(wanted)  # where nothing was planned yet, only a window can be meant
    occurrence = house.plan_rollout.next_occurrence(window)
    if rows := house.store.rows(occurrence.id):
        return rows
    return foreseen(house.plan_rollout(window, occurrence), window, house.facts, now=house.clock.now())


def _has_store(house: House) -> bool:
    from orchestrator.application.errors import StoreError

    try:
        return house.store_to_read is not None
    except StoreError:
        return False


def _write(house: House, maildir: Path, found: Sequence[Previewed]) -> None:
    from orchestrator.adapters.channels import ChannelSettings, build_channel
    from orchestrator.application.errors import ChannelError
    from orchestrator.application.ports import Sent

    channel = build_channel(ChannelSettings(name="preview", kind="files", target=str(maildir), sender=house.sender))
    for one in found:
        delivery = channel.send(one.message)
        if not isinstance(delivery, Sent):
            raise ChannelError(f"--maildir {maildir}: {delivery.reason}. Name a directory that can be written.")


def _plain(one: Previewed) -> dict[str, object]:
    notice, message = one.notice, one.message
    return {
        "kind": notice.kind,
        "key": notice.key,
        "person": notice.person,
        "address": notice.address,
        "due": notice.due,
        "state": one.state,
        "message_id": message.message_id,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "calendar": message.calendar,
    }


def _lines(found: Sequence[Previewed]) -> list[str]:
    lines: list[str] = []
    for one in found:
        notice, message = one.notice, one.message
        key = f" {notice.key.replace('_', ' ')}" if notice.key else ""
        lines += [
            "─" * 72,
            f"{notice.kind}{key} · due {notice.due:%Y-%m-%d %H:%M} UTC{f' · {one.state}' if one.state else ''}",
            f"To: {message.recipient_name} <{message.recipient}>" if message.recipient_name else f"To: {message.recipient}",
            f"Subject: {message.subject}",
        ]
        if message.calendar:
            lines.append(f"Calendar: {message.method}, sequence {notice.sequence}, uid {notice.uid}")
        lines += ["", message.text.rstrip()]
    people = len({one.notice.person for one in found})
    return [*lines, "─" * 72, f"{len(found)} messages to {people} {'person' if people == 1 else 'people'}; nothing was sent."]
