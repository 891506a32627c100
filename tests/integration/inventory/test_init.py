"""`deskside init` around a stranger's inventory: nothing of theirs changes, and what it writes works as it is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.adapters.inventory import AnsibleInventory
from orchestrator.application.errors import BadInputError
from orchestrator.application.init_office import propose
from orchestrator.config.office import load_office
from orchestrator.entrypoints.cli import main

BIN = Path(sys.executable).parent
INVENTORIES = {
    "hosts.ini": "[lab]\nbox1 ansible_host=10.0.0.1\nbox2 ansible_host=10.0.0.2\n[lab:vars]\nansible_user=me\n",
    "hosts.yml": "lab: {hosts: {box1: {}, box2: {}}, vars: {deskside_users: [ada]}}\n",
    "inv.sh": '#!/bin/sh\necho \'{"lab": {"hosts": ["box1", "box2"]}}\'\n',
}


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def ansible_list(root: Path, inventory: Path) -> object:
    done = subprocess.run(
        [BIN / "ansible-inventory", "-i", str(inventory), "--list"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "HOME": str(root)},
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["hosts.ini", "hosts.yml", "inv.sh"])
def test_init_changes_nothing_and_its_files_work_as_they_are(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(INVENTORIES[name])
    (tmp_path / name).chmod(0o755 if name.endswith(".sh") else 0o644)
    monkeypatch.chdir(tmp_path)
    before, listed = digests(tmp_path), ansible_list(tmp_path, tmp_path / name)

    assert main(["init", "--inventory", name]) == 0
    shown = capsys.readouterr().out

    after = digests(tmp_path)
    assert {key: after[key] for key in before} == before
    assert set(after) - set(before) == {"maintenance.yml", "people.yml"}
    assert ansible_list(tmp_path, tmp_path / name) == listed
    assert "deskside plan patch-night" in shown
    office = load_office(tmp_path)
    assert office.disabled == ()
    assert office.windows["patch-night"].people.nobody_owns == ("hold" if name == "hosts.yml" else "include")
    if name != "hosts.yml":  # there the inventory names ada, whom people.yml only has as a comment to fill in
        assert main(["config", "check"]) == 0, capsys.readouterr().err
    planned = subprocess.run([BIN / "deskside", "plan", "patch-night"], capture_output=True, text=True, timeout=120, check=False)
    assert planned.returncode == 0, planned.stderr
    assert "2 devices" in planned.stdout


def test_init_writes_into_another_directory_and_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inventory = tmp_path / "ansible"
    inventory.mkdir()
    (inventory / "prod.ini").write_text(INVENTORIES["hosts.ini"])
    (inventory / "ansible.cfg").write_text("[defaults]\nremote_user = me\n")
    monkeypatch.chdir(tmp_path)
    before = digests(inventory)

    assert main(["init", "--inventory", "ansible/prod.ini", "--office", "office"]) == 0
    shown = capsys.readouterr().out
    assert digests(inventory) == before
    assert "deskside plan patch-night --office office" in shown
    assert "copy it to" in shown
    assert load_office(tmp_path / "office").sources == (str(tmp_path / "office" / "../ansible/prod.ini"),)
    assert main(["config", "check", "--office", "office"]) == 0, capsys.readouterr().err


def test_init_never_writes_over_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hosts.ini").write_text(INVENTORIES["hosts.ini"])
    (tmp_path / "people.yml").write_text("mine: 1\n")
    monkeypatch.chdir(tmp_path)
    before = digests(tmp_path)
    assert main(["init"]) == 14
    assert "people.yml exists: nothing was written" in capsys.readouterr().err
    assert digests(tmp_path) == before


@pytest.mark.parametrize(
    ("inventory", "canary", "last", "twins"),
    [
        ("[web]\na\nb\nc\n[staging]\na\n[databases]\nc\n[db]\nc\n", "staging", ("databases",), ()),
        ("[dc]\na\nb\n[clients]\nc\nd\ne\n", None, ("dc",), ("dc",)),
        ("[lab]\na\nb\n", None, (), ()),
        ("[critical]\nb\n[lab]\na\n", "lab", (), ()),
        ("solo\n", None, (), ()),
    ],
)
def test_groups_suggest_rings(
    tmp_path: Path, inventory: str, canary: str | None, last: tuple[str, ...], twins: tuple[str, ...]
) -> None:
    (tmp_path / "hosts.ini").write_text(inventory)
    proposal = propose(AnsibleInventory(tmp_path, [str(tmp_path / "hosts.ini")]).load())
    assert (proposal.canary, proposal.last, proposal.twins) == (canary, last, twins)


def test_an_inventory_of_this_machine_only_holds_no_device(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text("localhost ansible_connection=local\n")
    with pytest.raises(BadInputError, match="no device"):
        propose(AnsibleInventory(tmp_path, [str(tmp_path / "hosts.ini")]).load())
