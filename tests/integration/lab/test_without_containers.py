"""What of the lab needs no container: mirrors from apt's own files, packages byte by byte, magic packets, the office as Ansible sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from deskside_lab import host, office, packages, sources, wake
from deskside_lab.errors import CannotRunError, LabError
from deskside_lab.mail import boxes
from deskside_lab.state import example_office, open_state

GOLDEN = Path(__file__).parent / "inventory.json"


def test_mirrors_come_from_both_formats_of_apt_sources(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://wrong.test/debian bookworm main\ndeb [arch=amd64] http://one.test/debian/ bookworm main contrib\n"
    )
    (tmp_path / "sources.list.d/security.sources").write_text(
        "Types: deb deb-src\n# a comment\nURIs: http://two.test/security\nSuites: bookworm-security\nComponents: main\n\n"
        "Types: deb\nURIs: http://off.test/\nSuites: trixie-security\nComponents: main\nEnabled: no\n"
    )
    (tmp_path / "sources.list.d/vendor.list").write_text("deb https://vendor.test/apt stable main\n")
    (tmp_path / "sources.list.d/ignored.save").write_text("deb http://old.test/debian bookworm main\n")
    assert sources.host_mirrors(tmp_path) == sources.Mirrors("http://one.test/debian", "http://two.test/security")


def test_a_machine_that_is_not_debian_is_told_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://ubuntu.test/ubuntu noble main\n")
    monkeypatch.delenv("DESKSIDE_LAB_MIRROR", raising=False)
    monkeypatch.delenv("DESKSIDE_LAB_SECURITY_MIRROR", raising=False)
    with pytest.raises(CannotRunError, match="Set DESKSIDE_LAB_MIRROR"):
        sources.host_mirrors(tmp_path)
    monkeypatch.setenv("DESKSIDE_LAB_MIRROR", "http://given.test/debian/")
    monkeypatch.setenv("DESKSIDE_LAB_SECURITY_MIRROR", "http://given.test/security")
    assert sources.host_mirrors(tmp_path) == sources.Mirrors("http://given.test/debian", "http://given.test/security")


@pytest.mark.parametrize(("made", "expected"), [(("cgroup.controllers",), "v2"), (("unified/",), "hybrid"), ((), "v1")])
def test_the_layout_of_control_groups_decides_the_runtime(tmp_path: Path, made: tuple[str, ...], expected: str) -> None:
    for name in made:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    assert host.cgroups(tmp_path) == expected


def test_a_missing_program_is_named_as_the_package_that_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in (
        "gpg",
        "gpg-agent",
        "setsid",
        "nsenter",
        "ssh",
        "ssh-keygen",
        "ip",
        "tar",
        "conmon",
        "iptables",
        "netavark",
        "runc",
    ):
        (tmp_path / program).write_text("")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setattr(host, "_path", lambda: str(tmp_path))
    monkeypatch.setitem(host.NEEDED, str(sources.KEYRING), "debian-archive-keyring")
    assert host.missing_packages() == ["mmdebstrap", "podman"]
    monkeypatch.setattr(host, "can_run_containers", host.can_run_containers.__wrapped__)
    with pytest.raises(CannotRunError, match=r"apt-get install -y --no-install-recommends mmdebstrap podman$"):
        host.require_containers()


def test_the_set_up_installs_everything_the_lab_looks_for() -> None:
    lines = (Path(host.__file__).parent / "packages.txt").read_text().splitlines()
    installed = {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}
    essential = {"tar", "util-linux"}
    assert {*host.NEEDED.values()} - essential <= installed


@pytest.mark.parametrize("package", packages.catalogue(), ids=lambda package: package.file_name)
def test_dpkg_reads_every_package_as_it_was_meant(package: packages.Package, tmp_path: Path) -> None:
    path = tmp_path / package.file_name
    path.write_bytes(packages.build_package(package))
    shown = subprocess.run(
        ["dpkg-deb", "--showformat=${Package} ${Version}", "--show", path], capture_output=True, text=True, check=True
    ).stdout
    assert shown == f"{package.name} {package.version}"
    subprocess.run(["dpkg-deb", "--raw-extract", path, tmp_path / "x"], check=True)
    assert (tmp_path / f"x/usr/share/{package.name}/version").read_text() == f"{package.version}\n"
    assert packages.build_package(package) == path.read_bytes()


def test_only_a_whole_magic_packet_names_a_card() -> None:
    mac = "02:de:5c:00:07:15"
    packet = wake.magic_packet(mac)
    assert wake.target(packet) == mac
    assert wake.target(b"\x00\x01" + packet + b"password") == mac
    assert wake.target(packet[:-1]) is None
    assert wake.target(packet[:-6] + b"\x02\xde\x5c\x00\x07\x16") is None
    assert wake.target(b"") is None


@pytest.mark.parametrize("name", ["", "Office", "../x", "a" * 32, "1st", "a/b"])
def test_a_lab_name_that_could_be_a_path_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="lab name"):
        open_state(name, tmp_path)


def test_the_office_is_the_one_of_the_contract() -> None:
    found = office.devices()
    workstations = [device for device in found.values() if "workstations" in device.groups]
    assert len(workstations) == 6
    assert sorted(len(device.users) for device in workstations) == [0, 1, 1, 1, 1, 2]
    assert [device.name for device in workstations if device.asleep] == ["ws-alan", "ws-asima"]
    assert len([device for device in found.values() if device.login == "tech" and device.sudo_password]) >= 2
    assert len({device.mac for device in found.values()}) == len({device.number for device in found.values()}) == len(found) == 10
    owners = {user for device in found.values() for user in device.users}
    assert owners <= set(office.people())
    assert {*owners, "leads"} <= set(boxes())


def test_plain_ansible_reads_the_office_without_a_warning_and_as_recorded() -> None:
    """To record it anew after a change of hosts.yml: the command below, its output into inventory.json."""
    path = example_office()
    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(path), "--list"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**clean, "ANSIBLE_CONFIG": str(path / "ansible.cfg")}, timeout=60
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == json.loads(GOLDEN.read_text())
