"""The probe must never miss a device that needs a run: module and probe compute one key, and everything that matters changes it."""

from __future__ import annotations

import pytest

from .conftest import NAME, ROOT, Device

pytestmark = pytest.mark.lab

PROBE = ROOT / "orchestrator/adapters/prober/probe.sh"
OURS = (
    "import sys; sys.path.insert(0, '/tmp/deskside-code'); from p import _os_update_cache as c, _os_update_apt as a, _os_update_model as m; "
    "from p._os_update_host import Host; h = Host(); print(c.key(h, a.Apt(h, m.Options()).cache_files()))"
)
PIN = "printf 'Package: lab-*\\nPin: release o=Lab\\nPin-Priority: -{}\\n' > /etc/apt/preferences.d/x"
STEPS = {
    "unhold": "apt-mark unhold lab-held",
    "hold": "apt-mark hold lab-held",
    "install": "apt-get install -q -y lab-plain=2.0",
    "pin": PIN.format(1),
    "an edit of the same size in the same second": PIN.format(2),
    "pin removed": "rm /etc/apt/preferences.d/x",
    "apt.conf": "echo 'APT::Default-Release \"lab\";' > /etc/apt/apt.conf.d/99-test",
    "apt.conf removed": "rm /etc/apt/apt.conf.d/99-test",
    "source removed": "mkdir -p /root/away; mv /etc/apt/sources.list.d/* /root/away/",
    "source back": "mv /root/away/* /etc/apt/sources.list.d/",
    "automatic mark": "apt-mark auto lab-plain",
    "dpkg interrupted": "cd /tmp && apt-get download -q lab-harmless=2.0 && dpkg --unpack ./lab-harmless_2.0_all.deb",
}


def probe(device: Device) -> dict[str, str]:
    done = device.lab.exec(NAME, ["sh"], stdin=b"SLUG=\n" + PROBE.read_bytes())
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def ours(device: Device) -> str:
    return device.sh(f'python3 -I -c "{OURS}"')


@pytest.fixture(scope="module")
def planted(device: Device) -> Device:
    device.plant({"lab-harmless": "2.0", "lab-plain": "2.0", "lab-held": "2.0"})
    device.ship()
    return device


def test_nothing_done_is_the_same_key(planted):
    assert probe(planted)["key"] == probe(planted)["key"] == ours(planted)


@pytest.mark.parametrize("step", STEPS)
def test_everything_that_decides_what_is_pending_changes_the_key_on_both_sides(planted, step):
    before = probe(planted)["key"]
    planted.sh(STEPS[step])
    after = probe(planted)
    assert after["key"] != before
    assert after["key"] == ours(planted)
    if step == "dpkg interrupted":
        assert after["dpkg"] != "0"


def test_new_lists_change_the_key(planted):
    planted.sh("apt-mark unhold lab-held; apt-get install -q -y --allow-downgrades lab-harmless=1.0; apt-mark hold lab-held")
    before = probe(planted)["key"]
    planted.lab.repo.publish({"lab-plain": "2.0", "lab-kernel": "2.0"}, devices=[NAME])
    planted.sh("apt-get update -q")
    assert probe(planted)["key"] != before
    assert probe(planted)["key"] == ours(planted)


def test_after_a_run_the_probe_believes_the_stored_scan_and_after_a_change_it_does_not(planted):
    planted.plant({"lab-harmless": "2.0"})
    assert probe(planted)["scan"] == "needed"
    assert planted.call()["deskside"]["state"] == "done"
    assert probe(planted)["scan"] == "cached"
    planted.sh("apt-mark unhold lab-held")
    assert probe(planted)["scan"] == "needed"
