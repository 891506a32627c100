"""Reads the office directory: the devices the lab has to build and the people who own them.

The committed office (``inventory/example``) is the only description; nothing about it is repeated here but what an office
directory does not say: who sleeps at night.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import LabError
from .state import OFFICE_OCTET, State, example_office

OFFICE_PREFIX = f"10.99.{OFFICE_OCTET}."
ASLEEP: Mapping[str, bool] = {"ws-alan": True, "ws-asima": False}
"""Devices switched off at night, and whether a magic packet wakes them."""

MAIL = "mail"
BARE = "bare"
LAB_PATHS = re.compile(r"(?:\{\{ inventory_dir \}\}/)?\.\./\.\./\.cache/lab/office")
KEPT = ("maintenance.yml", "software.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One container of the lab.

    Attributes:
        name: Its inventory host name.
        number: Last octet of its address.
        mac: The address of its network card, real and in the inventory.
        groups: Every group it is in.
        users: Person slugs with a login on it.
        login: Whom Ansible logs in as.
        sealed: The vault value of what sudo asks this login for; ``None`` when it asks for nothing.
        platform: ``debian12`` or ``debian13``.
    """

    name: str
    number: int
    mac: str
    groups: frozenset[str]
    users: tuple[str, ...] = ()
    login: str = "root"
    sealed: str | None = None
    platform: str = "debian12"

    @property
    def sudo_password(self) -> str | None:
        """What sudo asks this login for; ``None`` when it asks for nothing."""
        return opened(self.sealed, example_office()) if self.sealed else None

    @property
    def asleep(self) -> bool:
        """Whether it is switched off at night."""
        return self.name in ASLEEP

    @property
    def role(self) -> str:
        """What it is to a reader."""
        for group in ("mail_servers", "file_servers", "critical", "molecule"):
            if group in self.groups:
                return group.removesuffix("s").replace("_", " ")
        return "workstation" if "workstations" in self.groups else "device"


class _Loader(yaml.SafeLoader):
    """YAML with Ansible's ``!vault``, left sealed."""


_Loader.add_constructor("!vault", lambda loader, node: loader.construct_scalar(node))  # type: ignore[arg-type]


def load(path: Path) -> Any:
    """Read one YAML file of the office; ``{}`` when there is none."""
    return (yaml.load(path.read_text(), _Loader) or {}) if path.exists() else {}


def devices(platform: str = "debian12", office: Path | None = None) -> dict[str, Device]:
    """Every device of the office that is a container, by name."""
    office = office or example_office()
    hosts: dict[str, dict[str, Any]] = {}
    groups: dict[str, set[str]] = {}
    for name, body in load(office / "hosts.yml").items():
        _walk(name, body or {}, (), hosts, groups)
    found = {}
    for name, own in hosts.items():
        if BARE not in groups[name]:
            own.update(load(office / "host_vars" / f"{name}.yml"))
            found[name] = _device(name, own, groups[name], platform, office)
    return found


def _walk(
    group: str, body: Mapping[str, Any], above: tuple[str, ...], hosts: dict[str, dict[str, Any]], groups: dict[str, set[str]]
) -> None:
    for name, own in (body.get("hosts") or {}).items():
        hosts.setdefault(name, {}).update(own or {})
        groups.setdefault(name, set()).update({group, *above})
    for name, child in (body.get("children") or {}).items():
        _walk(name, child or {}, (*above, group), hosts, groups)


def _device(name: str, own: Mapping[str, Any], groups: set[str], platform: str, office: Path) -> Device:
    address = str(own.get("ansible_host", ""))
    if not address.startswith(OFFICE_PREFIX):
        raise LabError(f"{office}/hosts.yml: {name}: ansible_host {address!r} is not in the office's network {OFFICE_PREFIX}0/24")
    return Device(
        name=name,
        number=int(address.removeprefix(OFFICE_PREFIX)),
        mac=str(own["deskside_mac"]),
        groups=frozenset(groups),
        users=tuple(own.get("deskside_users") or ()),
        login=str(own.get("ansible_user", "root")),
        sealed=own.get("ansible_become_password"),
        platform="debian12" if "mail_servers" in groups else platform,
    )


def opened(sealed: str, office: Path) -> str:
    """Open a vault value of the lab's office with the lab's own password."""
    from ansible.parsing.vault import VaultLib, VaultSecret

    secret = VaultSecret((office / ".vault-lab").read_bytes().strip())
    return str(VaultLib([("default", secret)]).decrypt(sealed).decode())


def people(office: Path | None = None) -> dict[str, dict[str, Any]]:
    """people.yml as it stands, by slug."""
    found: dict[str, dict[str, Any]] = load((office or example_office()) / "people.yml")
    return found


def copy_office(state: State, prefix: str, present: Collection[str]) -> None:
    """Write the office directory of one lab: its own addresses and absolute paths, only the devices it has.

    maintenance.yml and software.yml are copied once and then belong to whoever uses the lab.
    """
    source = example_office()
    for path in _files(source):
        target = state.office / path.relative_to(source)
        if path.name in KEPT and target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        text = LAB_PATHS.sub(str(state.path), path.read_text()).replace(OFFICE_PREFIX, prefix)
        target.write_text(_only(text, present) if path.name == "hosts.yml" else text)
        shutil.copymode(path, target)


def _files(source: Path) -> Iterator[Path]:
    yield from (path for path in sorted(source.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)


def _only(hosts: str, present: Collection[str]) -> str:
    tree = yaml.safe_load(hosts)
    kept = {*present}
    if len(kept) >= len(devices()):
        return hosts
    for body in _bodies(tree):
        if body.get("hosts"):
            body["hosts"] = {name: own for name, own in body["hosts"].items() if name in kept}
    return yaml.safe_dump(tree, sort_keys=False)


def _bodies(tree: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for body in tree.values():
        if body:
            yield body
            yield from _bodies(body.get("children") or {})
