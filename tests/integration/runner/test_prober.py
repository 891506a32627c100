"""The prober against real devices. Above all: it never says "leave it alone" of a device that needs a run."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import subprocess
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from deskside_lab.host import podman

from orchestrator.adapters.prober.connections import ConnectionBook
from orchestrator.adapters.prober.prober import SshProber
from orchestrator.adapters.prober.session import run
from orchestrator.domain.window import HealthProbe
from tests.integration.runner.conftest import PREFIX

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]
STATE = "/var/lib/deskside"


@pytest.fixture(scope="module")
def prober(fleet) -> SshProber:
    return SshProber(fleet.office, ["hosts.yml"])


@pytest.fixture
def quiet(fleet, prober):
    """d1 as ``os_update`` leaves a device that has nothing to do."""
    fleet.on(
        "d1",
        f"rm -rf {STATE}; mkdir -p -m 700 {STATE}/guard; rm -f /run/reboot-required; : > {STATE}/os_update.scan; touch {STATE}/os_update.refreshed",
    )
    key = prober.probe(["d1"])["d1"].facts["key"]
    fleet.on("d1", f"echo '{key}' > {STATE}/os_update.key")
    yield fleet
    fleet.on("d1", f"rm -rf {STATE} /run/reboot-required")


def test_a_device_with_nothing_to_do_can_be_left_alone(quiet, prober):
    answer = prober.probe(["d1"])["d1"]
    assert (answer.reachable, answer.needs_run, answer.pending) == (True, False, ()), answer.facts["why_run"]
    assert (answer.facts["become"], answer.facts["path"]) == ("root", "asyncssh")
    assert answer.facts["python"]
    assert abs(answer.facts["clock"] - time.time()) < 5
    assert answer.facts["free_mb"]["/"] > 0
    assert answer.facts["people"] == [], "our own connection is nobody"


MISSED = {
    "a package on hold changes the key": ("apt-mark hold bash", "apt-mark unhold bash", "what is pending is not known"),
    "new package lists": ("echo > /var/lib/apt/lists/x_y", "rm /var/lib/apt/lists/x_y", "what is pending is not known"),
    "apt is configured": ("echo '# x' > /etc/apt/apt.conf.d/99x", "rm /etc/apt/apt.conf.d/99x", "what is pending is not known"),
    "a pin": ("echo > /etc/apt/preferences.d/x", "rm /etc/apt/preferences.d/x", "what is pending is not known"),
    "a source is edited in the same second, same size": (
        "sed -i s/main/mian/ /etc/apt/sources.list",
        "sed -i s/mian/main/ /etc/apt/sources.list",
        "its package sources changed",
    ),
    "a pending update": (f"echo 'pending=a 1 2 security 0' > {STATE}/os_update.scan", "true", "updates are pending"),
    "a pending update that is no security fix": (
        f"echo 'pending=a 1 2 other 0' > {STATE}/os_update.scan",
        "true",
        "updates are pending",
    ),
    "a stored scan cut short": (f"echo 'pending=a 1' > {STATE}/os_update.scan", "true", "what is pending is not known"),
    "a stored scan with a stranger's line": (f"echo 'hello' > {STATE}/os_update.scan", "true", "unexpected line 'hello'"),
    "no stored scan": (f"rm {STATE}/os_update.scan", "true", "what is pending is not known"),
    "old lists": (f"touch -d '2 hours ago' {STATE}/os_update.refreshed", "true", "its package lists are old"),
    "lists from the future": (f"touch -d '2 hours' {STATE}/os_update.refreshed", "true", "its package lists are old"),
    "lists never refreshed": (f"rm {STATE}/os_update.refreshed", "true", "its package lists were never refreshed by us"),
    "a source newer than the lists": (
        "touch /etc/apt/sources.list.d/x.list",
        "rm /etc/apt/sources.list.d/x.list",
        "its package sources changed",
    ),
    "a restart is due": ("touch /run/reboot-required", "rm /run/reboot-required", "a restart is due"),
    "dpkg was interrupted": ("touch /var/lib/dpkg/updates/0001", "rm /var/lib/dpkg/updates/0001", "packages are half installed"),
}


@pytest.mark.parametrize(("plant", "undo", "why"), MISSED.values(), ids=MISSED)
def test_a_device_that_needs_a_run_is_never_missed(quiet, prober, plant, undo, why):
    assert not prober.probe(["d1"])["d1"].needs_run
    quiet.on("d1", plant)
    try:
        answer = prober.probe(["d1"])["d1"]
    finally:
        quiet.on("d1", undo)
    assert answer.needs_run
    assert why in answer.facts["why_run"]


def test_a_half_configured_package_is_never_missed(quiet, prober):
    status = "/var/lib/dpkg/status"
    quiet.on(
        "d1",
        f"cp -p {status} /root/status; sed -i '0,/^Status: install ok installed/s//Status: install ok half-configured/' {status}",
    )
    try:
        answer = prober.probe(["d1"])["d1"]
    finally:
        quiet.on("d1", f"cp -p /root/status {status}")
    assert answer.needs_run
    assert answer.facts["dpkg"] == "1"


def test_a_held_lock_of_dpkg_is_never_missed(quiet, prober):
    code = "import fcntl,time; f=open('/var/lib/dpkg/lock-frontend','w'); fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(30)"
    quiet.on("d1", f'systemd-run --unit=locker python3 -c "{code}"')
    try:
        time.sleep(1)
        answer = prober.probe(["d1"])["d1"]
    finally:
        quiet.on("d1", "systemctl stop locker")
    assert answer.needs_run
    assert answer.facts["locked"]


def test_the_guard_records_of_the_asked_occurrence_are_told_and_an_unfinished_one_is_work(quiet, prober):
    for name, occurrence, step, state in (
        ("night_1.1-a", "night/1", "1-a", "done"),
        ("night_1.2-b", "night/1", "2-b", "applying"),
        ("night_10.1-a", "night/10", "1-a", "claimed"),
    ):
        record = base64.b64encode(json.dumps({"occurrence": occurrence, "step": step, "state": state}).encode()).decode()
        quiet.on("d1", f"echo {record} | base64 -d > {STATE}/guard/{name}.json")
    answer = prober.probe(["d1"], occurrence="night/1")["d1"]
    assert {step: record["state"] for step, record in answer.guard.items()} == {"1-a": "done", "2-b": "applying"}
    assert "work of this occurrence is not finished" in answer.facts["why_run"]
    assert prober.probe(["d1"])["d1"].guard is None
    quiet.on("d1", f"echo broken > {STATE}/guard/night_1.2-b.json")
    assert "a guard record cannot be read" in prober.probe(["d1"], occurrence="night/1")["d1"].facts["why_run"]


def test_a_transient_unit_of_ours_is_seen_and_stopped(quiet, prober):
    quiet.on("d1", "systemd-run --unit=deskside-night_1.1-a sleep 300; systemd-run --unit=deskside-night_2.1-a sleep 300")
    try:
        assert prober.probe(["d1"], occurrence="night/1")["d1"].unit_active
        assert prober.stop_unit("d1", "night/1")
        assert quiet.on("d1", "systemctl is-active deskside-night_1.1-a || true") == "inactive"
        assert quiet.on("d1", "systemctl is-active deskside-night_2.1-a") == "active", "another occurrence's work goes on"
    finally:
        quiet.on("d1", "systemctl stop 'deskside-night_*'")
    assert not prober.probe(["d1"])["d1"].unit_active


def test_a_unit_that_cannot_be_asked_about_is_not_called_stopped(prober):
    assert not prober.stop_unit("gone", "night/1", timeout=3)


def test_an_unprivileged_login_becomes_root_with_the_sudo_password_from_the_vault(fleet, prober):
    answer = prober.probe(["d2"])["d2"]
    assert (answer.reachable, answer.facts["become"]) == (True, "root")


def test_a_wrong_sudo_password_is_said_and_the_device_needs_a_run(fleet, prober):
    fleet.on("d2", "echo 'tech:another' | chpasswd")
    try:
        answer = prober.probe(["d2"])["d2"]
    finally:
        fleet.on("d2", "echo 'tech:correct horse' | chpasswd")
    assert (answer.reachable, answer.needs_run) == (True, True)
    assert "incorrect password" in answer.facts["become"] or "password is required" in answer.facts["become"]


def test_a_host_key_that_is_not_known_or_has_changed_is_no_answer(fleet, prober, tmp_path):
    answer = prober.probe(["stranger", "d1"])
    assert not answer["stranger"].reachable
    assert "Host key" in answer["stranger"].error
    assert answer["d1"].reachable
    key = subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "k")], check=False)
    assert key.returncode == 0
    wrong = " ".join((tmp_path / "k.pub").read_text().split()[:2])
    (fleet.office / "nobody").write_text(f"{fleet.address('d1')} {wrong}\n")
    try:
        changed = prober.probe(["stranger"])["stranger"]
    finally:
        (fleet.office / "nobody").unlink()
    assert not changed.reachable
    assert "Host key" in changed.error


def test_a_device_that_does_not_answer_is_unreachable_in_time_and_keeps_nobody_waiting(prober):
    started = time.monotonic()
    answer = prober.probe(["gone", "d1", "nowhere"], timeout=4.0)
    assert time.monotonic() - started < 20
    assert set(answer) == {"gone", "d1", "nowhere"}
    assert answer["d1"].reachable
    assert not answer["gone"].reachable
    assert answer["gone"].error in {"No route to host", "no answer within 4 s"}
    assert answer["nowhere"].error == "not in the inventory"


def test_a_frozen_device_is_given_up_after_the_timeout(fleet, prober):
    subprocess.run(podman("pause", f"{PREFIX}d1"), check=True, capture_output=True)
    try:
        answer = prober.probe(["d1"], timeout=3.0)["d1"]
    finally:
        subprocess.run(podman("unpause", f"{PREFIX}d1"), check=True, capture_output=True)
    assert (answer.reachable, answer.error) == (False, "no answer within 3 s")


def test_a_jump_host_is_honoured_through_the_ssh_program(fleet):
    text = (fleet.office / "hosts.yml").read_text()
    jump = f"-o ProxyCommand='ssh -i {fleet.office}/key -o UserKnownHostsFile={fleet.office}/known_hosts -W %h:%p root@{fleet.address('d2')}'"
    (fleet.office / "jump.yml").write_text(
        text.replace(
            "    d1: {ansible",
            f'    d1:\n      ansible_ssh_extra_args: "{jump}"\n      ansible_host: {fleet.address("d1")}\n    unused: {{ansible',
        )
    )
    answer = SshProber(fleet.office, ["jump.yml"]).probe(["d1"])["d1"]
    assert (answer.reachable, answer.facts["path"]) == (True, "openssh (proxycommand)"), answer


def test_no_password_shows_where_a_connection_is_printed(fleet):
    shown = repr(ConnectionBook(fleet.office, ["hosts.yml"]).connection_facts(["d2"]))
    assert "tech" in shown
    assert "correct horse" not in shown


def test_the_probe_writes_nothing_on_the_device(quiet, prober):
    listing = (
        "find / -xdev -newer /root/mark -type f ! -path '/proc/*' ! -path '/sys/*' ! -path '/var/log/*' ! -path '/run/*' | sort"
    )
    quiet.on("d1", "touch /root/mark; sleep 0.1")
    prober.probe(["d1"], occurrence="night/1")
    assert quiet.on("d1", listing) == ""


def test_health_is_asked_from_the_controller_and_on_devices(fleet, prober):
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(self.path[1:]))
            self.end_headers()

        def log_message(self, *_args) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]

    def ask(kind, target, hosts=("d1",), seconds=5.0):
        return prober.health(HealthProbe(kind=kind, target=target, timeout=timedelta(seconds=seconds)), hosts)

    try:
        assert ask("http", f"http://127.0.0.1:{port}/204") == {"controller": ""}
        assert ask("http", f"http://127.0.0.1:{port}/503") == {"controller": f"http://127.0.0.1:{port}/503 answers 503"}
        assert ask("tcp", f"127.0.0.1:{port}") == {"controller": ""}
    finally:
        server.shutdown()
        server.server_close()
    assert ask("tcp", f"127.0.0.1:{port}") == {"controller": f"127.0.0.1:{port}: Connection refused"}
    assert ask("command", "systemctl is-active --quiet ssh", ("d1", "d2")) == {"d1": "", "d2": ""}
    assert ask("command", "echo broken >&2; exit 3") == {"d1": "exit code 3: broken"}
    assert ask("command", "sleep 20", seconds=2.0) == {"d1": "no answer within 2 s"}


def test_a_magic_packet_really_crosses_the_wakers_network(fleet, prober):
    interface = subprocess.run(["ip", "-4", "-o", "address"], capture_output=True, text=True, check=True).stdout
    assert fleet.address("d1").rpartition(".")[0] in interface, "the controller stands in the same network and can listen"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((fleet.address("d1").rpartition(".")[0] + ".255", 9))
        listener.settimeout(10)
        told = prober.wake("d1", {"ws-1": "02:00:5e:10:00:01", "ws-2": "banana"})
        packet, sender = listener.recvfrom(1024)
    assert told == {"ws-1": "", "ws-2": '"banana" is no hardware address'}
    assert packet == b"\xff" * 6 + bytes.fromhex("02005e100001") * 16
    assert sender[0] == fleet.address("d1")
    assert prober.wake("gone", {"ws-1": "02:00:5e:10:00:01"})["ws-1"].startswith("gone: ")


def test_perl_sends_the_same_packet_where_the_waker_has_no_python(fleet):
    from orchestrator.adapters.prober import wake

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((fleet.address("d1").rpartition(".")[0] + ".255", 9))
        listener.settimeout(10)
        way = ConnectionBook(fleet.office, ["hosts.yml"]).connection_facts(["d1"])["d1"]
        script = wake.script(["02005e100002"]).replace("command -v python3", "false")
        done = asyncio.run(run(way, script, root=False, seconds=20))
        assert done.code == 0, done.err
        assert listener.recvfrom(1024)[0] == b"\xff" * 6 + bytes.fromhex("02005e100002") * 16


def test_many_devices_are_asked_at_once(fleet, prober):
    cpu = os.times()
    prober.probe(["d1", "d2"])
    started = time.monotonic()
    for _ in range(5):
        prober.probe(["d1", "d2"])
    spent = os.times()
    per_device = (spent.user + spent.system - cpu.user - cpu.system) / 12
    assert time.monotonic() - started < 30
    assert per_device < 0.25, f"{per_device:.3f} CPU seconds of the controller per device"
