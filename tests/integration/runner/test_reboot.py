"""A restart that is real: the container's PID 1 starts again, once, and only when it may."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from orchestrator.adapters.prober.prober import SshProber
from orchestrator.adapters.runner.runner import AnsibleRunner
from orchestrator.application.ports import HostResult, Job
from tests.integration.runner.conftest import PREFIX

pytestmark = [pytest.mark.lab, pytest.mark.timeout(150)]

PLAYBOOK = """
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - deskside.workplace.reboot_in_window:
        required: "{{ needed | default(true) }}"
"""
META = "argument_specs: {restart: {short_description: x, deskside: {guard: inside}}}\n"


def restarts(name: str) -> int:
    done = subprocess.run(
        ["podman", "inspect", f"{PREFIX}{name}", "--format", "{{.RestartCount}}"], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def restart(fleet, name="d1", *, guard=None, check=False, **variables) -> HostResult:
    playbook = fleet.playbook("restart.yml", PLAYBOOK)
    (fleet.office / "restart.meta.yml").write_text(META)
    given = {
        "deskside_reboot": "if_needed",
        "deskside_no_reboot_after": time.time() + 600,
        "deskside_reboot_warning": 2,
        **variables,
    }
    given = {key: value for key, value in given.items() if value is not None}
    job = Job(
        id=f"restart/{time.time_ns()}", playbook=playbook, hosts=(name,), variables=given, guard=guard, check=check, timeout=120
    )
    result = AnsibleRunner(fleet.office, fleet.state, ["hosts.yml"]).run(job, on_event=lambda _: None, cancelled=lambda: False)
    assert result.complete
    return result.hosts[name]


@pytest.mark.parametrize("name", ["d1", "d2"])
def test_a_restart_that_is_needed_happens_once_for_one_occurrence(fleet, name):
    guard = {"occurrence": f"night/{time.time_ns()}", "step": "1-restart", "fence": 1}
    before = restarts(name)
    first = restart(fleet, name, guard=guard)
    assert first.ok, first.reason
    assert first.changed
    assert first.data["rebooted"]["before"] != first.data["rebooted"]["after"]
    assert first.data["reboot_required"] is False
    assert restarts(name) == before + 1
    again = restart(fleet, name, guard={**guard, "fence": 2})
    assert (again.ok, again.changed) == (True, False)
    assert again.data["rebooted"] == first.data["rebooted"], "the later run tells what the earlier one did"
    assert restarts(name) == before + 1


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"deskside_reboot": None}, "a restart is needed; the window says reboot: never"),
        ({"deskside_reboot": "never"}, "a restart is needed; the window says reboot: never"),
        ({"deskside_no_reboot_after": None}, "nobody said until when it may be restarted (deskside_no_reboot_after)"),
        ({"deskside_no_reboot_after": 3600.0}, "too late: no restart may begin after 1970-01-01 01:00 UTC"),
    ],
    ids=["unset", "never", "no limit", "too late"],
)
def test_a_restart_stays_due_with_its_reason_when_it_may_not_happen(fleet, variables, reason):
    before = restarts("d1")
    result = restart(fleet, **variables)
    assert (result.ok, result.changed) == (True, False)
    assert (result.data["reboot_required"], result.data["reason"]) == (True, reason)
    assert restarts("d1") == before


def test_nothing_is_restarted_when_nothing_asks_for_it(fleet):
    before = restarts("d1")
    result = restart(fleet, needed=False)
    assert result.data == {"reboot_required": False}
    assert restarts("d1") == before


def test_the_devices_own_mark_counts_when_no_role_asked(fleet):
    fleet.on("d1", "echo linux-image-test > /run/reboot-required.pkgs; touch /run/reboot-required")
    result = restart(fleet, needed=False, deskside_reboot="never")
    fleet.on("d1", "rm -f /run/reboot-required*")
    assert result.data["reboot_reasons"] == ["linux-image-test"]


def test_check_mode_says_what_would_happen_and_does_not(fleet):
    before = restarts("d1")
    result = restart(fleet, check=True)
    assert result.changed
    assert restarts("d1") == before


@pytest.fixture
def ada(fleet):
    """A person really logged in: an ssh session with a terminal."""
    session = subprocess.Popen(
        fleet.ssh("ada", "d1", "-tt"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 20
    while "ada" not in fleet.on("d1", "who") and time.monotonic() < deadline:
        time.sleep(0.2)
    yield session
    session.kill()
    session.communicate()


def test_a_device_in_use_is_not_restarted_and_says_who_uses_it(fleet, ada):
    before = restarts("d1")
    people = SshProber(fleet.office, ["hosts.yml"]).probe(["d1"])["d1"].facts["people"]
    assert [person["name"] for person in people] == ["ada"], "the probe tells it as well"
    result = restart(fleet)
    assert (result.ok, result.data["reboot_required"]) == (True, True)
    assert result.data["reason"].startswith("ada is logged in (pts/")
    assert restarts("d1") == before
    ada.kill()
    assert b"IT maintenance: this computer has to restart" in ada.communicate()[0]


def test_a_device_in_use_is_restarted_after_the_warning_when_the_office_says_so(fleet, ada):
    before = restarts("d1")
    result = restart(fleet, deskside_reboot_people="warn")
    assert result.changed, result
    assert restarts("d1") == before + 1


def test_a_program_that_blocks_a_shutdown_is_respected(fleet):
    fleet.on(
        "d1", "systemd-run --unit=blocker systemd-inhibit --what=shutdown --who=backup --why='copying the last file' sleep 300"
    )
    time.sleep(1)
    before = restarts("d1")
    try:
        result = restart(fleet)
    finally:
        fleet.on("d1", "systemctl stop blocker")
    assert result.data["reason"] == "a program holds back a restart: backup: copying the last file"
    assert restarts("d1") == before


def test_a_service_that_does_not_come_back_makes_the_restart_a_failure(fleet):
    unit = "[Service]\\nType=oneshot\\nExecStart=/bin/false\\n[Install]\\nWantedBy=multi-user.target\\n"
    fleet.on("d1", f"printf '{unit}' > /etc/systemd/system/flaky.service; systemctl enable flaky")
    try:
        result = restart(fleet)
    finally:
        fleet.on(
            "d1", "systemctl disable flaky; systemctl reset-failed; rm /etc/systemd/system/flaky.service; systemctl daemon-reload"
        )
    assert not result.ok
    assert result.reason == "it restarted, but is degraded: flaky.service"
    assert result.data["rebooted"]


WORKER = """
import sys, time
from pathlib import Path
from orchestrator.adapters.runner.runner import AnsibleRunner
from orchestrator.application.ports import Job
office, state, playbook, occurrence = sys.argv[1:]
AnsibleRunner(Path(office), Path(state), ["hosts.yml"]).run(
    Job(id="killed-reboot", playbook=playbook, hosts=("d1",), guard={"occurrence": occurrence, "step": "1-restart", "fence": 1},
        variables={"deskside_reboot": "if_needed", "deskside_no_reboot_after": time.time() + 600}),
    on_event=lambda e: None, cancelled=lambda: False)
"""


def test_a_worker_killed_while_it_waits_for_the_restart_leads_to_no_second_one(fleet):
    playbook = fleet.playbook("restart.yml", PLAYBOOK)
    (fleet.office / "restart.meta.yml").write_text(META)
    occurrence = f"night/{time.time_ns()}"
    before = restarts("d1")
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(fleet.office), str(fleet.state), playbook, occurrence])
    record = f"/var/lib/deskside/guard/{occurrence.replace('/', '_')}.1-restart.json"
    deadline = time.monotonic() + 40
    while '"before"' not in fleet.on("d1", f"cat {record} 2>/dev/null || true", check=False) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    time.sleep(8)
    result = restart(fleet, guard={"occurrence": occurrence, "step": "1-restart", "fence": 2})
    assert result.ok, result.reason
    assert result.data["rebooted"]["before"] != result.data["rebooted"]["after"]
    assert restarts("d1") == before + 1
