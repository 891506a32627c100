"""The built wheel is the whole product: command, collection and lab, in an environment that knows nothing of this tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = ROOT / ".cache" / "boot" / "bin" / "uv"
HOSTS = "localhost ansible_connection=local\n"


def call(*argv: str | Path, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program away from the tree, with only ``path`` in front of the system's own programs."""
    ours = ("PYTHON", "VIRTUAL_ENV", "ANSIBLE_", "DESKSIDE_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
        "PATH": f"{path}:/usr/bin:/bin" if path else "/usr/bin:/bin",
        "UV_CACHE_DIR": str(ROOT / ".cache" / "uv"),
        "NO_COLOR": "1",
        "ANSIBLE_HOME": str(cwd / "ansible"),
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        stdin=subprocess.DEVNULL,
    )


def ok(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == 0, f"{ended.args}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and the wheel that is built from it, so that both are known to be whole."""
    where = tmp_path_factory.mktemp("dist")
    ok(call(UV, "build", "-q", "--no-build-isolation", "-p", sys.executable, "-o", where, ROOT, cwd=where))
    return where


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("deskside-*.whl")
    return found


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory outside the tree."""
    where = tmp_path_factory.mktemp("away")
    (where / "hosts").write_text(HOSTS)
    return where


@pytest.fixture(scope="module")
def programs(wheel: Path, away: Path) -> Path:
    """The programs of a fresh environment: the runtime lock with its hashes, and the wheel."""
    venv = away / "venv"
    ok(call(UV, "venv", "-q", "-p", sys.executable, venv, cwd=away))
    ok(
        call(
            UV,
            "pip",
            "sync",
            "-q",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "-p",
            venv,
            ROOT / "requirements" / "runtime.txt",
            cwd=away,
        )
    )
    ok(call(UV, "pip", "install", "-q", "--no-deps", "-p", venv, wheel, cwd=away))
    return venv / "bin"


def test_the_lock_satisfies_what_the_wheel_asks_for(programs: Path, away: Path) -> None:
    ok(call(UV, "pip", "check", "-p", programs.parent, cwd=away))


def test_the_wheel_holds_the_product_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.startswith("deskside-")} == {"orchestrator", "ansible_collections", "deskside_lab"}
    assert {name.split("/")[3] for name in names if name.startswith("ansible_collections/")} == {
        "LICENSE", "README.md", "galaxy.yml", "meta", "playbooks", "plugins", "roles",
    }  # fmt: skip
    assert [
        name for name in names if name.endswith((".pyc", ".log", ".db", ".sqlite")) or "/.cache" in name or "/__pycache__" in name
    ] == []


def test_every_tracked_file_of_the_product_is_in_the_wheel(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "orchestrator", "playbooks", "roles", "plugins", "tests/lab"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        name
        if name.startswith("orchestrator/")
        else name.replace("tests/lab/", "deskside_lab/", 1)
        if name.startswith("tests/")
        else f"ansible_collections/deskside/workplace/{name}"
        for name in listed.split()
        if (ROOT / name).is_file()
    }
    assert expected - inside == set()


def test_the_command_runs(programs: Path, away: Path) -> None:
    assert ok(call(programs / "deskside", "--version", cwd=away)).startswith("deskside ")
    assert "maintenance" in ok(call(programs / "deskside", "--help", cwd=away))


def test_every_command_loads(programs: Path, away: Path) -> None:
    """Nothing that a command imports is missing from the wheel or from its requirements."""
    program = "from orchestrator.entrypoints.cli._table import COMMANDS; from orchestrator.entrypoints.cli._lazy import load\nfor name in COMMANDS: load(name)\nprint(len(COMMANDS))"
    assert int(ok(call(programs / "python", "-c", program, cwd=away))) > 10


def test_every_module_imports(programs: Path, away: Path) -> None:
    program = (
        "import importlib, pkgutil, orchestrator\n"
        "for found in pkgutil.walk_packages(orchestrator.__path__, 'orchestrator.'):\n"
        "    if not found.name.rpartition('.')[2] == 'env' and 'migrations.versions' not in found.name:\n"
        "        importlib.import_module(found.name)\n"
    )
    ok(call(programs / "python", "-W", "ignore", "-c", program, cwd=away))


def test_ansible_finds_the_collection(programs: Path, away: Path) -> None:
    assert "deskside.workplace" in ok(
        call(programs / "ansible-galaxy", "collection", "list", "deskside.workplace", cwd=away, path=programs)
    )


@pytest.mark.parametrize(("kind", "name"), [("module", "deskside.workplace.os_update"), ("role", "deskside.workplace.os_update")])
def test_ansible_documents_it(programs: Path, away: Path, kind: str, name: str) -> None:
    page = json.loads(ok(call(programs / "ansible-doc", "-t", kind, "--json", name, cwd=away, path=programs)))
    assert name in page


def test_every_playbook_is_found_by_its_full_name(programs: Path, away: Path) -> None:
    names = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml") if not path.name.endswith(".meta.yml"))
    assert "apply_os_updates" in names
    for name in names:
        ok(
            call(
                programs / "ansible-playbook",
                "--syntax-check",
                "-i",
                away / "hosts",
                f"deskside.workplace.{name}",
                cwd=away,
                path=programs,
            )
        )


def test_the_lab_comes_with_it(programs: Path, away: Path) -> None:
    program = "import deskside_lab, pathlib; here = pathlib.Path(deskside_lab.__file__).parent; print(here); assert (here / 'example' / 'hosts.yml').exists()"
    where = ok(call(programs / "python", "-c", program, cwd=away)).strip()
    assert Path(where).is_relative_to(away)


def test_an_uninstall_leaves_nothing_of_ours(wheel: Path, away: Path) -> None:
    venv = away / "short-lived"
    ok(call(UV, "venv", "-q", "-p", sys.executable, venv, cwd=away))
    ok(call(UV, "pip", "install", "-q", "--no-deps", "-p", venv, wheel, cwd=away))
    ok(call(UV, "pip", "uninstall", "-q", "-p", venv, "deskside", cwd=away))
    assert [
        str(path) for path in venv.rglob("*") if path.is_file() and ("deskside" in path.name or "workplace" in path.parts)
    ] == []
