"""One message, one authority, and a mail server that can be told to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestrator.adapters.channels import ChannelSettings
from orchestrator.application.ports import Message
from tests.unit.channels.smtp_server import MailServer, certificates, serving

CALENDAR = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"


@pytest.fixture
def message() -> Message:
    return Message(
        message_id="0123abcd@deskside.example.org",
        sender="IT maintenance <it@example.org>",
        recipient="ada@example.org",
        recipient_name="José Álvarez",
        subject="Maintenance of your computer ws-ada: Wednesday 9 December, 22:00 (about 10 minutes)",
        text="Hello José,\n\n.a line that begins with a period\nline with · and ü\n",
        html="<p>Hello José</p>\n",
        calendar=CALENDAR,
        method="REQUEST",
        headers={"Date": "Fri, 04 Dec 2026 10:00:00 +0000"},
    )


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("authority"), "localhost")


@pytest.fixture
def mail_server(authority: Path) -> Iterator[Callable[..., MailServer]]:
    with ExitStack() as stack:
        yield lambda **told: stack.enter_context(serving(MailServer(**told), authority))


@pytest.fixture
def settings(authority: Path) -> Callable[..., ChannelSettings]:
    def make(target: str, **more) -> ChannelSettings:
        base = {
            "name": "mail",
            "kind": "smtp",
            "sender": "IT maintenance <it@example.org>",
            "ca_file": authority / "ca.crt",
            "timeout": 5.0,
        }
        return ChannelSettings(**base | {"target": target} | more)

    return make
