"""How devices are reached, and what is asked of which tool."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.adapters.prober import checks, wake
from orchestrator.adapters.prober.connections import Connection, ConnectionBook, connection
from orchestrator.adapters.prober.prober import SshProber
from orchestrator.adapters.prober.session import _known_hosts, _options

FACTS = {
    "connection": "ssh", "become_method": "sudo", "become_pass": "s3cret", "host": "10.0.0.9", "port": 2222, "remote_user": "tech",
    "private_key_file": "/keys/id", "password": None, "ssh_args": "-C -o ControlMaster=auto", "timeout": 10,
    "ssh_common_args": "-o 'UserKnownHostsFile=/a b/known'", "ssh_extra_args": "",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_ssh_config(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))


def test_what_ansible_says_becomes_what_ssh_would_do(tmp_path):
    (tmp_path / "id").touch()
    way = connection("ws-1", {**FACTS, "private_key_file": str(tmp_path / "id")}, tmp_path)
    assert not way.error
    assert way.arguments[:2] == ("-o", "StrictHostKeyChecking=yes")
    assert (way.one("hostname"), way.one("port"), way.one("user")) == ("10.0.0.9", "2222", "tech")
    assert way.effective["identityfile"] == (str(tmp_path / "id"),)
    assert way.needs_openssh == ""


def test_no_secret_is_in_the_arguments_or_in_what_is_printed(tmp_path):
    way = connection("ws-1", {**FACTS, "password": "pw-ssh"}, tmp_path)
    assert "s3cret" not in repr(way)
    assert "pw-ssh" not in repr(way)
    assert way.become_password == "s3cret"


@pytest.mark.parametrize(
    ("args", "option"),
    [
        ("-o ProxyJump=bastion", "proxyjump"),
        ("-J bastion", "proxyjump"),
        ("-o ProxyCommand='nc %h %p'", "proxycommand"),
        ("-o IdentityAgent=/run/agent", "identityagent"),
        ("-o CertificateFile=/keys/cert", "certificatefile"),
        ("-o ProxyJump=none", ""),
    ],
)
def test_what_only_the_ssh_program_can_honour_is_left_to_it(tmp_path, args, option):
    assert connection("ws-1", {**FACTS, "ssh_extra_args": args}, tmp_path).needs_openssh == option


def test_options_that_ssh_refuses_are_an_error_of_that_device(tmp_path):
    assert "ssh does not accept its options" in connection("ws-1", {**FACTS, "ssh_extra_args": "-o Banana=1"}, tmp_path).error


def test_no_known_hosts_at_all_means_nobody_is_trusted(tmp_path):
    way = connection(
        "ws-1", {**FACTS, "ssh_common_args": "-o UserKnownHostsFile=/nowhere -o GlobalKnownHostsFile=/nowhere"}, tmp_path
    )
    found = _known_hosts(way)
    assert found is not None, "None would switch the check off"
    assert found.match("10.0.0.9", "10.0.0.9", 2222)[0] == []
    assert _options(way)["known_hosts"] is not None


@pytest.mark.parametrize("option", ["-o StrictHostKeyChecking=no", "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"])
def test_host_keys_are_checked_whatever_the_inventory_says(tmp_path, option):
    way = connection("ws-1", {**FACTS, "ssh_common_args": option}, tmp_path)
    assert _options(way)["known_hosts"] is not None
    assert way.arguments.index("StrictHostKeyChecking=yes") < way.arguments.index("StrictHostKeyChecking=no")


class Ansible:
    """Answers like the resolver and counts the questions."""

    def __init__(self, **facts):
        self.facts, self.asked = facts, []

    def __call__(self, question, _office):
        self.asked.append(question["hosts"])
        return {host: self.facts.get(host, {"error": "not in the inventory"}) for host in question["hosts"]}


def test_ansible_is_asked_once_for_all_and_again_only_for_what_was_forgotten(tmp_path):
    ansible = Ansible(a={"connection": "local", "become_method": "sudo"}, b={"connection": "winrm", "become_method": "runas"})
    book = ConnectionBook(tmp_path, ["hosts.yml"], ask=ansible)
    book.connection_facts(["a", "b", "c"])
    book.connection_facts(["a", "b"])
    book.forget("b")
    assert book.connection_facts(["a", "b"])["b"].kind == "winrm"
    assert ansible.asked == [["a", "b", "c"], ["b"]]


def test_a_device_that_cannot_be_probed_needs_a_run_and_one_without_a_way_does_not_answer(tmp_path):
    ansible = Ansible(win={"connection": "winrm", "become_method": "runas"}, broken={"error": "bad template"})
    answers = SshProber(tmp_path, ["hosts.yml"], book=ConnectionBook(tmp_path, [], ask=ansible)).probe(["win", "broken", "who"])
    assert (answers["win"].reachable, answers["win"].needs_run) == (True, True)
    assert (answers["broken"].reachable, answers["broken"].error) == (False, "bad template")
    assert answers["who"].error == "not in the inventory"


def test_an_inventory_that_ansible_cannot_read_is_no_answer_from_anybody(tmp_path):
    (tmp_path / "hosts.yml").write_text("all: [banana\n")
    answers = SshProber(tmp_path, ["hosts.yml"]).probe(["ws-1"])
    assert not answers["ws-1"].reachable
    assert answers["ws-1"].error


def test_a_local_connection_is_probed_without_ssh(tmp_path):
    ansible = Ansible(here={"connection": "local", "become_method": "sudo"})
    answer = SshProber(tmp_path, [], book=ConnectionBook(tmp_path, [], ask=ansible)).probe(["here"])["here"]
    assert (answer.reachable, answer.facts["path"]) == (True, "local")


@pytest.mark.parametrize(
    ("mac", "normal"),
    [("02:00:5E:10:00:01", "02005e100001"), ("02-00-5e-10-00-01", "02005e100001"), ("02005e100001", "02005e100001"),
     ("02:00-5e:10:00:01", None), ("02:00:5e:10:00", None), ("02:00:5e:10:00:0g", None), ("$(reboot)", None), ("", None)],
)  # fmt: skip
def test_only_hardware_addresses_reach_the_waker(mac, normal):
    assert wake.normal(mac) == normal


def test_nothing_is_sent_when_no_address_is_right(tmp_path):
    ansible = Ansible()
    told = SshProber(tmp_path, [], book=ConnectionBook(tmp_path, [], ask=ansible)).wake("fs-1", {"a": "x"})
    assert told == {"a": '"x" is no hardware address'}
    assert ansible.asked == []


@pytest.mark.parametrize(
    ("ask", "target", "reason"),
    [
        (checks.http, "ftp://x/", "ftp://x/: not an http address"),
        (checks.http, "http://127.0.0.1:1/", "http://127.0.0.1:1/: Connection refused"),
        (checks.tcp, "127.0.0.1:1", "127.0.0.1:1: Connection refused"),
        (checks.tcp, "intranet", "intranet: not host:port"),
        (checks.tcp, ":80", ":80: not host:port"),
    ],
)
def test_what_is_not_healthy_says_why(ask, target, reason):
    assert ask(target, 2.0) == reason


def test_the_script_is_plain_posix_sh():
    import subprocess

    script = Path(wake.__file__).with_name("probe.sh")
    for shell in ("dash", "bash --posix"):
        assert subprocess.run([*shell.split(), "-n", str(script)], check=False).returncode == 0


def test_a_connection_knows_its_defaults():
    assert Connection(host="x").one("port", "22") == "22"
