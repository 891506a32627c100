"""Devices, groups and patterns are what Ansible says they are, for every kind of inventory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.adapters.inventory import AnsibleInventory
from orchestrator.application.errors import InventoryError
from orchestrator.application.office import Site
from orchestrator.config.office import load_office
from orchestrator.config.references import check_against_inventory, patterns_of

BIN = Path(sys.executable).parent
EXAMPLE = Path(__file__).parents[3] / "inventory" / "example"

INI = """
loner ansible_host=10.0.0.9
[web]
w[1:3] deskside_class=laptop
[web:vars]
deskside_users=["ada", "linus"]
[db]
w2
d1 deskside_mac=02:00:00:00:00:01
[site:children]
web
"""
YAML = """
web: {hosts: {w1: {deskside_class: laptop}, w2: {deskside_class: laptop}, w3: {deskside_class: laptop}}, vars: {deskside_users: [ada, linus]}}
db: {hosts: {w2: {}, d1: {deskside_mac: "02:00:00:00:00:01"}}}
site: {children: {web: {}}}
ungrouped: {hosts: {loner: {ansible_host: 10.0.0.9}}}
"""
SCRIPT = f"""#!{sys.executable}
import json
print(json.dumps({{
    "web": {{"hosts": ["w1", "w2", "w3"], "vars": {{"deskside_users": ["ada", "linus"]}}}},
    "db": ["w2", "d1"], "site": {{"children": ["web"]}}, "ungrouped": ["loner"],
    "_meta": {{"hostvars": {{"loner": {{"ansible_host": "10.0.0.9"}}, "d1": {{"deskside_mac": "02:00:00:00:00:01"}},
                            **{{n: {{"deskside_class": "laptop"}} for n in ("w1", "w2", "w3")}}}}}}}}))
"""
CONSTRUCTED = """
plugin: ansible.builtin.constructed
strict: true
groups: {laptops: "deskside_class | default('') == 'laptop'"}
"""
PATTERNS = ["web:!db", "all", "w*", "web[0]", "web[1:]", "~w[12]$", "db,loner", "site:&db", "!web", "nobody"]


def written(root: Path, kind: str) -> list[Path]:
    """One inventory in one of four forms."""
    if kind == "ini":
        (root / "hosts.ini").write_text(INI)
        return [root / "hosts.ini"]
    if kind == "script":
        (root / "hosts.py").write_text(SCRIPT)
        (root / "hosts.py").chmod(0o755)
        return [root / "hosts.py"]
    (root / "hosts.yml").write_text(YAML)
    if kind == "plugin":
        (root / "laptops.yml").write_text(CONSTRUCTED)
        return [root / "hosts.yml", root / "laptops.yml"]
    return [root / "hosts.yml"]


def list_hosts(root: Path, sources: list[Path], pattern: str) -> list[str]:
    """What ``--limit`` would take, asked of Ansible's own command."""
    inventory = [word for source in sources for word in ("-i", str(source))]
    command = [str(BIN / "ansible"), *inventory, "all", "--limit", pattern, "--list-hosts"]
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "HOME": str(root)}
    )
    assert done.returncode == 0 or "no hosts to target" in done.stderr, done.stderr
    return [line.strip() for line in done.stdout.splitlines()[1:]]


@pytest.mark.parametrize("kind", ["ini", "yaml", "script", "plugin"])
def test_every_kind_of_inventory_gives_the_same_devices(tmp_path: Path, kind: str) -> None:
    site = Site(name="bonn", group="site", zone="Europe/Berlin")
    snapshot = AnsibleInventory(tmp_path, [str(path) for path in written(tmp_path, kind)], {"bonn": site}).load(["web"])

    assert sorted(snapshot.devices) == ["d1", "loner", "w1", "w2", "w3"]
    w2, d1, loner = (snapshot.devices[name] for name in ("w2", "d1", "loner"))
    assert w2.users == ("ada", "linus")
    assert w2.groups - {"laptops"} == {"web", "db", "site"}
    assert w2.site == "bonn"
    assert w2.device_class == "laptop"
    assert (d1.users, d1.site, d1.mac, d1.address) == (None, None, "02:00:00:00:00:01", "d1")
    assert (loner.address, loner.groups) == ("10.0.0.9", frozenset())
    assert snapshot.matches == {"web": ("w1", "w2", "w3")}
    assert ("laptops" in snapshot.groups) is (kind == "plugin")


def test_patterns_match_what_ansibles_own_limit_matches(tmp_path: Path) -> None:
    sources = written(tmp_path, "ini")
    snapshot = AnsibleInventory(tmp_path, [str(path) for path in sources]).load(PATTERNS)
    for pattern in PATTERNS:
        assert sorted(snapshot.matches[pattern]) == sorted(list_hosts(tmp_path, sources, pattern)), pattern
    assert snapshot.matches["nobody"] == ()


def test_users_may_be_nobody_on_purpose_or_unknown(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {a: {deskside_users: []}, b: {}, c: {deskside_users: null}}}\n")
    devices = AnsibleInventory(tmp_path, [str(tmp_path / "hosts.yml")]).load().devices
    assert [devices[name].users for name in "abc"] == [(), None, None]


def test_wrong_users_are_refused_all_at_once_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        'all:\n  hosts:\n    a: {deskside_users: ada}\n    b: {deskside_users: [1]}\n    c: {deskside_users: ["{{ owner }}"]}\n'
        '    d: {deskside_users: "{{ owners }}"}\n    e: {deskside_users: [ada]}\n'
    )
    with pytest.raises(InventoryError) as refused:
        AnsibleInventory(tmp_path, [str(tmp_path / "hosts.yml")]).load()
    found = {problem.thing.partition(".")[0]: (problem.source.line, problem.message) for problem in refused.value.problems}
    assert {name: line for name, (line, _) in found.items()} == {"a": 3, "b": 4, "c": 5, "d": 6}
    assert '"ada" is not a list of names' in found["a"][1]
    assert "deskside reads it unrendered" in found["d"][1]


def test_the_offices_ansible_cfg_is_honoured_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office = tmp_path / "office"
    office.mkdir()
    (office / "ansible.cfg").write_text("[inventory]\nenable_plugins = ini\n")
    (office / "hosts.yml").write_text(YAML)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InventoryError, match="Completely failed to parse inventory source"):
        AnsibleInventory(office, [str(office / "hosts.yml")]).load()


def test_group_vars_of_the_office_do_not_leak_into_an_inventory_elsewhere(tmp_path: Path) -> None:
    office, elsewhere = tmp_path / "office", tmp_path / "elsewhere"
    for folder in (office, elsewhere):
        (folder / "group_vars").mkdir(parents=True)
        (folder / "group_vars" / "all.yml").write_text(f"where: {folder.name}\n")
    (elsewhere / "hosts.yml").write_text(YAML)
    snapshot = AnsibleInventory(office, [str(elsewhere / "hosts.yml")]).load()
    assert snapshot.devices["w1"].vars["where"] == "elsewhere"


def test_an_inventory_that_hangs_is_ended(tmp_path: Path) -> None:
    script = tmp_path / "hosts.sh"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    started = time.monotonic()
    with pytest.raises(InventoryError, match="did not answer within 3 seconds"):
        AnsibleInventory(tmp_path, [str(script)], timeout=3).load()
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("sources", "patterns", "message"),
    [
        ([], [], "has no inventory"),
        (["missing.yml"], [], "missing.yml does not exist"),
        (["broken.yml"], [], "broken.yml:2: YAML parsing failed"),
        (["broken.ini"], [], "Expected key=value host variable assignment"),
        (["failing.sh"], [], "non-zero exit code 3"),
        (["good.yml"], ["@good.yml"], "is not a pattern"),
    ],
)
def test_what_cannot_be_read_is_refused_in_ansibles_words(
    tmp_path: Path, sources: list[str], patterns: list[str], message: str
) -> None:
    (tmp_path / "broken.yml").write_text("all: [\n")
    (tmp_path / "broken.ini").write_text("[web]\nbad host line\n")
    (tmp_path / "failing.sh").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "failing.sh").chmod(0o755)
    (tmp_path / "good.yml").write_text(YAML)
    with pytest.raises(InventoryError) as refused:
        AnsibleInventory(tmp_path, [str(tmp_path / source) for source in sources]).load(patterns)
    assert message in str(refused.value)


def test_what_ansible_warns_about_reaches_the_snapshot(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("web: {hosts: {web: {}, other: {}}}\n")
    snapshot = AnsibleInventory(tmp_path, [str(tmp_path / "hosts.yml")]).load()
    assert any("both group and host with same name: web" in warning for warning in snapshot.warnings), snapshot.warnings


def test_the_example_office_is_whole_and_ansible_agrees_without_a_warning() -> None:
    office = load_office(EXAMPLE)
    snapshot = AnsibleInventory(office.root, office.sources, office.sites).load(patterns_of(office.references))
    assert snapshot.warnings == ()
    assert snapshot.not_portable == ()
    assert check_against_inventory(office, snapshot) == ()
    assert office.disabled == ()

    # Ansible by itself, with the whole directory as inventory: it must not take our files for hosts.
    env = {**os.environ, "ANSIBLE_CONFIG": str(EXAMPLE / "ansible.cfg")}
    done = subprocess.run(
        [BIN / "ansible-inventory", "-i", str(EXAMPLE), "--list"],
        cwd=EXAMPLE,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    listed = json.loads(done.stdout)
    assert set(listed["_meta"]["hostvars"]) == set(snapshot.devices)
    assert set(listed) - {"_meta", "all", "ungrouped"} == set(snapshot.groups) - {"all", "ungrouped"}


def test_a_static_inventory_is_read_once_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = written(tmp_path, "ini")
    inventory = AnsibleInventory(tmp_path, [str(path) for path in source])
    first = inventory.load(["web", "db"])

    with monkeypatch.context() as patch:
        patch.setattr("orchestrator.adapters.inventory.source.ask", lambda *_, **__: pytest.fail("asked again"))
        assert inventory.load(["db"]) is first
        assert inventory.load() is first

    assert inventory.load(["site"]).matches == {"site": ("w1", "w2", "w3")}, "a pattern that was not asked is asked"
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "web.yml").write_text("fresh: 1\n")
    assert inventory.load().devices["w1"].vars["fresh"] == 1
    (tmp_path / "group_vars" / "web.yml").write_text("fresh: 2\n")
    assert inventory.load().devices["w1"].vars["fresh"] == 2
    (tmp_path / "hosts.ini").write_text("only\n")
    assert list(inventory.load().devices) == ["only"]


@pytest.mark.parametrize("kind", ["script", "plugin"])
def test_an_inventory_that_may_say_something_else_is_always_asked(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = AnsibleInventory(tmp_path, [str(path) for path in written(tmp_path, kind)])
    inventory.load()
    asked: list[str] = []

    def ask_again(script: str, question: object, **_: object) -> dict[str, object]:
        asked.append(script)
        return {"error": "stop here"}

    monkeypatch.setattr("orchestrator.adapters.inventory.source.ask", ask_again)
    with pytest.raises(InventoryError, match="stop here"):
        inventory.load()
    assert asked == ["reader.py"]
