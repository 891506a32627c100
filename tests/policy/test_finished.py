"""Nothing unfinished, nothing secret and nothing of one machine is committed."""

from __future__ import annotations

import re

import pytest

from tests.policy.tree import text, tracked

PROSE = ("changes/", "LICENSE")
ALL = [name for name in tracked() if not name.startswith(PROSE) and not name.endswith((".png", ".svg", ".ico", ".gif"))]
CODE = [name for name in ALL if not name.startswith(("docs/", "tests/policy/")) and not name.endswith(".md")]

# Written so that this file does not find itself.
RULES = {
    "unfinished work": r"\b(TOD[O]|FIXM[E]|XX[X])\b|NotImplemented[E]rror",
    "a path of one machine": r"/wor[k]/|/far[m]/|/tmp/bash_job[s]|/home/(?!deskside|\{)[a-z]+/",
    "a registry or mirror": r"(index|files)\.py[a-z]+\.org|py[p]i\.o[r]g|pythonhos[t]ed|registry\.npm[j]s|(deb|security|archive)\.(de[b]ian|ubunt[u])\.(or[g]|co[m])",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KE[Y]-----",
    "a token": r"\b(ghp_[A-Za-z0-9]{30,}|AKI[A][A-Z0-9]{12,}|xox[bp]-[A-Za-z0-9-]{20,})",
}


@pytest.mark.parametrize("what", RULES)
def test_no_tracked_file_holds(what: str) -> None:
    rule = re.compile(RULES[what])
    assert [
        f"{name}:{number}: {line.strip()[:120]}"
        for name in ALL
        for number, line in enumerate(text(name).splitlines(), 1)
        if rule.search(line)
    ] == []


HOST_KEYS_OFF = re.compile(
    r"StrictHostKeyChecking[ =\"']+(no|off)\b|host_key_checking[\"'\] :=]+(no|off|0|false)\b"
    r"|known_hosts\s*=\s*None|AutoAddPolicy|UserKnownHostsFile[ =]/dev/null",
    re.IGNORECASE,
)


ATTACKS = frozenset(
    {"tests/integration/runner/test_runner.py", "tests/unit/prober/test_connections.py", "tests/unit/runner/test_environment.py"}
)
"""Tests that switch it off in an inventory, to prove that this changes nothing."""


def test_host_key_checking_is_never_off() -> None:
    assert [
        f"{name}: {found.group()}" for name in CODE if name not in ATTACKS and (found := HOST_KEYS_OFF.search(text(name)))
    ] == []


@pytest.mark.parametrize(
    "line",
    ["ssh -o StrictHostKeyChecking=no x", "host_key_checking = False", 'env["ANSIBLE_HOST_KEY_CHECKING"] = "False"',
     "asyncssh.connect(host, known_hosts=None)", "UserKnownHostsFile=/dev/null"],
)  # fmt: skip
def test_the_host_key_rule_sees_every_way(line: str) -> None:
    assert HOST_KEYS_OFF.search(line)


def test_suppressions_say_why() -> None:
    """A noqa or type-ignore names its rule; a skip in a test would read as a pass."""
    bare = re.compile(r"# noq[a](?!:)|# type: ignor[e](?!\[)|pytest\.mark\.ski[p]\b|pytest\.ski[p]\(|ignore_error[s]: *(true|yes)")
    assert [f"{name}: {found.group()}" for name in CODE if (found := bare.search(text(name)))] == []
