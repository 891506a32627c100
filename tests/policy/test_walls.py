"""Walls that import-linter cannot see, and what a light command must not cost."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

from orchestrator.entrypoints.cli._table import COMMANDS
from tests.policy.tree import text, under

HEAVY = {
    "dbos",
    "sqlalchemy",
    "alembic",
    "ansible",
    "ansible_runner",
    "asyncssh",
    "jinja2",
    "weasyprint",
    "smtplib",
    "rich",
}


def imported(name: str) -> set[str]:
    """Every module a file imports, at any depth."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text(name))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
    return found


def tops(name: str) -> set[str]:
    return {module.partition(".")[0] for module in imported(name)}


def test_the_orchestrator_never_imports_the_collection() -> None:
    assert [
        name
        for name in under("orchestrator/", suffix=".py")
        if tops(name) & {"ansible_collections", "plugins", "tests", "deskside_lab"}
    ] == []


def test_the_collection_never_imports_the_orchestrator() -> None:
    assert [name for name in under("plugins/", suffix=".py") if tops(name) & {"orchestrator", "tests", "deskside_lab"}] == []


def test_what_runs_on_a_device_needs_only_the_standard_library() -> None:
    allowed = set(sys.stdlib_module_names) | {"ansible", "ansible_collections", "apt", "apt_pkg", "dnf", "rpm", "__future__"}
    device = under("plugins/modules/", "plugins/module_utils/", suffix=".py")
    assert {name: tops(name) - allowed for name in device if tops(name) - allowed} == {}


def test_the_independent_checkers_import_nothing_of_ours() -> None:
    checkers = [name for name in under("tests/chaos/", "tests/e2e/", suffix=".py") if "checker" in name.rpartition("/")[2]]
    assert [name for name in checkers if tops(name) & {"orchestrator", "ansible_collections"}] == []


PROBE = """
import json, sys
from orchestrator.entrypoints.cli import main
for line in sys.stdin:
    code = main(json.loads(line))
    print(json.dumps([line, code, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""
HELPS = [["--help"], ["--version"], *([name, "--help"] for name, entry in COMMANDS.items() if entry.present())]


def test_help_imports_nothing_heavy() -> None:
    """One process asks for every help, so the first call that pays for something heavy is the one that is named."""
    asked = "\n".join(json.dumps(args) for args in HELPS)
    ended = subprocess.run([sys.executable, "-c", PROBE], input=asked, capture_output=True, text=True, check=True, timeout=120)
    answers = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line for line, code, _ in answers if code != 0] == []
    assert len(answers) == len(HELPS)
    assert [(line, sorted(set(modules) & HEAVY)) for line, _, modules in answers if set(modules) & HEAVY] == []


def test_completion_imports_nothing_heavy() -> None:
    probe = "import sys\nfrom orchestrator.entrypoints.cli import main\ntry:\n main()\nexcept SystemExit:\n pass\nprint(*{m.partition('.')[0] for m in sys.modules})"
    environment = {"_DESKSIDE_COMPLETE": "complete_bash", "COMP_WORDS": "deskside ", "COMP_CWORD": "1", "PATH": "/usr/bin:/bin"}
    ended = subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert set(ended.stdout.split()) & HEAVY == set()
