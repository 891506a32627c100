"""Runs one of our small Ansible scripts in a Python process of its own: question in, JSON out, bounded in time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.adapters.runner.environment import OfficeConfig, office_environment
from orchestrator.application.errors import InventoryError

# The same for every office: no fact cache (its values are not the inventory), no colour codes, no chatter about later versions.
_QUIET = {
    "ANSIBLE_CACHE_PLUGIN": "memory",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_DEPRECATION_WARNINGS": "False",
    "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
}


def ask(script: str, question: Mapping[str, Any], *, root: Path, timeout: float) -> dict[str, Any]:
    """Run ``script`` of this package with the office's Ansible configuration.

    Args:
        script: File name beside this module.
        question: Goes to its stdin, never into an argument.
        root: The office directory: working directory, and where ansible.cfg is.
        timeout: Seconds.

    Raises:
        InventoryError: It did not answer in time, or not at all.
    """
    environment = office_environment(OfficeConfig(root / "ansible.cfg"), os.environ) | _QUIET
    command = [sys.executable, "-P", str(Path(__file__).with_name(script))]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(question),
            capture_output=True,
            text=True,
            cwd=root,
            env=environment,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InventoryError(
            f"the inventory did not answer within {timeout:g} seconds: an inventory script or plugin hangs. Try: ansible-inventory --list"
        ) from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise InventoryError(f"Ansible could not be asked for the inventory: {last}") from None
    return dict(answer)
