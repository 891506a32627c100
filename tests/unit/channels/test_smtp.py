"""Every end a conversation with a mail server can have, against a real server with real TLS."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.adapters.channels import ChannelSettings, build_channel
from orchestrator.adapters.channels.smtp import Security, SmtpServer
from orchestrator.application.errors import ConfigurationError
from orchestrator.application.ports import Doubtful, Message, Rejected, Retryable, Sent
from tests.unit.channels.smtp_server import HANG_UP, PASSWORD, USER, MailServer, certificates, serving


def send(settings: Callable[..., ChannelSettings], server: MailServer, message: Message, **more):
    scheme = {"starttls": "smtp+starttls", "smtps": "smtps", "none": "smtp"}[server.tls]
    login = {} if server.tls == "none" else {"user": USER, "password": PASSWORD}
    return build_channel(settings(f"{scheme}://localhost:{server.port}", **login | more)).send(message)


@pytest.mark.parametrize("tls", ["starttls", "smtps", "none"])
def test_each_kind_of_connection_delivers(tls, settings, mail_server, message):
    server = mail_server(tls=tls)
    assert send(settings, server, message) == Sent(detail="2.0.0 Ok: queued as 4711")
    [(sender, recipient, _)] = server.mails
    assert (sender, recipient) == ("it@example.org", "ada@example.org")


@pytest.mark.parametrize(
    ("replies", "kind", "words"),
    [
        ({"RCPT": "550 5.1.1 no such mailbox"}, Rejected, "refused ada@example.org: 550 5.1.1 no such mailbox"),
        ({"RCPT": "450 4.2.1 greylisted"}, Retryable, "refused ada@example.org: 450 4.2.1 greylisted"),
        ({"RCPT": "530 5.7.0 log in first"}, Retryable, "530 5.7.0 log in first"),
        ({"RCPT": "554 5.7.1 relay access denied"}, Rejected, "554 5.7.1"),
        ({"RCPT": HANG_UP}, Retryable, "broke before the message was sent"),
        ({"MAIL": "550 5.7.1 sender not owned"}, Retryable, "refused the sender: 550 5.7.1 sender not owned"),
        ({"MAIL": "552 5.3.4 too big"}, Rejected, "552 5.3.4 too big"),
        ({"MAIL": "451 4.3.0 later"}, Retryable, "451 4.3.0 later"),
        ({"DATA": "451 4.3.0 disk full"}, Retryable, "the message to ada@example.org: 451"),
        ({"DATA": "554 5.7.1 no"}, Rejected, "the message to ada@example.org: 554"),
        ({"DOT": "554 5.7.1 spam"}, Rejected, "554 5.7.1 spam"),
        ({"DOT": "452 4.3.1 full"}, Retryable, "452 4.3.1 full"),
        ({"DOT": "421 4.3.0 shutting down"}, Retryable, "421 4.3.0"),
        ({"DOT": HANG_UP}, Doubtful, "did not answer after the last byte"),
        ({"BANNER": "554 go away"}, Retryable, "is not ready: 554 go away"),
        ({"BANNER": HANG_UP}, Retryable, "cannot be reached"),
        ({"AUTH": "535 5.7.8 authentication failed"}, Retryable, 'refused the login of "it@example.org": 535'),
        ({"AUTH": "454 4.7.0 later"}, Retryable, "refused the login"),
    ],
)
def test_what_each_answer_means(replies, kind, words, *, settings, mail_server, message):
    server = mail_server(replies=replies)
    delivery = send(settings, server, message)
    assert isinstance(delivery, kind), delivery
    assert words in delivery.reason
    assert f"localhost:{server.port}" in delivery.reason


def test_a_wrong_password_keeps_the_notice_and_never_shows_the_password(settings, mail_server, message):
    server = mail_server()
    delivery = send(settings, server, message, password="Tr0ub4dor&3")
    assert isinstance(delivery, Retryable)
    assert "check user and password" in delivery.reason
    assert "Tr0ub4dor" not in delivery.reason


def test_a_server_that_echoes_the_secret_is_redacted(settings, mail_server, message):
    token = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    server = mail_server(replies={"AUTH": f"535 5.7.8 bad: {token} {PASSWORD}"})
    delivery = send(settings, server, message)
    assert PASSWORD not in delivery.reason
    assert token not in delivery.reason
    assert delivery.reason.count("***") == 2


def test_a_long_answer_is_bounded_and_one_line(settings, mail_server, message):
    server = mail_server(replies={"RCPT": "550-no\r\n550-" + "x" * 400 + "\r\n550 end"})
    delivery = send(settings, server, message)
    assert len(delivery.reason) == 300
    assert "\n" not in delivery.reason


def test_an_unknown_authority_is_not_trusted(settings, mail_server, message, tmp_path):
    other = certificates(tmp_path / "other", "localhost") / "ca.crt"
    server = mail_server()
    delivery = send(settings, server, message, ca_file=other)
    assert isinstance(delivery, Retryable)
    assert "certificate is not accepted" in delivery.reason
    assert not any(line.startswith(("AUTH", "MAIL")) for line in server.lines)


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
def test_a_certificate_for_another_name_is_not_accepted(tls, settings, message, tmp_path):
    folder = certificates(tmp_path / "elsewhere", "mail.elsewhere.example")
    with serving(MailServer(tls=tls), folder) as server:
        delivery = send(settings, server, message, ca_file=folder / "ca.crt")
    assert isinstance(delivery, Retryable)
    assert "certificate is not accepted" in delivery.reason
    assert not any(line.startswith(("AUTH", "MAIL")) for line in server.lines)


def test_a_stripped_starttls_is_not_followed(settings, mail_server, message):
    """Somebody in the middle removes STARTTLS from the answer: neither login nor mail go out in clear text."""
    server = mail_server(tls="none")
    delivery = build_channel(settings(f"smtp+starttls://localhost:{server.port}", user=USER, password=PASSWORD)).send(message)
    assert delivery == Retryable(reason=f"localhost:{server.port} does not offer STARTTLS; nothing is sent without it")
    assert not any(line.startswith(("AUTH", "MAIL")) for line in server.lines)


def test_a_silent_server_is_given_up_in_time(settings, message):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        delivery = build_channel(settings(f"smtp://localhost:{port}", timeout=0.3)).send(message)
    assert delivery == Retryable(reason=f"localhost:{port} did not answer within 0.3 s")


def test_a_name_that_does_not_exist_is_tried_again(settings, message):
    delivery = build_channel(settings("smtp://no-such-host.invalid")).send(message)
    assert isinstance(delivery, Retryable)
    assert "no-such-host.invalid:25 cannot be reached" in delivery.reason


def test_an_address_outside_ascii_needs_a_server_that_can(settings, mail_server, message):
    message = replace(message, recipient="josé@example.org")
    assert "SMTPUTF8" in send(settings, mail_server(), message).reason
    able = mail_server(extensions=("8BITMIME", "SMTPUTF8"))
    assert isinstance(send(settings, able, message), Sent)
    assert able.mails[0][1] == "josé@example.org"


def test_a_lost_connection_inside_the_message_is_tried_again_or_in_doubt(settings, mail_server, message):
    big = replace(message, attachments=(("a.bin", "application/octet-stream", b"x" * 4_000_000),))
    delivery = send(settings, mail_server(replies={"CONTENT": HANG_UP}), big)
    assert isinstance(delivery, Retryable | Doubtful)


def test_check_says_nothing_when_mail_can_go_out(settings, mail_server):
    server = mail_server()
    channel = build_channel(settings(f"smtp+starttls://localhost:{server.port}", user=USER, password=PASSWORD))
    assert channel.check() == ""
    assert server.mails == []
    wrong = build_channel(settings(f"smtp+starttls://localhost:{server.port}", user=USER, password="no"))
    assert "refused the login" in wrong.check()


@pytest.mark.parametrize(
    ("target", "more", "words"),
    [
        ("http://mail.example.org", {}, '"http://mail.example.org" is not a mail server'),
        ("mail.example.org", {}, "is not a mail server"),
        ("smtps://", {}, "must be a scheme and a host"),
        ("smtps://mail.example.org/x", {}, "must be a scheme and a host"),
        ("smtps://mail.example.org:port", {}, "URL is wrong"),
        ("smtps://u:geheim@mail.example.org", {}, "holds a password"),
        ("smtp://mail.example.org", {"password": "geheim"}, "has no TLS"),
        ("smtp://u@mail.example.org", {}, "has no TLS"),
        ("smtps://u@mail.example.org", {}, 'user "u" has no password'),
        ("smtps://mail.example.org", {"ca_file": Path("/nonexistent/ca.pem")}, "/nonexistent/ca.pem does not exist"),
        ("smtps://mail.example.org", {"ca_file": Path(__file__)}, "holds no certificate"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_the_remedy(target, more, words, settings):
    with pytest.raises(ConfigurationError) as caught:
        build_channel(settings(target, **{"ca_file": None} | more))
    assert 'channel "mail"' in caught.value.message
    assert words in caught.value.message
    assert "geheim" not in caught.value.message


@pytest.mark.parametrize(
    ("target", "security", "port"),
    [
        ("smtps://mail.example.org", Security.TLS, 465),
        ("smtp+starttls://mail.example.org", Security.STARTTLS, 587),
        ("smtp://localhost", Security.CLEAR, 25),
        ("smtps://mail.example.org:2465", Security.TLS, 2465),
    ],
)
def test_ports_follow_the_scheme(target, security, port, settings):
    server = SmtpServer.parse(settings(target, ca_file=None))
    assert (server.host.split(".")[0] in {"mail", "localhost"}, server.security, server.port) == (True, security, port)


def test_the_login_is_the_sender_unless_named(settings):
    assert SmtpServer.parse(settings("smtps://h", ca_file=None, password="p")).user == "it@example.org"
    assert SmtpServer.parse(settings("smtps://a%40b@h", ca_file=None, password="p")).user == "a@b"
    assert SmtpServer.parse(settings("smtps://h", ca_file=None)).user is None


def test_no_secret_in_a_repr(settings):
    given = settings("smtps://h", ca_file=None, password="geheim")
    assert "geheim" not in repr(given) + repr(SmtpServer.parse(given)) + repr(build_channel(given))
