"""`make test` itself: true sums, nothing that ran nothing passes, what hangs is killed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests import run, suites
from tests.run import Tally, clock, closing, judge, over_budget, read_junit, run_step
from tests.suites import Step, Suite

JUNIT = """<testsuites><testsuite>
<testcase classname="a" name="one" time="1.5"/>
<testcase classname="a" name="two" time="0.5"><failure/></testcase>
<testcase classname="a" name="three" time="0.1"><error/></testcase>
<testcase classname="a" name="four" time="0.1"><skipped/></testcase>
</testsuite></testsuites>"""


@pytest.fixture(autouse=True)
def _work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "WORK", tmp_path)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "GRACE", 0.5)


def junit(path: Path, text: str = JUNIT) -> Path:
    path.write_text(text)
    return path


def counts(tally: Tally) -> tuple[int, int, int]:
    return tally.passed, tally.failed, tally.skipped


def test_a_junit_file_is_counted_by_case(tmp_path: Path) -> None:
    assert counts(read_junit(junit(tmp_path / "j.xml"))) == (1, 2, 1)


@pytest.mark.parametrize(
    ("code", "text", "expected", "note"),
    [
        (1, JUNIT, (1, 2, 1), ""),
        (0, "<testsuites/>", (0, 1, 0), "ran nothing"),
        (5, "<testsuites/>", (0, 1, 0), "ran nothing"),
        (3, "<testsuites/>", (0, 1, 0), "pytest ended with 3"),
        (2, None, (0, 1, 0), "pytest ended with 2"),
        (None, None, (7, 1, 0), "killed after"),
    ],
)
def test_a_step_counts_what_it_did(
    tmp_path: Path, code: int | None, text: str | None, expected: tuple[int, int, int], note: str
) -> None:
    path = tmp_path / "j.xml"
    if text:
        junit(path, text)
    tally = judge(Step("x", (), junit=path), code, Tally(passed=7), 1.0)
    assert counts(tally) == expected
    assert note in "".join(tally.notes)


def test_collecting_nothing_is_fine_only_where_the_lab_was_left_out(tmp_path: Path) -> None:
    step = Step("x", (), junit=tmp_path / "none.xml", nothing_is_fine=True)
    assert counts(judge(step, 5, Tally(), 1.0)) == (0, 0, 0)


def test_a_program_without_a_junit_file_is_one_test() -> None:
    assert counts(judge(Step("m", ()), 0, Tally(), 1.0)) == (1, 0, 0)
    assert counts(judge(Step("m", ()), 2, Tally(), 1.0)) == (0, 1, 0)


def test_what_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "child.pid"
    script = f"sleep 60 & echo $! >{mark}; trap '' TERM; echo 'tests/a.py::test_x PASSED [ 5%]'; wait; sleep 60"
    started = time.monotonic()
    tally = run_step(Step("hang", ("bash", "-c", script)), 1.5, dict(os.environ))
    assert time.monotonic() - started < 20
    assert counts(tally) == (1, 1, 0)
    assert not Path(f"/proc/{int(mark.read_text())}/fd").exists() or _is_zombie(int(mark.read_text()))


def _is_zombie(pid: int) -> bool:
    return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()


def test_a_step_has_no_standard_input() -> None:
    ended = run_step(
        Step("stdin", (sys.executable, "-c", "import sys; sys.exit(bool(sys.stdin.read()) or sys.stdin.isatty())")),
        30,
        dict(os.environ),
    )
    assert counts(ended) == (1, 0, 0)


def test_over_budget_names_the_three_slowest() -> None:
    tally = Tally(seconds=200, slow=[(1, "a"), (50, "b"), (3, "c"), (9, "d")])
    text = "\n".join(over_budget(Suite("e2e", 3), tally))
    assert text.startswith("warning: e2e took 3:20 of 3:00")
    assert [line.split()[-1] for line in text.splitlines()[1:]] == ["b", "d", "c"]
    assert over_budget(Suite("e2e", 4), tally) == []


def test_the_closing_line_is_the_sum() -> None:
    assert closing([Tally(passed=2), Tally(passed=3, failed=1)]) == "5 passed, 1 failed"
    assert closing([Tally(passed=2, skipped=4)]) == "2 passed, 0 failed, 4 skipped"
    assert closing([]) == "0 passed, 0 failed"


def test_a_suite_of_a_later_version_is_said_and_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    done = run.run_all([Suite("imaging", 4, later="comes later")], full=False, lab=True, minutes=1, kill=1)
    assert done == {}
    assert "not in this version: comes later" in capsys.readouterr().out


def test_without_the_lab_it_says_what_it_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.run_all([Suite("e2e", 4, lab=True)], full=False, lab=False, minutes=1, kill=1) == {}
    assert "e2e" in (out := capsys.readouterr().out)
    assert "left out (LAB=no)" in out


def test_where_containers_cannot_run_the_suite_fails_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "containers", lambda: "podman is missing")
    done = run.run_all([Suite("e2e", 4, lab=True)], full=False, lab=True, minutes=1, kill=1)
    assert counts(done["e2e"]) == (0, 1, 0)
    assert "podman is missing" in done["e2e"].notes[0]


def test_a_suite_whose_tests_are_gone_fails() -> None:
    done = run.run_all([Suite("e2e", 4, tests=("tests/no-such-folder",))], full=False, lab=True, minutes=1, kill=1)
    assert "ran nothing" in done["e2e"].notes[0]


def test_the_budget_is_the_one_of_the_readme() -> None:
    found, total, _ = suites.read_budget(full=False)
    assert {suite.name: suite.minutes for suite in found} == {
        "unit+policy": 2, "integration": 4, "molecule": 10, "windows": 3, "e2e": 4, "chaos": 3, "imaging": 4,
    }  # fmt: skip
    assert sum(suite.minutes for suite in found) <= total == 30


def test_a_second_scenario_runs_only_for_a_changed_role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("os_update", "os_update_other", "common"):
        (tmp_path / "tests/molecule" / name).mkdir(parents=True)
        (tmp_path / "tests/molecule" / name / "molecule.yml").touch()
    for name in ("os_update", "common"):
        (tmp_path / "roles" / name).mkdir(parents=True)
    monkeypatch.setattr(suites, "ROOT", tmp_path)

    def names(touched: list[str] | None, *, full: bool = False) -> list[str]:
        monkeypatch.setattr(suites, "changed_files", lambda: touched)
        return [step.name.removeprefix("molecule ") for step in suites.molecule_steps(full=full)]

    assert names(["docs/x.md"]) == ["common", "os_update"]
    assert names(["roles/os_update/tasks/main.yml"]) == ["common", "os_update", "os_update_other"]
    assert names(None) == ["common", "os_update", "os_update_other"]  # git cannot tell: everything
    assert names([], full=True) == ["common", "os_update", "os_update_other", "mutate roles"]


def test_minutes_are_shown_as_a_clock() -> None:
    assert [clock(0), clock(61.9), clock(600)] == ["0:00", "1:01", "10:00"]


def test_what_failed_before_the_tests_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALSO_FAILED", "make check")
    monkeypatch.setenv("LAB", "no")
    assert run.main(["windows"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 1 failed"
    assert (tmp_path / "closing").read_text() == "0 passed, 1 failed\n"


def test_nothing_at_all_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALSO_FAILED", raising=False)
    monkeypatch.setenv("LAB", "no")
    assert run.main(["windows"]) == 1


def test_a_suite_that_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["windos"])
    assert "there are: unit+policy" in capsys.readouterr().err
