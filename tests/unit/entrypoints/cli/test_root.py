"""The root command: lazy, honest about errors, the same options everywhere."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.entrypoints import cli
from orchestrator.entrypoints.cli import _table
from orchestrator.entrypoints.cli._table import Entry

SINGLE = '''
import typer
from orchestrator.application.errors import ConfigurationError, Problem, RefusedError, WorkFailedError
from orchestrator.domain.source import Source
from orchestrator.entrypoints.cli import cli_of, print_json

app = typer.Typer()

@app.command()
def single(ctx: typer.Context, what: str = "echo", times: int = 1) -> int:
    """Do one thing."""
    cli = cli_of(ctx)
    if what == "echo":
        print_json({"office": cli.office, "state": cli.state, "json": cli.json, "actor": cli.actor, "times": times})
    if what == "problems":
        raise ConfigurationError("unused", problems=(
            Problem(Source("maintenance.yml", 12, 13), "cutoff", "is longer than the window"),
            Problem(Source("maintenance.yml", 108), "rings[0]", "no such group"),
            Problem(Source("people.yml"), "ada", "has no zone"),
        ))
    if what == "refused":
        raise RefusedError("The window is closed until Tuesday.")
    if what == "failed":
        raise WorkFailedError("1 of 3 devices failed.", problems=(Problem(Source("r", 1), "ws-ada", "dpkg"),))
    if what == "crash":
        raise KeyError("boom")
    if what == "stop":
        raise KeyboardInterrupt
    if what == "pipe":
        raise BrokenPipeError("ssh went away")
    return 4 if what == "four" else None
'''
GROUP = '''
import typer
app = typer.Typer(no_args_is_help=True)

@app.command()
def only(ctx: typer.Context) -> None:
    """The one command of a group stays a command of a group."""
    print("only")
'''


@pytest.fixture(autouse=True)
def _commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cli_single.py").write_text(SINGLE)
    (tmp_path / "cli_group.py").write_text(GROUP)
    (tmp_path / "cli_broken.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("SUDO_USER", "DESKSIDE_OFFICE", "DESKSIDE_STATE"):
        monkeypatch.delenv(name, raising=False)
    for key in list(_table.COMMANDS):
        monkeypatch.delitem(_table.COMMANDS, key)
    for key, entry in {
        "single": Entry("cli_single:app", "Do one thing.", "Here"),
        "group": Entry("cli_group:app", "Has one command.", "Here", group=True),
        "broken": Entry("cli_broken:app", "Cannot be imported.", "There"),
        "later": Entry("cli_not_written_yet:app", "Not in this version.", "There"),
    }.items():
        monkeypatch.setitem(_table.COMMANDS, key, entry)


def answer(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = cli.main(list(args))
    out, err = capsys.readouterr()
    return code, out, err


def test_help_lists_what_is_there_and_imports_none_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, "--help")
    assert code == 0
    assert "single" in out
    assert "broken" in out  # one broken module does not hide or break the others
    assert "later" not in out
    assert not {"cli_single", "cli_group", "cli_broken"} & set(sys.modules)


def test_help_follows_the_headings_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = answer(capsys, "-h")
    assert out.index("Here:") < out.index("single") < out.index("There:") < out.index("broken")


def test_shared_options_count_before_and_after_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    for args in (["--office", "o", "--state", "s", "--json", "single"], ["single", "--json", "--state", "s", "--office", "o"]):
        code, out, _ = answer(capsys, *args)
        assert code == 0
        assert {k: v for k, v in json.loads(out).items() if k != "actor"} == {"office": "o", "state": "s", "json": True, "times": 1}


def test_the_nearer_option_wins(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(answer(capsys, "single")[1])["office"] is None
    assert json.loads(answer(capsys, "--office", "given", "single", "--office", "nearer")[1])["office"] == "nearer"


def test_the_actor_is_sudos_caller_not_root(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "grace")
    assert json.loads(answer(capsys, "single")[1])["actor"] == {"name": "grace", "via": "cli"}


def test_a_users_name_is_found_without_a_passwd_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert cli.current_actor().name == f"uid-{os.getuid()}"


def test_every_command_of_a_group_has_the_shared_options(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, "group", "only", "--help")
    assert code == 0
    for option in ("--json", "--office DIR", "--state DIR"):
        assert option in out


def test_a_group_without_a_command_answers_with_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = answer(capsys, "group")
    assert (code, out) == (12, "")
    assert "only" in err


def test_all_problems_are_told_by_file(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = answer(capsys, "single", "--what", "problems")
    assert (code, out) == (11, "")
    assert err == (
        "maintenance.yml\n"
        "  12:13   cutoff     is longer than the window\n"
        "  108     rings[0]   no such group\n"
        "people.yml\n"
        "  -   ada   has no zone\n"
        "3 errors; nothing was changed.   (exit 11: bad configuration)\n"
    )


def test_work_that_failed_does_not_claim_that_nothing_changed(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = answer(capsys, "single", "--what", "failed")
    assert code == 21
    assert err.splitlines()[-1] == "1 of 3 devices failed.   (exit 21: work failed)"


def test_a_refusal_as_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = answer(capsys, "single", "--json", "--what", "problems")
    assert (code, err) == (11, "")
    error = json.loads(out)["error"]
    assert (error["code"], error["summary"]) == (11, "bad configuration")
    assert error["problems"][0] == {
        "file": "maintenance.yml", "line": 12, "column": 13, "thing": "cutoff", "message": "is longer than the window",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["singel"], 'There is no command "singel". Did you mean "single"? See'),
        (["single", "--times", "many"], '(given: "many")'),
        (["single", "--times=many"], '(given: "many")'),
        (["single", "--no-such"], "--no-such"),
        (["group", "nothing"], "nothing"),
    ],
)
def test_bad_usage_is_bad_input(capsys: pytest.CaptureFixture[str], args: list[str], text: str) -> None:
    code, out, err = answer(capsys, *args)
    assert (code, out) == (12, "")
    assert text in err
    assert err.endswith("(exit 12: bad input)\n")
    assert json.loads(answer(capsys, *args, "--json")[1])["error"]["code"] == 12


def test_an_unexpected_error_is_one_line_and_a_traceback_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = answer(capsys, "single", "--what", "crash")
    assert (code, out, err.count("\n")) == (10, "", 1)
    assert "KeyError: 'boom'" in err
    monkeypatch.setenv("DESKSIDE_DEBUG", "1")
    assert "Traceback" in answer(capsys, "single", "--what", "crash")[2]


def test_a_command_that_cannot_be_imported_says_so_and_spares_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = answer(capsys, "broken")
    assert code == 10
    assert "no_such_module_anywhere" in err
    assert answer(capsys, "single")[0] == 0


def test_the_code_of_a_command_is_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "single", "--what", "four")[0] == 4
    assert answer(capsys, "single", "--what", "stop")[0] == 130
    assert answer(capsys, "single", "--what", "refused") == (14, "", "The window is closed until Tuesday.   (exit 14: refused)\n")


def test_a_broken_pipe_elsewhere_is_not_taken_for_a_closed_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = answer(capsys, "single", "--what", "pipe")
    assert code == 10
    assert "ssh went away" in err


def test_a_reader_that_left_is_no_error_message() -> None:
    program = "import sys; from orchestrator.entrypoints.cli import main; sys.exit(main(['--help']))"
    script = f'{sys.executable} -c "{program}" | exec true; echo ${{PIPESTATUS[0]}}'
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stderr == ""
    assert ended.stdout.strip() == "141"


def test_completion_offers_commands_with_their_line() -> None:
    environment = {**os.environ, "_DESKSIDE_COMPLETE": "complete_bash", "COMP_WORDS": "deskside --", "COMP_CWORD": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", "from orchestrator.entrypoints.cli import main; main()"],
        env=environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "--office" in ended.stdout.split()


def test_print_json_has_no_form_for_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    with pytest.raises(TypeError, match="no JSON form for object"):
        cli.print_json({"x": object()})
