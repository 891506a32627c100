"""Private directories: in memory, ours alone, gone after a crash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.adapters.runner import private
from orchestrator.application.errors import EnvironmentProblemError

MOUNTS = "/dev/vda / ext4 rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\n/dev/vdb /dev/shm/disk ext4 rw 0 0\n"


@pytest.mark.parametrize(
    ("path", "answer"),
    [("/dev/shm", True), ("/dev/shm/x", True), ("/dev/shm/disk/x", False), ("/home", False), ("/dev/shmoo", False)],
)
def test_only_memory_backed_file_systems_count(path, answer):
    assert private.in_memory(Path(path), MOUNTS) is answer


def test_a_place_that_somebody_else_can_enter_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(private, "in_memory", lambda _path: True)
    loose, tight = tmp_path / "loose", tmp_path / "tight"
    loose.mkdir(mode=0o755)
    assert private.home([loose, tight]) == tight
    link = tmp_path / "link"
    link.symlink_to(tight)
    assert private.home([link, tight]) == tight
    with pytest.raises(EnvironmentProblemError, match="tmpfs"):
        private.home([loose])


def test_a_directory_is_private_and_gone_afterwards_even_after_an_error(tmp_path):
    modes = []

    def use() -> None:
        with private.private_directory(tmp_path) as path:
            private.write_private(path / "vars", "secret")
            modes.extend(entry.stat().st_mode & 0o777 for entry in (path, path / "vars"))
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert modes == [0o700, 0o600]
    assert list(tmp_path.glob("run-*")) == []


def test_what_a_dead_process_left_is_swept_and_what_a_living_one_uses_is_not(tmp_path):
    code = (
        "import os,sys; from pathlib import Path; from orchestrator.adapters.runner.private import private_directory;"
        "held = private_directory(Path(sys.argv[1])); held.__enter__().joinpath('vars').write_text('s'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    with private.private_directory(tmp_path) as alive:
        assert private.sweep(tmp_path) == 1
        assert list(tmp_path.glob("run-*")) == [alive]
        assert private.sweep(tmp_path) == 0
