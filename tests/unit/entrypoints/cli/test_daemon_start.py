"""What a daemon does before its second thread starts."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from types import SimpleNamespace
from orchestrator.adapters.engine import DbosEngine
from orchestrator.entrypoints.cli import daemon
house = SimpleNamespace(office=SimpleNamespace(disabled=()), store=None, engine=SimpleNamespace(load=DbosEngine.load))
assert "dbos" not in sys.modules
daemon._check(house)
assert "dbos" in sys.modules
"""


def test_the_engine_is_imported_before_there_is_a_second_thread() -> None:
    """Found by `make chaos`: planner and executor imported it at once, and the planner met half of sqlalchemy.orm."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
