"""The set-up of a fresh machine: names what is missing, installs only as root or with sudo, otherwise says the exact line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MISSING = "no-such-package-anywhere"


@pytest.fixture
def setup(tmp_path: Path) -> Path:
    """The scripts beside a list that holds one package nobody has."""
    for name in ("bootstrap", "find-python", "fetch-python"):
        shutil.copy(ROOT / "tests/lab" / name, tmp_path / name)
    (tmp_path / "packages.txt").write_text(f"# a comment\nbase-files base always there\n{MISSING} lab a reason\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "apt-get").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/apt.log\n')
    (programs / "dpkg-query").write_text('#!/bin/sh\necho "base-files installed"\n')
    (programs / "python3").write_text("#!/bin/sh\nexit 0\n")
    (programs / "id").write_text('#!/bin/sh\necho "${FAKE_UID:-1000}"\n')
    (programs / "sudo").write_text('#!/bin/sh\n[ -n "$FAKE_SUDO" ] || exit 1\nshift\nexec "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    return tmp_path


def run(setup: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{setup}/bin:/usr/bin:/bin", "HOME": str(setup), **environment}
    return subprocess.run(
        [str(setup / "bootstrap"), *args],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def asked(setup: Path) -> list[str]:
    log = setup / "apt.log"
    return log.read_text().splitlines() if log.exists() else []


def test_without_root_the_exact_line_is_printed_and_nothing_is_installed(setup: Path) -> None:
    ended = run(setup)
    assert ended.returncode == 2
    assert ended.stdout == f"missing packages: {MISSING}\n"
    assert f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {MISSING}\n" in ended.stderr
    assert asked(setup) == []


@pytest.mark.parametrize("who", [{"FAKE_UID": "0"}, {"FAKE_SUDO": "yes"}])
def test_as_root_or_with_sudo_it_is_named_then_installed(setup: Path, who: dict[str, str]) -> None:
    ended = run(setup, **who)
    assert (ended.returncode, ended.stdout) == (0, f"missing packages: {MISSING}\ninstalled.\n")
    assert [line.split()[-1] for line in asked(setup)] == ["update", MISSING]


def test_what_apt_says_is_shown_when_it_fails(setup: Path) -> None:
    (setup / "bin" / "apt-get").write_text("#!/bin/sh\necho E: no such package\nexit 100\n")
    ended = run(setup, FAKE_UID="0")
    assert ended.returncode == 2
    assert "E: no such package" in ended.stderr


def test_without_the_lab_its_packages_are_not_asked_for(setup: Path) -> None:
    assert run(setup, "--list").stdout == f"{MISSING}\n"
    ended = run(setup, LAB="no")
    assert (ended.returncode, ended.stdout, asked(setup)) == (0, "", [])


def test_another_distribution_is_told_the_names(setup: Path) -> None:
    (setup / "bin" / "apt-get").unlink()
    env = {"PATH": f"{setup}/bin", "HOME": str(setup)}
    for name in ("awk", "dirname", "sh", "env"):
        (setup / "bin" / name).symlink_to(shutil.which(name) or name)
    ended = subprocess.run([str(setup / "bootstrap")], env=env, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0
    assert MISSING in ended.stderr


def test_a_python_of_an_environment_leads_to_the_one_it_was_made_from() -> None:
    found = subprocess.run(
        [str(ROOT / "tests/lab/find-python")],
        env={**os.environ, "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ".venv" not in found.stdout


def test_an_uninstall_of_the_editable_install_cannot_reach_the_tree() -> None:
    """The collection is a link into this tree: a RECORD that lists files below it would have uv delete the originals."""
    (record,) = Path(sysconfig.get_path("purelib")).glob("deskside-*.dist-info/RECORD")
    assert "orchestrator" in (record.parent / "entry_points.txt").read_text()
    assert [line for line in record.read_text().splitlines() if line.startswith(("ansible_collections/", "deskside_lab/"))] == []
