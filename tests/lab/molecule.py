"""The instances Molecule tests roles on: made once by the lab, used by one role after the other.

``<state>/molecule/`` holds what Molecule's configuration needs: ``instances.yml`` (a list of dicts, one per instance) and,
because that is what ansible reads without any help, ``inventory.yml``. The ssh files are the lab's own, beside it.
"""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from .images import PLATFORMS
from .office import Device
from .state import State

FIRST_NUMBER = 101


def instances(pairs: int, platforms: tuple[str, ...] = tuple(PLATFORMS)) -> dict[str, Device]:
    """The instances by name: ``mol-debian12``, ``mol-debian13``, and with more pairs ``mol-debian12-2`` …"""
    found: dict[str, Device] = {}
    for pair in range(1, pairs + 1):
        for platform in platforms:
            number = FIRST_NUMBER + len(found)
            name = f"mol-{platform}" + (f"-{pair}" if pair > 1 else "")
            mac = f"02:de:5c:00:08:{number:02x}"
            found[name] = Device(name=name, number=number, mac=mac, groups=frozenset({"molecule"}), platform=platform)
    return found


def write_facts(state: State, prefix: str, devices: Mapping[str, Device]) -> None:
    """Write how each instance is reached."""
    state.molecule.mkdir(parents=True, exist_ok=True)
    facts = {
        name: {
            "ansible_host": f"{prefix}{device.number}",
            "ansible_user": "root",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(state.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={state.known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes",
        }
        for name, device in devices.items()
    }
    inventory = {
        platform: {"hosts": {n: facts[n] for n, d in devices.items() if d.platform == platform}}
        for platform in {d.platform for d in devices.values()}
    }
    (state.molecule / "instances.yml").write_text(
        yaml.safe_dump([{"name": name, **fact} for name, fact in facts.items()], sort_keys=False)
    )
    (state.molecule / "inventory.yml").write_text(yaml.safe_dump({"all": {"children": inventory}}, sort_keys=False))
