"""A compiled inventory says exactly what the real one says: asked through real ansible-playbook runs over both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.adapters.inventory import AnsibleInventory, compile_inventory, decrypt_vault_text
from orchestrator.application.errors import InventoryError

SECRET = "correct horse battery staple"
BIN = Path(sys.executable).parent

HOSTS = """
all:
  vars: {region: north, listen: "{{ ansible_host | default('nowhere') }}"}
web:
  hosts:
    w2: {ansible_host: 10.0.0.2, flags: [true, null, 1.5, "007"]}
    w1: {peers: "{{ groups['web'] | map('extract', hostvars, 'label') | join(',') }}", label: one}
  vars: {label: from-web, region: web-in-file, shout: "{{ label | upper }}"}
  children:
    edge: {hosts: {e1: {}, w2: {}}, vars: {region: edge-in-file, depth: 2}}
db:
  hosts: {d1: {peer_secret: "{{ hostvars['w1'].token }}"}}
  vars: {ansible_group_priority: 10, colour: from-db}
blue: {hosts: {d1: {}, w1: {}}, vars: {colour: from-blue}}
empty: {}
ungrouped: {hosts: {loose: {}}}
"""

PLAYBOOK = """
- hosts: all
  gather_facts: false
  connection: local
  tasks:
    - name: Show
      ansible.builtin.copy:
        dest: "{{ out }}/{{ inventory_hostname }}"
        mode: "0600"
        content: >-
          {{ {'groups': groups, 'mine': group_names, 'order': ansible_play_hosts_all, 'region': region, 'label': label | default('-'),
              'shout': shout | default('-'), 'peers': peers | default('-'), 'listen': listen, 'colour': colour | default('-'),
              'token': token | default('-'), 'peer_secret': peer_secret | default('-'), 'raw': raw | default('-'),
              'flags': flags | default('-'), 'nested': nested | default('-'), 'files': inventory_dir ~ '/' ~ (inventory_file | basename),
              'depth': depth | default('-'), 'other': hostvars['w2'].label ~ hostvars['e1'].region} | to_json }}
    - name: Show what a delegated task sees
      ansible.builtin.copy:
        dest: "{{ out }}/localhost"
        mode: "0600"
        content: "{{ hostvars['localhost'].region | default('nothing') }}"
      delegate_to: localhost
      run_once: true
- hosts: all
  gather_facts: false
  connection: local
  tasks:
    - ansible.builtin.add_host: {name: new, groups: edge, colour: added}
      run_once: true
- hosts: new
  gather_facts: false
  connection: local
  tasks:
    - ansible.builtin.copy: {dest: "{{ out }}/new", mode: "0600", content: "{{ [group_names, label, depth, colour] | to_json }}"}
"""


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """An office with nested groups, a priority, templates, an inline vault value and both kinds of variable files."""
    root = tmp_path / "office"
    for folder in ("group_vars", "host_vars"):
        (root / folder).mkdir(parents=True)
    (root / "hosts.yml").write_text(HOSTS)
    (root / "vault-password").write_text("lab")
    (root / "ansible.cfg").write_text("[defaults]\nvault_password_file = vault-password\n")
    (root / "group_vars" / "web.yml").write_text('region: web-in-group-vars\nraw: !unsafe "{{ not a template }}"\n')
    (root / "group_vars" / "all.yml").write_text("nested: {a: [1, {b: '{{ region }}'}]}\n")
    encrypted = ansible(root, "ansible-vault", "encrypt_string", "--stdin-name", "token", stdin=SECRET)
    (root / "host_vars" / "w1.yml").write_text(encrypted)
    return root


def ansible(root: Path, program: str, *args: str, stdin: str = "") -> str:
    env = {**os.environ, "ANSIBLE_CONFIG": str(root / "ansible.cfg")}
    done = subprocess.run(
        [BIN / program, *args], input=stdin, cwd=root, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rendered(root: Path, inventory: Path, out: Path) -> dict[str, str]:
    out.mkdir()
    playbook = root.parent / "show.yml"
    playbook.write_text(PLAYBOOK)
    ansible(
        root,
        "ansible-playbook",
        "-i",
        str(inventory),
        str(playbook),
        "-e",
        f"out={out} ansible_python_interpreter={sys.executable}",
    )
    return {path.name: path.read_text() for path in sorted(out.iterdir())}


def test_templates_render_the_same_over_both_inventories(office: Path, tmp_path: Path) -> None:
    inventory = AnsibleInventory(office, [str(office / "hosts.yml")])
    private = tmp_path / "private"
    private.mkdir()
    compiled = compile_inventory(inventory, ["w1", "d1"], private)
    assert compiled is not None
    assert compiled.stat().st_mode & 0o777 == 0o600

    real = rendered(office, office / "hosts.yml", tmp_path / "real")
    ours = rendered(office, compiled, tmp_path / "ours")

    assert ours == real
    assert set(real) == {"w1", "w2", "e1", "d1", "loose", "localhost", "new"}
    w1 = json.loads(real["w1"])
    assert w1["region"] == "web-in-group-vars"
    assert w1["peers"] == "from-web,one,from-web"
    assert w1["raw"] == "{{ not a template }}"
    assert json.loads(real["d1"])["peer_secret"] == SECRET, "the vault value is really used"
    assert json.loads(real["d1"])["colour"] == "from-db", "the group priority is really decided"
    assert real["localhost"] == "north"


def test_other_devices_say_only_what_their_groups_do_not(office: Path, tmp_path: Path) -> None:
    snapshot = AnsibleInventory(office, [str(office / "hosts.yml")]).load()
    # The file group_vars/web.yml wins over the line of the child group edge: no merge of groups alone would say so.
    assert snapshot.host_vars["e1"]["region"] == "web-in-group-vars"
    assert set(snapshot.host_vars["e1"]) == {"region", "inventory_dir", "inventory_file"}
    compiled = compile_inventory(snapshot, ["w1"], tmp_path)
    assert compiled is not None
    hosts = json.loads(compiled.read_text())["all"]["hosts"]
    assert "shout" in hosts["w1"]
    assert "shout" not in hosts["w2"]


def test_no_decrypted_value_lies_in_the_compiled_inventory(office: Path, tmp_path: Path) -> None:
    compiled = compile_inventory(AnsibleInventory(office, [str(office / "hosts.yml")]), ["w1"], tmp_path)
    assert compiled is not None
    text = compiled.read_text()
    assert SECRET not in text
    assert "$ANSIBLE_VAULT;1.1;AES256" in text


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("group_vars/all.yml", "since: 2026-01-01\n", "since is a date"),
        ("group_vars/all.yml", "ports: {80: http}\n", "ports has keys that are not texts"),
        ("ansible.cfg", "[inventory]\nenable_plugins = ini, ansible.builtin.yml_of_ours, script\n", None),
        (
            "ansible.cfg",
            "[defaults]\nvars_plugins_enabled = host_group_vars, ours\nvars_plugins = plugins\n",
            "the vars plugin ours",
        ),
    ],
)
def test_what_json_cannot_say_is_not_compiled(office: Path, tmp_path: Path, file: str, content: str, reason: str | None) -> None:
    (office / file).write_text(content)
    (office / "plugins").mkdir()
    (office / "plugins" / "ours.py").write_text(
        "from ansible.plugins.vars import BaseVarsPlugin\n\n\nclass VarsModule(BaseVarsPlugin):\n"
        "    def get_vars(self, loader, path, entities):\n        return {'leak': 'x'}\n"
    )
    inventory = AnsibleInventory(office, [str(office / "hosts.yml")])
    if reason is None:  # without the yaml plugin nothing is readable at all: Ansible's own words
        with pytest.raises(InventoryError, match=r"hosts\.yml"):
            inventory.load()
        return
    snapshot = inventory.load()
    assert any(reason in each for each in snapshot.not_portable), snapshot.not_portable
    assert compile_inventory(snapshot, ["w1"], tmp_path) is None
    assert list(tmp_path.glob("*.json")) == []


def test_a_file_encrypted_as_a_whole_is_never_opened(office: Path, tmp_path: Path) -> None:
    (office / "group_vars" / "db.yml").write_text("password: hidden-in-a-file\n")
    ansible(office, "ansible-vault", "encrypt", "group_vars/db.yml")
    snapshot = AnsibleInventory(office, [str(office / "hosts.yml")]).load()
    assert "password" not in snapshot.devices["d1"].vars
    assert compile_inventory(snapshot, ["d1"], tmp_path) is None


def test_a_device_that_left_is_named(office: Path, tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="gone left the inventory"):
        compile_inventory(AnsibleInventory(office, [str(office / "hosts.yml")]), ["w1", "gone"], tmp_path)


def test_one_vault_value_is_decrypted_when_it_is_used(office: Path) -> None:
    text = (office / "host_vars" / "w1.yml").read_text()
    ciphertext = "\n".join(line.strip() for line in text.splitlines()[1:])
    assert decrypt_vault_text(office, ciphertext) == SECRET

    (office / "vault-password").write_text("wrong")
    with pytest.raises(InventoryError, match="cannot be decrypted") as refused:
        decrypt_vault_text(office, ciphertext)
    assert SECRET not in str(refused.value)
