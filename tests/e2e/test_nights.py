"""Whole nights on the practice office: real devices, real mail, real faults, the real command line."""

from __future__ import annotations

import itertools
import random
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deskside_lab import Lab

from tests.e2e.evidence import changed_packages, closings, device_time, invitations
from tests.e2e.practice import Practice, window

pytestmark = pytest.mark.lab

SERVICE_PROBE = {"command": "systemctl is-active --quiet labsvc"}
OFFER = {"lab-harmless": "2.0", "lab-kernel": "2.0"}


def test_every_fault_ends_in_the_right_outcome_and_the_others_are_finished(practice: Practice, lab: Lab) -> None:
    lab.repo.publish({"lab-harmless": "2.0"})
    lab.repo.publish(OFFER, devices=["ws-ada", "ws-grace"])
    lab.sleep()
    practice.write({"faults": window(
        rings=[
            {"name": "canary", "devices": "ws-ada", "gate": {"ok": "100%", "soak": "2s"}},
            {"name": "broad", "rest": True, "gate": {"ok": "1%"}},
            {"name": "last", "devices": "critical", "gate": {"ok": "100%", "probes": [SERVICE_PROBE]}},
        ],
        work=[{"playbook": "apply_os_updates", "vars": {"os_update_classes": ["security"], "os_update_lock_wait": 3}, "reboot": "if_needed"}],
    )})  # fmt: skip
    running = [name for name, state in lab.states().items() if state == "running"]
    since = {name: device_time(lab, name) for name in running}
    starts = lab.pid1_starts("ws-ada")
    with (
        lab.fault("dpkg-locked", "ws-pool"),
        lab.fault("full-disk", "ws-kiosk"),
        lab.fault("bad-postinst", "fs-1"),
        lab.fault("half-configured", "fs-2", package="lab-service"),
        lab.fault("logged-in", "ws-grace"),
        lab.fault("bad-service", "db-1"),
    ):
        since["fs-2"] = device_time(lab, "fs-2")
        report = practice.run("faults")
        logs = {name: lab.dpkg_log(name) for name in [*running, "ws-alan"]}  # before the faults are put right again
    outcomes = practice.outcomes(report)
    reasons = {row["device"]: row["reason"] for row in report["devices"]}
    assert outcomes == {
        "ws-ada": "changed", "ws-grace": "reboot-pending", "ws-pool": "failed", "ws-kiosk": "failed", "ws-alan": "changed",
        "ws-asima": "absent", "fs-1": "failed", "fs-2": "changed", "db-1": "failed", "mail": "changed",
    }, reasons  # fmt: skip
    assert "lock" in reasons["ws-pool"]
    assert "free" in reasons["ws-kiosk"]
    assert "lab-badpost: database is locked" in reasons["fs-1"] + " ".join(
        next(r for r in report["failures"] if r["device"] == "fs-1")["lines"]
    )
    assert "logged in" in reasons["ws-grace"]
    assert "labsvc" in reasons["db-1"]
    assert lab.pid1_starts("ws-ada") == starts + 1
    assert lab.witness("ws-ada") == lab.witness("ws-ada")[:1] != []
    assert any("ws-alan" in line for line in lab.wake_log())
    _report_equals_dpkg_log(report, logs, since)
    _everybody_was_told_once(lab, report)


def _report_equals_dpkg_log(report: dict[str, object], logs: dict[str, str], since: dict[str, str]) -> None:
    told = {(c["device"], c["package"], c["from"], c["to"]) for c in report["changes"]}  # type: ignore[attr-defined, index]
    first = min(since.values())
    assert told == {(name, *change) for name, log in logs.items() for change in changed_packages(log, since.get(name, first))}


def _everybody_was_told_once(lab: Lab, report: dict[str, object]) -> None:
    affected = {person["person"] for person in report["people"]}  # type: ignore[attr-defined, index]
    assert affected
    for box, messages in lab.mail.all().items():
        events = invitations(messages)
        if box in affected:
            assert len(events) == 1, box
            assert str(events[0]["ATTENDEE"]).lower() == f"mailto:{box}@example.org"
            assert len(closings(messages)) == 1, box
        else:
            assert not events, box
            assert not closings(messages), box
    assert [m for m in lab.mail.messages("leads") if "attachment" in str(m) or m.is_multipart()]


def test_a_device_lost_in_the_middle_of_the_canary_stops_the_night_and_leads_the_next_plan(practice: Practice, lab: Lab) -> None:
    lab.reset(["ws-pool", "ws-kiosk"])
    lab.repo.publish({"lab-harmless": "2.0"}, devices=["ws-pool", "ws-kiosk"])
    rings = [
        {"name": "canary", "devices": "ws-pool", "gate": {"ok": "100%", "soak": "1s"}},
        {"name": "broad", "rest": True, "gate": {"ok": "50%"}},
    ]
    practice.write({"lost": window(devices="ws-pool:ws-kiosk", rings=rings)})
    with lab.fault("lost", "ws-pool"):
        report = practice.run("lost")
    assert practice.outcomes(report) == {"ws-pool": "unknown", "ws-kiosk": "not-reached"}
    reasons = {row["device"]: row["reason"] for row in report["devices"]}
    assert "lost" in reasons["ws-pool"]
    assert "gate of ring canary was red" in reasons["ws-kiosk"]
    again = practice.call("run", "lost", "--emergency", "--reason", "the cable is back", "--json")
    assert again.returncode == 0, again.stdout + again.stderr
    outcomes = practice.outcomes(practice.report("last"))
    assert outcomes["ws-kiosk"] == "changed"
    assert outcomes["ws-pool"] in {"ok", "changed"}, "what the cut connection left undone is done now"
    assert len(lab.witness("ws-pool")) == 1


def test_a_window_too_short_for_all_starts_nobody_who_cannot_finish(practice: Practice, lab: Lab) -> None:
    """165 s are left; one device needs 60 s (p95) and 60 s for a restart. After the canary and its soak nobody fits any more."""
    now = datetime.now(UTC)
    opened = (now - timedelta(minutes=1)).replace(second=0, microsecond=0)
    lasts = f"{int((now - opened).total_seconds()) + 165}s"
    rings = [
        {"name": "canary", "devices": "ws-ada", "gate": {"ok": "100%", "soak": "45s"}},
        {"name": "rest", "rest": True, "gate": {"ok": "1%"}},
    ]
    devices = ["ws-ada", "ws-kiosk", "fs-1"]
    practice.write(
        {
            "short": window(
                devices=":".join(devices),
                lasts=lasts,
                cutoff="5s",
                rings=rings,
                starts={"rrule": "FREQ=DAILY;COUNT=1", "at": f"{opened:%H:%M}", "since": opened.date()},
            )
        }
    )
    lab.repo.publish({"lab-harmless": "2.0"}, devices=devices)
    for device in devices:
        lab.exec(device, ["rm", "-f", "/var/lib/deskside/os_update.key"])
    before = lab.dpkg_log("fs-1")
    report = practice.run("short")
    outcomes = practice.outcomes(report)
    assert outcomes["ws-ada"] in {"ok", "changed"}, outcomes
    assert outcomes["ws-kiosk"] == outcomes["fs-1"] == "not-reached", outcomes
    assert all("left" in row["reason"] for row in report["devices"] if row["outcome"] == "not-reached")
    assert lab.dpkg_log("fs-1") == before
    assert {device["device"] for device in report["not_reached"]} == {"ws-kiosk", "fs-1"}


def test_a_daemon_that_starts_after_the_window_closed_touches_nothing(practice: Practice, lab: Lab) -> None:
    opened = datetime.now(UTC) - timedelta(minutes=10)
    practice.write(
        {"gone": window(starts={"rrule": "FREQ=DAILY", "at": f"{opened:%H:%M}", "since": opened.date()}, lasts="5m", cutoff="1m")}
    )
    before = lab.journal("ws-ada", "--grep", "Invoked with") if _has_lines(lab) else ""
    with practice.daemon():
        time.sleep(8)
    assert (lab.journal("ws-ada", "--grep", "Invoked with") if _has_lines(lab) else "") == before
    refused = practice.call("run", "gone")
    assert refused.returncode == 14
    assert "opens next" in refused.stderr


def _has_lines(lab: Lab) -> bool:
    return "Invoked with" in lab.exec("ws-ada", ["journalctl", "--quiet", "--no-pager"]).stdout


HAND = """\
---
- name: By hand
  hosts: "{{ one }}"
  gather_facts: false
  become: true
  tasks:
    - name: Say that it begins
      ansible.builtin.command: logger -t maintenance begin
      changed_when: true
    - name: Work
      ansible.builtin.command: sleep 2
      changed_when: true
    - name: Say that it ends
      ansible.builtin.command: logger -t maintenance end
      changed_when: true
"""


def test_the_two_file_servers_are_never_in_maintenance_together_whoever_works_on_them(
    practice: Practice, lab: Lab, tmp_path: Path
) -> None:
    """A night on one of them, hand-started runs on both at seeded moments: spans in the devices' own journals never overlap."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    (tmp_path / "by_hand.yml").write_text(HAND)
    practice.write(
        {
            "pair": window(
                devices="file_servers",
                work=[{"playbook": str(tmp_path / "by_hand.yml"), "vars": {"one": "file_servers"}, "reboot": "never"}],
            )
        }
    )
    begun = {name: datetime.now(UTC) for name in ("fs-1", "fs-2")}
    results: list[subprocess.CompletedProcess[str]] = []

    def by_hand(moment: float, device: str, wait: str) -> None:
        time.sleep(moment)
        results.append(practice.call("run-playbook", "--wait", wait, str(tmp_path / "by_hand.yml"), "-e", f"one={device}"))

    moments = [(dice.uniform(0, 20), dice.choice(["fs-1", "fs-2"]), dice.choice(["0s", "90s", "90s"])) for _ in range(5)]
    hands = [threading.Thread(target=by_hand, args=moment) for moment in moments]
    for hand in hands:
        hand.start()
    report = practice.run("pair")
    for hand in hands:
        hand.join(timeout=300)
    assert set(practice.outcomes(report).values()) == {"changed"}
    for result in results:
        assert result.returncode in {0, 15}, result.stdout + result.stderr
        if result.returncode == 15:
            assert "in maintenance" in result.stderr or "is being" in result.stderr, result.stderr
    spans = [(a, b, name) for name in begun for a, b in _marked(lab.journal(name, "-t", "maintenance"), begun[name])]
    assert len(spans) >= 2
    ordered = sorted(spans)
    for (_, end, one), (start, _, other) in itertools.pairwise(ordered):
        assert end <= start, f"{one} until {end}, {other} from {start}: together (seed {seed})"


def _marked(journal: str, since: datetime) -> list[tuple[datetime, datetime]]:
    lines = [(datetime.fromisoformat(line.split()[0]), line.split()[-1]) for line in journal.splitlines() if line.strip()]
    lines = [(at if at.tzinfo else at.replace(tzinfo=UTC), word) for at, word in lines]
    begins = [at for at, word in lines if word == "begin" and at >= since]
    ends = [at for at, word in lines if word == "end" and at >= since]
    assert len(begins) == len(ends), journal
    return list(zip(begins, ends, strict=True))


def test_pause_holds_the_next_ring_and_cancel_ends_the_night(practice: Practice) -> None:
    rings = [
        {"name": "canary", "devices": "ws-ada", "gate": {"ok": "1%", "soak": "20s"}},
        {"name": "broad", "rest": True, "gate": {"ok": "1%"}},
    ]
    practice.write({"steered": window(devices="ws-ada:ws-kiosk", rings=rings)})
    with practice.daemon():
        practice.until(lambda: practice.call("pause", "steered", "--reason", "coffee").returncode == 0, seconds=90, what="running")
        practice.until(lambda: "paused" in practice.call("status", "steered").stdout, seconds=30, what="paused")
        done = practice.call("cancel", "steered", "--reason", "not tonight")
        assert done.returncode == 0, done.stderr
        practice.until(
            lambda: practice.json("status", "steered")["occurrence"]["state"] == "cancelled", seconds=90, what="cancelled"
        )
    report = practice.report("steered")
    assert practice.outcomes(report)["ws-kiosk"] == "not-reached"
    assert practice.call("cancel", "steered").returncode == 14


STRANGER = """\
[office]
desk1 ansible_host={one}
desk2 ansible_host={two}

[office:vars]
ansible_user=root
ansible_ssh_private_key_file={key}
ansible_ssh_common_args=-o UserKnownHostsFile={known}
"""


def test_a_strangers_inventory_reaches_its_first_patched_device_in_three_commands(lab: Lab, tmp_path: Path) -> None:
    lab.reset(["ws-ada", "ws-kiosk"])
    lab.repo.publish({"lab-harmless": "2.0"}, devices=["ws-ada", "ws-kiosk"])
    inventory = tmp_path / "hosts.ini"
    inventory.write_text(
        STRANGER.format(one=lab.address("ws-ada"), two=lab.address("ws-kiosk"), key=lab.key, known=lab.known_hosts)
    )
    known = lab.known_hosts.read_bytes()
    stranger = Practice(lab, tmp_path)
    office = tmp_path / "office"
    stranger.office = office
    first = subprocess.run(
        [*stranger.argv()[:3], "init", "--inventory", str(inventory), "--office", str(office)], capture_output=True, text=True, check=False, env=stranger.env
    )  # fmt: skip
    assert first.returncode == 0, first.stdout + first.stderr
    second = stranger.call("doctor")
    assert second.returncode == 0, second.stdout + second.stderr
    windows = stranger.json("maintenance", "list")["windows"]
    third = subprocess.Popen(
        stranger.argv("run", windows[0]["window"], "--emergency", "--reason", "first try"), env=stranger.env,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        stranger.until(lambda: lab.witness("ws-ada") or lab.witness("ws-kiosk"), seconds=180, what="the first patched device")
        assert stranger.call("cancel", windows[0]["window"], "--reason", "seen enough").returncode == 0
        third.wait(timeout=120)
    finally:
        third.kill()
        third.communicate()
    assert lab.known_hosts.read_bytes() == known
