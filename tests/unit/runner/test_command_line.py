"""The options of ansible-playbook, by their own names."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from orchestrator.adapters.runner.command_line import FLAGS, PROMPTS, VALUES, CommandLine, parse_hosts, validate_options
from orchestrator.application.errors import BadInputError

ASK = """
import json
from ansible.cli.playbook import PlaybookCLI
cli = PlaybookCLI(["ansible-playbook"]); cli.init_parser()
print(json.dumps([[name, action.nargs == 0] for action in cli.parser._actions for name in action.option_strings]))
"""


def test_the_table_equals_ansibles_own_parser():
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    theirs = dict(json.loads(done.stdout))
    ours = dict.fromkeys(FLAGS | set(PROMPTS), True) | dict.fromkeys(VALUES, False)
    assert ours == {name: flag for name, flag in theirs.items() if name not in {"-h", "--help", "--version"}}


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["x.yml"], CommandLine(playbooks=("x.yml",), options=())),
        (["-l", "web", "x.yml"], CommandLine(playbooks=("x.yml",), options=(), limit="web")),
        (["-lweb", "x.yml"], CommandLine(playbooks=("x.yml",), options=(), limit="web")),
        (["--limit=web", "--", "-x.yml"], CommandLine(playbooks=("-x.yml",), options=(), limit="web")),
        (["--lim", "web"], CommandLine(playbooks=(), options=(), limit="web")),
        (["-vvb", "-e", "a=b"], CommandLine(playbooks=(), options=("-v", "-v", "-b", "-e", "a=b"))),
        (["--extra-vars=a=b=c"], CommandLine(playbooks=(), options=("--extra-vars", "a=b=c"))),
        (["-C", "x"], CommandLine(playbooks=("x",), options=("-C",), check=True)),
        (["--list-hosts", "x"], CommandLine(playbooks=("x",), options=("--list-hosts",), listing=True)),
        (["-i", "a", "-i", "b,", "-f5"], CommandLine(playbooks=(), options=("-i", "a", "-i", "b,", "-f", "5"))),
    ],
)
def test_options_are_read_as_ansible_reads_them(argv, expected):
    assert validate_options(argv) == expected


@pytest.mark.parametrize("option", [*PROMPTS, "-bK", "--ask-p"])
def test_whatever_asks_a_question_is_refused_with_the_remedy(option):
    with pytest.raises(BadInputError, match=r"asks a question and nobody is there to answer|could be"):
        validate_options([option, "x.yml"])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--frocks", "3"], 'no option "--frocks". Did you mean "--forks"?'),
        (["--ask"], "it could be --ask-become-pass or --ask-pass"),
        (["-l"], "-l needs a value"),
        (["--check=yes"], "--check takes no value, but was given 'yes'"),
        (["-Z"], 'no option "-Z"'),
    ],
)
def test_a_wrong_option_is_named_with_the_remedy(argv, message):
    with pytest.raises(BadInputError) as error:
        validate_options(argv)
    assert message in error.value.message


def test_the_hosts_of_all_plays_are_found_without_the_controller():
    text = (
        "\nplaybook: /x.yml\n\n  play #1 (all): all\tTAGS: []\n    pattern: ['all']\n    hosts (2):\n      ws-b\n      ws-a\n\n"
        "  play #2 (localhost): localhost\tTAGS: []\n    pattern: ['localhost']\n    hosts (1):\n      localhost\n\n"
        "  play #3 (x): x\tTAGS: []\n    pattern: ['x']\n    hosts (0):\n"
    )
    assert parse_hosts(text) == ("ws-a", "ws-b")
