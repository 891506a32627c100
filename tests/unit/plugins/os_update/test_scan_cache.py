"""The stored scan and its key: the same text as the probe's programs print, and never believed when anything is odd."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_apt as apt
from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_cache as cache
from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_model as model
from ansible_collections.deskside.workplace.plugins.module_utils._os_update_host import Host

ROWS = [model.Pending("a", "1", "2", "security"), model.Pending("b", "1", "2", "other", held=True)]


@pytest.mark.parametrize("data", [b"", b"a", b"hello\n", bytes(range(256)) * 37])
def test_cksum_is_what_the_program_prints(data):
    printed = subprocess.run(["cksum"], input=data, capture_output=True, check=True).stdout.decode().strip()
    assert cache.cksum(data) == printed


def test_the_listing_is_what_stat_prints(tmp_path):
    files = []
    for number, name in enumerate(["plain", "with space", "umlaut-ä", "old"]):
        path = tmp_path / name
        path.write_text("x" * number)
        files.append(str(path))
    os.utime(tmp_path / "old", ns=(5, 7))
    (tmp_path / "link").symlink_to("plain")
    files += [str(tmp_path / "link"), str(tmp_path / "absent")]
    printed = subprocess.run(["stat", "-L", "-c", "%n %i %s %.9Y %.9Z", *files], capture_output=True, check=False).stdout
    assert cache.listing(Host(), files) == printed
    assert printed.count(b"\n") == 5


def test_the_files_are_the_contracts_in_its_order(tmp_path):
    device = Host(str(tmp_path))
    for name in (
        "var/lib/dpkg/status", "etc/apt/sources.list.d/b.list", "etc/apt/sources.list.d/B.list", "etc/apt/sources.list.d/.hidden",
        "etc/apt/preferences.d/p", "etc/apt/apt.conf.d/01x", "var/lib/apt/lists/a_InRelease", "var/lib/apt/lists/lock", "var/lib/apt/extended_states",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    contract = Path(__file__).parents[4].joinpath("docs/explanation/contracts.md").read_text()
    patterns = contract.split("%.9Z' ", 1)[1].split(" 2>/dev/null", 1)[0].replace("\\\n", " ")
    script = f'cd {tmp_path}; for f in {patterns.replace(" /", " ").lstrip("/")}; do [ -e "$f" ] && echo "/$f"; done'
    listed = subprocess.run(
        ["sh", "-c", script], env={"LC_ALL": "C", "PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    ours = [path for path in apt.Apt(device, model.Options()).cache_files() if device.exists(path)]
    assert ours == listed.stdout.split()
    assert len(ours) == 7


def test_a_change_of_the_same_size_in_the_same_second_changes_the_key(tmp_path):
    path = tmp_path / "pin"
    path.write_text("Priority: 1\n")
    before = cache.key(Host(), [str(path)])
    path.write_text("Priority: 2\n")
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    assert cache.key(Host(), [str(path)]) != before


def test_a_scan_is_believed_only_at_its_key(tmp_path):
    device = Host(str(tmp_path))
    cache.store(device, "key 1", ROWS)
    assert cache.stored(device, "key 1") == ROWS
    assert cache.stored(device, "key 2") is None
    cache.forget(device)
    assert cache.stored(device, "key 1") is None
    cache.forget(device)


def test_an_empty_scan_is_an_answer_too(tmp_path):
    device = Host(str(tmp_path))
    cache.store(device, "k", [])
    assert cache.stored(device, "k") == []


@pytest.mark.parametrize("damage", ["scan gone", "scan cut", "key writable", "key foreign link"])
def test_anything_odd_means_that_it_is_not_believed(tmp_path, damage):
    device = Host(str(tmp_path))
    cache.store(device, "k", ROWS)
    scan, key = Path(device.path(cache.SCAN)), Path(device.path(cache.KEY))
    if damage == "scan gone":
        scan.unlink()
    elif damage == "scan cut":
        scan.write_text(scan.read_text()[:-8])
    elif damage == "key writable":
        key.chmod(0o666)
    else:
        key.rename(tmp_path / "elsewhere")
        key.symlink_to(tmp_path / "elsewhere")
    assert cache.stored(device, "k") is None


def test_the_key_is_gone_while_a_new_scan_is_written(tmp_path, monkeypatch):
    device = Host(str(tmp_path))
    cache.store(device, "k", ROWS)
    seen = []
    real = cache._guard.write_atomically

    def watch(path, text, mode):
        seen.append((Path(path).name, Path(device.path(cache.KEY)).exists()))
        real(path, text, mode)

    monkeypatch.setattr(cache._guard, "write_atomically", watch)
    cache.store(device, "k2", [])
    assert seen == [("os_update.scan", False), ("os_update.key", False)]
