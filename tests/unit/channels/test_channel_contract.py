"""What every channel promises. A new channel adds its harness here; the first test stays red until it does."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.adapters.channels import CHANNELS, ChannelSettings, build_channel
from orchestrator.application.errors import ConfigurationError
from orchestrator.application.ports import Channel, Message, Rejected, Retryable, Sent


class SmtpHarness:
    """A real conversation with a real server, STARTTLS and login."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._settings = request.getfixturevalue("settings")
        self._server = request.getfixturevalue("mail_server")()

    def channel(self) -> Channel:
        target = f"smtp+starttls://localhost:{self._server.port}"
        return build_channel(self._settings(target, user="it@example.org", password="correct horse"))

    def broken(self) -> Channel:
        return build_channel(self._settings("smtp+starttls://localhost:1"))

    def received(self) -> list[tuple[str, bytes]]:
        return [(recipient, body) for _, recipient, body in self._server.mails]


class FilesHarness:
    """A maildir per recipient."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._path: Path = request.getfixturevalue("tmp_path")

    def channel(self) -> Channel:
        return build_channel(ChannelSettings(name="mail", kind="files", target=str(self._path / "out"), sender="it@example.org"))

    def broken(self) -> Channel:
        (self._path / "file").write_text("not a directory")
        return build_channel(
            ChannelSettings(name="mail", kind="files", target=str(self._path / "file/out"), sender="it@example.org")
        )

    def received(self) -> list[tuple[str, bytes]]:
        return [(file.parent.parent.name, file.read_bytes()) for file in sorted((self._path / "out").glob("*/new/*"))]


HARNESSES: dict[str, Callable[[pytest.FixtureRequest], SmtpHarness | FilesHarness]] = {"smtp": SmtpHarness, "files": FilesHarness}


@pytest.fixture(params=sorted(HARNESSES))
def harness(request: pytest.FixtureRequest):
    return HARNESSES[request.param](request)


def test_every_channel_has_a_harness():
    assert set(HARNESSES) == set(CHANNELS)


def test_unknown_kind_names_the_known_ones():
    with pytest.raises(ConfigurationError, match=r'"carrier-pigeon".*Known: smtp, files'):
        build_channel(ChannelSettings(name="mail", kind="carrier-pigeon", target="", sender="it@example.org"))


def test_its_name_is_the_one_it_was_given(harness):
    assert harness.channel().name == "mail"


def test_a_message_arrives_once_and_whole(harness, message: Message):
    assert isinstance(harness.channel().send(message), Sent)
    [(recipient, raw)] = harness.received()
    assert recipient == "ada@example.org"
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["Message-ID"] == "<0123abcd@deskside.example.org>"
    assert mail["To"] == "José Álvarez <ada@example.org>"
    text = mail.get_body(("plain",)).get_content()
    assert text.replace("\r\n", "\n") == message.text


def test_sent_twice_it_is_the_same_mail(harness, message: Message):
    channel = harness.channel()
    channel.send(message)
    channel.send(message)
    (_, first), (_, second) = harness.received()
    assert first == second


def test_an_address_that_is_none_is_rejected_for_good(harness, message: Message):
    delivery = harness.channel().send(replace(message, recipient="nobody"))
    assert isinstance(delivery, Rejected)
    assert '"nobody"' in delivery.reason
    assert harness.received() == []


def test_no_header_can_be_smuggled_in(harness, message: Message):
    evil = replace(
        message, recipient_name="Eve\r\nBcc: all@example.org", subject="a\nX-Evil: 1", headers={"X-Reason": "a\r\n\r\nbody"}
    )
    assert isinstance(harness.channel().send(evil), Sent)
    [(_, raw)] = harness.received()
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["Bcc"] is None
    assert mail["X-Evil"] is None
    assert mail["X-Reason"] == "a body"


def test_no_command_can_be_smuggled_in_through_an_address(harness, message: Message):
    harness.channel().send(replace(message, recipient="ada@example.org>\r\nRCPT TO:<eve@example.org"))
    assert all(recipient != "eve@example.org" for recipient, _ in harness.received())


def test_what_can_be_put_right_is_tried_again(harness, message: Message):
    delivery = harness.broken().send(message)
    assert isinstance(delivery, Retryable)
    assert delivery.reason
    assert "\n" not in delivery.reason
