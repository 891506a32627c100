"""What is sent into the transient unit, and the lock it holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_model as model
from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_unit as unit


@pytest.fixture
def launcher(tmp_path, monkeypatch):
    monkeypatch.setattr(unit, "RUN", str(tmp_path / "run"))
    return unit.Launcher("night.1", "deskside-night.1.service", 20.0)


def test_what_is_shipped_is_whole_and_only_for_root(launcher):
    launcher._ship({"some": "job"})
    program = f"import sys; sys.path.insert(0, {launcher.folder!r}); import deskside_apply._os_update_unit as u; print(u.__file__)"
    said = subprocess.run([sys.executable, "-I", "-B", "-c", program], capture_output=True, text=True, check=False)
    assert said.stdout.strip() == f"{launcher.folder}/deskside_apply/_os_update_unit.py", said.stderr
    assert json.loads(Path(launcher.folder, "job.json").read_text()) == {"some": "job"}
    assert Path(unit.RUN).stat().st_mode & 0o777 == 0o700


def test_a_job_that_ends_without_a_result_leaves_its_last_words(launcher, monkeypatch):
    monkeypatch.setattr(unit._guard, "has_systemd", lambda: False)
    monkeypatch.setattr(unit, "START", "import sys\nprint('one')\nsys.exit('the last word')\n")
    assert launcher.run({"some": "job"}) is None
    assert launcher.lines() == ["one", "the last word"]
    assert launcher.warnings == ["this device runs without systemd: the update was not protected against a lost connection"]
    launcher.clear()
    assert list(Path(unit.RUN).iterdir()) == []


def test_a_result_is_read_back(launcher, monkeypatch):
    monkeypatch.setattr(unit._guard, "has_systemd", lambda: False)
    monkeypatch.setattr(unit, "START", "import sys\nopen(sys.argv[1] + '/result.json', 'w').write('{\"state\": \"done\"}')\n")
    assert launcher.run({}) == {"state": "done"}


def test_a_unit_of_an_overtaken_worker_that_does_not_end_is_a_refusal(launcher, monkeypatch):
    asked = []
    monkeypatch.setattr(unit._guard, "unit_alive", bool)
    monkeypatch.setattr(unit.subprocess, "run", lambda argv, **_kw: asked.append(argv))
    with pytest.raises(model.RefusedUpdateError, match=r"deskside-night\.1\.service of an earlier worker does not end"):
        launcher.run({})
    assert asked == [["systemctl", "stop", "deskside-night.1.service"]]


def test_the_work_lock_is_held_by_one_and_says_by_whom(tmp_path, monkeypatch):
    monkeypatch.setattr(unit._guard, "ROOT", str(tmp_path))
    monkeypatch.setattr(unit, "WORK_LOCK", str(tmp_path / "work.lock"))
    first = unit.take_work_lock("deskside-a.service", 0)
    with pytest.raises(
        model.RefusedUpdateError, match=rf"deskside-a\.service \(pid {os.getpid()}\) is changing this device; waited 0 s for it"
    ):
        unit.take_work_lock("deskside-b.service", 0)
    os.close(first)
    os.close(unit.take_work_lock("deskside-b.service", 0))
