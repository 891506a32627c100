"""Every way to refuse is shown by a case, and every package of the lab has its reason."""

from __future__ import annotations

import re

from tests.policy.generate import error_classes
from tests.policy.tree import ROOT, text, under


def cases() -> str:
    """The bad-input table, as text: its form is its owner's business."""
    return "\n".join(text(name) for name in under("tests/bad_inputs/"))


def test_every_error_class_has_a_case_in_the_bad_input_table() -> None:
    page = cases()
    assert [error.__name__ for error in error_classes() if not re.search(rf"\b{error.exit_code}\b", page)] == []


def test_errors_are_raised_somewhere() -> None:
    """A class that nobody raises is an exit code that nobody can get."""
    code = "\n".join(text(name) for name in under("orchestrator/", suffix=".py") if not name.endswith("application/errors.py"))
    assert [
        error.__name__
        for error in error_classes()
        if not re.search(rf"\b{error.__name__}\(|raise {error.__name__}\b", code) and error.exit_code != 10
    ] == []


def test_only_the_command_line_ends_the_process() -> None:
    """A program that is started by itself may end itself, in its last lines."""
    ends = re.compile(r"\bsys\.exit\(|raise SystemExit")
    pages = {name: text(name).partition('if __name__ == "__main__"')[0] for name in under("orchestrator/", suffix=".py")}
    assert [name for name, page in pages.items() if "/entrypoints/" not in name and ends.search(page)] == []


def packages() -> dict[str, tuple[str, str]]:
    rows = [
        line.split(None, 2) for line in text("tests/lab/packages.txt").splitlines() if line.strip() and not line.startswith("#")
    ]
    return {row[0]: (row[1], row[2] if len(row) > 2 else "") for row in rows}


def test_every_package_has_a_purpose_and_a_reason() -> None:
    assert [name for name, (purpose, why) in packages().items() if purpose not in {"base", "lab", "test"} or not why] == []


def test_the_lab_needs_nothing_that_is_not_installed_for_it() -> None:
    from deskside_lab.host import NEEDED

    essential = {"tar", "dpkg", "util-linux"}
    assert set(NEEDED.values()) - set(packages()) - essential == set()


def test_the_set_up_scripts_are_executable() -> None:
    scripts = ("tests/lab/bootstrap", "tests/lab/find-python", "tests/lab/fetch-python", "tests/make/environment", ".ci/run")
    assert [name for name in scripts if not (ROOT / name).stat().st_mode & 0o111] == []
