"""Which containment is chosen, and that the keeper keeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.adapters.runner.containment import KEEPER, KEEPER_CONTAINMENT, Containment, candidates, choose, works
from orchestrator.application.errors import EnvironmentProblemError


def test_the_best_way_that_works_is_chosen():
    ways = candidates(root=True)
    assert [way.name for way in ways] == ["namespace", "user-namespace", "bubblewrap", "keeper"]
    assert choose(ways, lambda way: way.name in {"bubblewrap", "keeper"}).name == "bubblewrap"


def test_plain_namespaces_are_not_tried_without_root():
    assert "namespace" not in [way.name for way in candidates(root=False)]


def test_no_way_at_all_is_an_error_that_says_what_to_install():
    with pytest.raises(EnvironmentProblemError, match="util-linux"):
        choose(candidates(root=True), lambda _way: False)


@pytest.mark.parametrize("argv", [("false",), ("/does/not/exist",), ("sleep", "60")])
def test_a_way_that_does_not_pass_on_the_exit_code_does_not_work(argv, monkeypatch):
    monkeypatch.setattr("orchestrator.adapters.runner.containment.PROBE_SECONDS", 0.5)
    assert not works(Containment(name="x", argv=argv))


def test_the_keeper_needs_nothing_of_this_machine():
    assert works(KEEPER_CONTAINMENT)


TREE = (
    "import os,subprocess,sys,time; subprocess.Popen(['setsid','sleep','{n}']); subprocess.Popen(['sleep','{n}']); time.sleep({n})"
)


def sleepers(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = entry.joinpath("cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[:2] == [b"sleep", mark.encode()]:
                found.append(int(entry.name))
    return found


def wait_for(condition, seconds=10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL], ids=["told to stop", "its parent was killed"])
def test_the_keeper_ends_children_that_left_its_session(tmp_path, stop):
    mark = f"61{time.time_ns() % 10**6}"
    keep = [sys.executable, str(KEEPER), "0", str(tmp_path / "pid"), sys.executable, "-c", TREE.format(n=mark)]
    parent = subprocess.Popen([sys.executable, "-c", f"import subprocess,time; subprocess.Popen({keep!r}); time.sleep(60)"])
    try:
        assert wait_for(lambda: len(sleepers(mark)) == 2 and (tmp_path / "pid").exists())
        os.kill(int((tmp_path / "pid").read_text()) if stop is signal.SIGTERM else parent.pid, stop)
        assert wait_for(lambda: not sleepers(mark), 2.0)
    finally:
        parent.kill()
        parent.wait()
        for pid in sleepers(mark):
            os.kill(pid, signal.SIGKILL)


def test_the_keeper_passes_on_the_exit_code_and_ends_what_is_left_behind(tmp_path):
    mark = f"62{time.time_ns() % 10**6}"
    code = f"import subprocess; subprocess.Popen(['setsid','sleep','{mark}'], start_new_session=True); raise SystemExit(4)"
    done = subprocess.run([sys.executable, str(KEEPER), "0", str(tmp_path / "pid"), sys.executable, "-c", code], check=False)
    assert done.returncode == 4
    assert not sleepers(mark)


def test_the_keeper_starts_nothing_when_its_parent_is_gone_already(tmp_path):
    done = subprocess.run([sys.executable, str(KEEPER), "1", str(tmp_path / "pid"), "touch", str(tmp_path / "ran")], check=False)
    assert done.returncode == 143
    assert not (tmp_path / "ran").exists()
