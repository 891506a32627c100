"""The runner against real devices: contained, cancelled, timed out, tight-lipped."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.adapters.runner.containment import KEEPER_CONTAINMENT, candidates, works
from orchestrator.adapters.runner.private import home
from orchestrator.adapters.runner.runner import AnsibleRunner
from orchestrator.application.ports import Job, RunEvent, RunResult, RunStatus

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

SLOW = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.command: echo started
    - ansible.builtin.command: sleep 40
"""
SHOW = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.command: echo "{{ office_secret }} {{ admin_password }}"
    - ansible.builtin.debug: {var: office_secret}
    - ansible.builtin.command: sleep 2
    - ansible.builtin.command: echo "{{ office_secret }}"
      no_log: true
"""
COUNT = """
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - ansible.builtin.shell: echo once >> /root/count
      args: {executable: /bin/sh}
"""


def run(fleet, playbook, hosts, *, runner=None, seen=None, stop_when=None, **more) -> RunResult:
    events: list[RunEvent] = [] if seen is None else seen
    job = Job(id=f"test/{time.time_ns()}", playbook=playbook, hosts=hosts, **{"timeout": 60.0, **more})
    runner = runner or AnsibleRunner(fleet.office, fleet.state, ["hosts.yml"])
    return runner.run(job, on_event=events.append, cancelled=lambda: stop_when is not None and stop_when(events))


def processes(mark: str) -> list[str]:
    """Every process whose command line or environment names ``mark``."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = entry.joinpath("cmdline").read_bytes() + entry.joinpath("environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in words:
            found.append(entry.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def started(events) -> bool:
    return any(event.task == "ansible.builtin.command" and event.kind == "changed" for event in events) and time.sleep(1) is None


def test_a_run_says_what_each_host_did_when_it_is_complete(fleet):
    seen: list[RunEvent] = []
    result = run(fleet, fleet.playbook("count.yml", COUNT), ("d1", "d2"), seen=seen)
    assert (result.status, result.rc, result.complete) == (RunStatus.SUCCESSFUL, 0, True)
    assert {name: (host.ok, host.changed, host.touched) for name, host in result.hosts.items()} == {
        "d1": (True, True, True),
        "d2": (True, True, True),
    }
    assert {(event.kind, event.host) for event in seen if event.host} == {("changed", "d1"), ("changed", "d2")}
    assert fleet.on("d2", "cat /root/count") == "once", "d2 becomes root with a sudo password from the vault"


def test_a_compiled_inventory_is_what_ansible_reads_when_the_job_says_so(fleet):
    rooms: list[Path] = []

    def compiled(hosts, directory: Path) -> Path | None:
        rooms.append(directory)
        path = directory / "hosts.yml"
        path.write_text((fleet.office / "hosts.yml").read_text().replace("  vars:\n", "  vars:\n    which: compiled\n", 1))
        for name in ("key", "known_hosts"):
            (directory / name).symlink_to(fleet.office / name)
        return path if tuple(hosts) == ("d1",) else None

    which = (
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {msg: \"{{ which | default('office') }}\"}\n"
    )
    runner = AnsibleRunner(fleet.office, fleet.state, ["hosts.yml"], compiled)
    said = []
    for hosts, wanted in ((("d1",), True), (("d1",), False), (("d2",), True)):
        seen: list[RunEvent] = []
        run(fleet, fleet.playbook("which.yml", which), hosts, runner=runner, seen=seen, compiled=wanted)
        said += [event.result["msg"] for event in seen if event.kind == "ok"]
    assert said == ["compiled", "office", "office"]
    assert len(rooms) == 2
    assert not any(room.exists() for room in rooms), "it lay in memory and is gone"


def test_an_empty_list_of_hosts_runs_nothing(fleet):
    before = fleet.on("d1", "cat /root/count 2>/dev/null | wc -l")
    result = run(fleet, fleet.playbook("count.yml", COUNT), ())
    assert (result.status, result.hosts, result.complete) == (RunStatus.SUCCESSFUL, {}, True)
    assert fleet.on("d1", "cat /root/count 2>/dev/null | wc -l") == before


def test_no_secret_lies_in_the_artifact_or_shows_in_ps_when_a_run_uses_some(fleet):
    secrets = ("vaulted-plaintext-4711", "pw-in-extra-vars-0815", "the office's own vault password")
    watched: list[str] = []

    def look(events) -> bool:
        watched.extend(line for line in processes(fleet.office.name) for secret in secrets if secret in line)
        watched.extend(f"environ of {secret}" for secret in secrets if processes(secret))
        return False

    result = run(fleet, fleet.playbook("show.yml", SHOW), ("d1",), variables={"admin_password": secrets[1]}, stop_when=look)
    assert result.complete
    assert not watched, watched
    files = [path for path in result.artifact.rglob("*") if path.is_file()]
    text = b"".join(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in files)
    assert b'"e":"stats"' in text
    assert not [secret for secret in secrets if secret.encode() in text]
    assert text.count(b"[hidden]") >= 3, "the values were there and were taken out"
    assert not (result.artifact / "job_events").exists(), "events took our way, not ansible-runner's files"
    assert {path.stat().st_mode & 0o077 for path in [result.artifact, *files] if path.name != "stderr"} == {0}
    assert not list(home().glob("run-*")), "nothing is left in memory"


def test_a_value_with_template_marks_stays_a_value(fleet):
    playbook = fleet.playbook(
        "literal.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {var: given}\n"
    )
    seen: list[RunEvent] = []
    run(fleet, playbook, ("d1",), seen=seen, variables={"given": "{{ lookup('pipe', 'id') }}"})
    assert [event.result.get("given") for event in seen if event.kind == "ok"] == ["{{ lookup('pipe', 'id') }}"]


def test_an_unknown_host_key_is_unreachable_and_untouched(fleet):
    started_at = time.monotonic()
    result = run(fleet, fleet.playbook("count.yml", COUNT), ("stranger",))
    host = result.hosts["stranger"]
    assert (host.ok, host.unreachable, host.touched) == (False, True, False)
    assert "Host key verification failed" in host.reason or "host key is known" in host.reason
    assert time.monotonic() - started_at < 20, "nobody waited for an answer to a question"


def test_host_keys_are_checked_when_the_inventory_switches_it_off(fleet):
    with (fleet.office / "hosts.yml").open() as handle:
        text = handle.read().replace("/nobody", "/nobody -o StrictHostKeyChecking=no")
    (fleet.office / "careless.yml").write_text(text)
    runner = AnsibleRunner(fleet.office, fleet.state, ["careless.yml"])
    assert run(fleet, fleet.playbook("count.yml", COUNT), ("stranger",), runner=runner).hosts["stranger"].unreachable


def test_a_host_that_does_not_answer_is_unreachable_and_the_other_is_done(fleet):
    result = run(fleet, fleet.playbook("count.yml", COUNT), ("gone", "d1"))
    assert (result.status, result.complete, result.hosts["d1"].ok) == (RunStatus.FAILED, True, True)
    assert (result.hosts["gone"].unreachable, result.hosts["gone"].touched) == (True, False)


def test_a_playbook_that_ansible_cannot_read_is_broken_and_every_host_unknown(fleet):
    result = run(fleet, fleet.playbook("bad.yml", "- hosts: all\n  tasks: banana\n"), ("d1",))
    assert (result.status, result.complete, result.hosts["d1"].ok) == (RunStatus.BROKEN, False, False)
    assert "rc" in result.hosts["d1"].reason
    assert "ERROR" in result.hosts["d1"].reason


@pytest.mark.parametrize("way", [way for way in candidates(root=os.geteuid() == 0) if works(way)], ids=lambda way: way.name)
def test_cancel_ends_the_run_and_leaves_no_process(fleet, way):
    runner = AnsibleRunner(fleet.office, fleet.state, ["hosts.yml"], contain=way)
    at = time.monotonic()
    result = run(fleet, fleet.playbook("slow.yml", SLOW), ("d1",), runner=runner, stop_when=started)
    assert (result.status, result.complete) == (RunStatus.CANCELED, False)
    assert result.hosts["d1"].touched
    assert time.monotonic() - at < 20
    assert processes(str(fleet.office / "slow.yml")) == []
    assert processes(str(home())) == []


def test_a_run_that_takes_too_long_is_timed_out_without_survivors(fleet):
    result = run(fleet, fleet.playbook("slow.yml", SLOW), ("d1",), timeout=4.0)
    assert (result.status, result.complete) == (RunStatus.TIMEOUT, False)
    assert result.seconds < 10
    assert processes(str(fleet.office / "slow.yml")) == []


WORKER = """
import sys, time
from pathlib import Path
from orchestrator.adapters.runner.containment import candidates, Containment
from orchestrator.adapters.runner.runner import AnsibleRunner
from orchestrator.application.ports import Job
office, state, playbook, way, mark = sys.argv[1:]
chosen = Containment(name="none", argv=("env",)) if way == "none" else next(c for c in candidates(root=True) if c.name == way)
def seen(event):
    if event.kind == "changed": Path(mark).touch()
AnsibleRunner(Path(office), Path(state), ["hosts.yml"], contain=chosen).run(
    Job(id="killed", playbook=playbook, hosts=("d1", "d2")), on_event=seen, cancelled=lambda: False)
"""


def masters() -> int:
    return sum("[mux]" in line for line in processes(str(home())))


def killed(fleet, way: str, mark: Path) -> list[str]:
    """Kill -9 a worker in the middle of its run; what of it lives 2 s later."""
    playbook = fleet.playbook("slow.yml", SLOW)
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(fleet.office), str(fleet.state), playbook, way, str(mark)])
    try:
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and not (mark.exists() and masters() == 2):
            time.sleep(0.1)
        assert mark.exists(), "the run did not start"
        assert masters() == 2, "there is something to kill"
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    time.sleep(2)
    return processes(playbook) + processes(str(home()))


@pytest.mark.parametrize("way", [way.name for way in candidates(root=os.geteuid() == 0) if works(way)])
def test_kill_9_of_the_worker_ends_ansible_and_its_ssh_masters_within_two_seconds(fleet, tmp_path, way):
    assert killed(fleet, way, tmp_path / "seen") == []


def test_without_containment_the_kill_test_goes_red(fleet, tmp_path):
    left = killed(fleet, "none", tmp_path / "seen")
    for line in left:
        assert "python" in line or "ssh" in line or "env" in line
    assert left, "a contained run must be the only reason for an empty list"
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if str(home()).encode() in entry.joinpath("cmdline").read_bytes() + entry.joinpath("environ").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue


def test_what_a_killed_worker_left_in_memory_is_swept_at_the_next_start(fleet, tmp_path):
    killed(fleet, KEEPER_CONTAINMENT.name, tmp_path / "seen")
    assert list(home().glob("run-*/vars.json")), "a killed worker cannot clean up"
    AnsibleRunner(fleet.office, fleet.state, ["hosts.yml"])
    assert not list(home().glob("run-*"))


def test_a_guarded_playbook_is_carried_out_once_for_one_occurrence(fleet):
    fleet.on("d1", "rm -f /root/count; rm -rf /var/lib/deskside/guard")
    playbook = fleet.playbook("count.yml", COUNT)
    guard = {"occurrence": "night/1", "step": "1-count", "fence": 1}
    first = run(fleet, playbook, ("d1",), guard=guard)
    second = run(fleet, playbook, ("d1", "d2"), guard={**guard, "fence": 2})
    assert first.hosts["d1"].changed
    assert (second.status, second.hosts["d1"].ok, second.hosts["d1"].changed) == (RunStatus.SUCCESSFUL, True, False)
    assert second.hosts["d1"].data["state"] == "adopted"
    assert second.hosts["d2"].changed, "one device that is done keeps no other from its work"
    assert fleet.on("d1", "cat /root/count") == "once"


def test_an_old_worker_is_refused_when_a_newer_one_holds_the_device(fleet):
    fleet.on("d1", "rm -f /root/count; rm -rf /var/lib/deskside/guard")
    guard = {"occurrence": "night/2", "step": "1-count", "fence": 7}
    run(fleet, fleet.playbook("empty.yml", "- hosts: nobody_at_all\n"), ("d1",), guard=guard)
    fleet.on("d1", 'sed -i \'s/"done"/"claimed"/\' /var/lib/deskside/guard/night_2.1-count.json')
    result = run(fleet, fleet.playbook("count.yml", COUNT), ("d1",), guard={**guard, "fence": 6})
    assert (result.status, result.hosts["d1"].ok) == (RunStatus.FAILED, False)
    assert result.hosts["d1"].reason == "a newer worker (fence 7) has taken over"
    assert fleet.on("d1", "test -e /root/count || echo untouched") == "untouched"


def test_a_device_lost_in_the_middle_is_unreachable_and_touched(fleet):
    playbook = fleet.playbook(
        "lost.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.command: systemd-run --on-active=1 sh -c 'pkill sshd'\n"
        "    - ansible.builtin.command: sleep 20\n",
    )
    try:
        result = run(fleet, playbook, ("d1",))
    finally:
        fleet.inside("d1", "systemctl restart ssh")
    host = result.hosts["d1"]
    assert (host.ok, host.unreachable, host.touched) == (False, True, True)


def test_options_of_ansible_playbook_pass_and_output_reaches_who_watches(fleet):
    shown: list[str] = []
    result = run(fleet, fleet.playbook("count.yml", COUNT), ("d1",), options=("--check",), echo=shown.append)
    assert result.complete
    assert any("PLAY RECAP" in line for line in shown)
    assert not (result.artifact / "output.txt").exists()
