"""What Ansible sees of this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.adapters.runner.environment import OfficeConfig, office_environment, run_environment


def config(tmp_path: Path, text: str | None) -> OfficeConfig:
    path = tmp_path / "ansible.cfg"
    if text is not None:
        path.write_text(text)
    return OfficeConfig(path)


def environment(found: OfficeConfig, environ=None, *, beside=False, more=()):
    return run_environment(found, environ or {}, events=Path("/e"), control=Path("/c"), beside=beside, more=more)


def test_only_listed_variables_pass(tmp_path):
    given = {
        "PATH": "/bin",
        "AWS_SECRET_ACCESS_KEY": "x",
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_STRATEGY": "free",
        "MINE": "1",
    }
    env = environment(config(tmp_path, None), given, more=["MINE"])
    assert env["PATH"] == "/bin"
    assert env["MINE"] == "1"
    assert not {"AWS_SECRET_ACCESS_KEY", "ANSIBLE_STRATEGY", "ANSIBLE_CONFIG"} & set(env)


def test_host_key_checking_is_forced_whoever_asks_for_less(tmp_path):
    text = "[defaults]\nhost_key_checking = False\n[ssh_connection]\nssh_args = -o StrictHostKeyChecking=no -C\n"
    env = environment(config(tmp_path, text), {"ANSIBLE_HOST_KEY_CHECKING": "False"})
    assert env["ANSIBLE_HOST_KEY_CHECKING"] == "True"
    assert env["ANSIBLE_SSH_ARGS"].startswith("-o StrictHostKeyChecking=yes -o StrictHostKeyChecking=no -C"), "ssh takes the first"


@pytest.mark.parametrize("section", ["defaults", "connection", "ssh_connection"])
def test_pipelining_is_ours_to_set_only_where_the_office_says_nothing(tmp_path, section):
    assert environment(config(tmp_path, None))["ANSIBLE_PIPELINING"] == "True"
    assert "ANSIBLE_PIPELINING" not in environment(config(tmp_path, f"[{section}]\npipelining = False\n"))


def test_connections_are_shared_and_kept_alive_where_the_office_says_nothing(tmp_path):
    args = environment(config(tmp_path, None))["ANSIBLE_SSH_ARGS"]
    assert "ControlPersist" in args
    assert args.endswith("-o ServerAliveInterval=15 -o ServerAliveCountMax=4")


def test_the_offices_own_ansible_cfg_is_used_and_else_the_callers(tmp_path):
    given = {"ANSIBLE_CONFIG": "/other.cfg"}
    assert office_environment(config(tmp_path, None), given)["ANSIBLE_CONFIG"] == "/other.cfg"
    assert office_environment(config(tmp_path, "[defaults]\n"), given)["ANSIBLE_CONFIG"] == str(tmp_path / "ansible.cfg")


def test_our_callback_stands_alone_or_beside_the_offices_own(tmp_path):
    found = config(tmp_path, "[defaults]\ncallbacks_enabled = ara, timer\n")
    assert environment(found)["ANSIBLE_STDOUT_CALLBACK"] == "deskside.workplace.stream"
    assert "ANSIBLE_CALLBACKS_ENABLED" not in environment(found)
    watched = environment(found, beside=True)
    assert watched["ANSIBLE_CALLBACKS_ENABLED"] == "ara,timer,deskside.workplace.stream"
    assert "ANSIBLE_STDOUT_CALLBACK" not in watched


@pytest.mark.parametrize(
    ("given", "locale"),
    [
        ({}, "C.UTF-8"),
        ({"LANG": "de_DE.UTF-8"}, "de_DE.UTF-8"),
        ({"LANG": "C"}, "C.UTF-8"),
        ({"LC_ALL": "en_US.utf8", "LANG": "C"}, "en_US.utf8"),
    ],
)
def test_ansible_gets_a_utf8_locale_whatever_the_caller_has(tmp_path, given, locale):
    assert environment(config(tmp_path, None), given)["LC_ALL"] == locale
