"""What a patch night meets: locks, full disks, half-done packages, failing scripts, dying controllers. On a real device."""

from __future__ import annotations

import pytest

from .conftest import RECORD, UNIT, Device

pytestmark = pytest.mark.lab

HOLD_LOCK = (
    "python3 -c \"import fcntl,time,sys; f=open('/var/lib/dpkg/lock-frontend','r+'); fcntl.lockf(f, fcntl.LOCK_EX); "
    "open('/run/held','w').write('x'); time.sleep({})\" & echo $!"
)


def names(result: dict, key: str = "packages") -> list[str]:
    return [row["name"] for row in result["deskside"][key]]


def stall(device: Device, when: str) -> None:
    """Let apt wait, once, before or after it runs dpkg, until :func:`go`: a moment to kill something in."""
    wait = "n=0; while [ ! -e /run/go ] && [ $n -lt 900 ]; do sleep 0.2; n=$((n+1)); done"
    hook = f'DPkg::{when}-Invoke {{"[ -e /run/stalled ] || {{ touch /run/stalled; {wait}; }}";}};'
    device.sh(f"rm -f /run/stalled /run/go; cat > /etc/apt/apt.conf.d/99-test <<'END'\n{hook}\nEND")


def go(device: Device) -> None:
    device.sh("touch /run/go")


def test_a_lock_held_too_long_is_refused_and_names_who_holds_it(device):
    device.plant({"lab-harmless": "2.0"})
    pid = device.sh("rm -f /run/held; " + HOLD_LOCK.format(60) + " >/run/holder 2>&1; cat /run/holder")
    device.until("test -e /run/held")
    try:
        result = device.call(lock_wait=2)
    finally:
        device.sh(f"kill {pid}")
    assert result["deskside"]["state"] == "refused"
    assert result["msg"] == f"/var/lib/dpkg/lock-frontend is held by python3 (pid {pid}); waited 2 s for it"
    assert device.versions()["lab-harmless"] == "1.0"


def test_a_lock_that_is_released_in_time_is_waited_for(device):
    device.plant({"lab-harmless": "2.0"})
    device.sh("rm -f /run/held; " + HOLD_LOCK.format(4) + " >/dev/null 2>&1")
    device.until("test -e /run/held")
    assert names(device.call(lock_wait=60)) == ["lab-harmless"]


def test_too_little_space_is_refused_and_a_second_call_may_still_do_it(device):
    device.plant({"lab-harmless": "2.0"})
    result = device.call(fence=1, min_free={"/": 99999999})
    assert result["deskside"]["state"] == "refused"
    assert result["msg"].startswith("not enough space on /: ")
    assert result["msg"].endswith(" MiB missing")
    assert device.record()["state"] == "claimed"
    assert device.call(fence=1)["deskside"]["state"] == "done"


def test_an_interrupted_dpkg_is_repaired_or_refused(device):
    device.plant({"lab-harmless": "2.0", "lab-plain": "2.0"})
    device.sh("cd /tmp && apt-get download -q lab-plain=2.0 && dpkg --unpack ./lab-plain_2.0_all.deb")
    refused = device.call(allow_repair=False)
    assert (
        refused["msg"]
        == "dpkg was interrupted (lab-plain) and os_update_allow_repair is off: run `dpkg --configure -a` on the device"
    )
    done = device.call()
    assert done["deskside"]["warnings"] == ["repaired an interrupted dpkg: lab-plain"]
    assert names(done) == ["lab-harmless"]
    assert device.sh("dpkg --audit") == ""


def test_a_failing_postinst_fails_with_its_own_words_and_the_others_are_installed(device):
    device.plant({"lab-badpost": "2.0", "lab-harmless": "2.0"})
    result = device.call(fence=1)
    assert (
        result["msg"]
        == "lab-badpost: installed lab-badpost package post-installation script subprocess returned error exit status 1"
    )
    assert "lab-badpost: database is locked" in result["deskside"]["lines"]
    assert len(result["deskside"]["lines"]) <= 20
    assert names(result) == ["lab-badpost", "lab-harmless"]
    assert device.record()["state"] == "failed"
    again = device.call(fence=2)
    assert (again["deskside"]["state"], again["msg"], again["changed"]) == ("failed", result["msg"], False)
    assert len(device.lab.witness("mol-debian12")) == 1


def test_a_dying_controller_stops_nothing_and_the_next_worker_attaches(device):
    device.plant({"lab-harmless": "2.0"})
    stall(device, "Pre")
    first = device.start(fence=1)
    device.until("test -e /run/stalled")
    device.kill(first)
    assert device.record()["state"] == "applying"
    second = device.start(fence=2)
    device.until(f"grep -q '\"fence\": 2' {RECORD}")
    go(device)
    result = device.answer(second)
    assert (result["deskside"]["state"], names(result)) == ("done", ["lab-harmless"])
    assert device.record()["fence"] == 2
    assert len(device.lab.witness("mol-debian12")) == 1
    assert device.call(fence=1)["msg"] == "a newer worker (fence 2) has taken over"
    adopted = device.call(fence=3)
    assert (adopted["deskside"]["state"], adopted["changed"], names(adopted)) == ("adopted", False, ["lab-harmless"])


@pytest.mark.parametrize("when", ["Pre", "Post"])
def test_an_apply_that_was_stopped_half_way_is_taken_up_and_reports_everything(device, when):
    device.plant({"lab-harmless": "2.0", "lab-plain": "2.0"})
    stall(device, when)
    first = device.start(fence=1)
    device.until("test -e /run/stalled")
    device.sh(f"systemctl stop {UNIT}")
    stopped = device.answer(first)
    assert stopped["msg"] == f"{UNIT} was ended before it had finished"
    assert device.record()["state"] == "applying"
    result = device.call(fence=2)
    assert (result["deskside"]["state"], names(result)) == ("done", ["lab-harmless", "lab-plain"])
    assert [(row["from"], row["to"], row["undo"]) for row in result["deskside"]["packages"]] == [("1.0", "2.0", "repository")] * 2
    assert len(device.lab.witness("mol-debian12")) == 1


def test_two_runs_by_hand_do_not_work_at_the_same_time(device):
    device.plant({"lab-harmless": "2.0"})
    stall(device, "Pre")
    first = device.start()
    device.until("test -e /run/stalled")
    second = device.call(lock_wait=1)
    assert second["deskside"]["state"] == "refused"
    assert "is changing this device; waited 1 s for it" in second["msg"]
    assert second["msg"].startswith("deskside-adhoc-")
    go(device)
    assert device.answer(first)["deskside"]["state"] == "done"


def test_a_damaged_record_stops_everything(device):
    device.plant({"lab-harmless": "2.0"})
    device.sh(f"mkdir -p -m 700 /var/lib/deskside/guard; echo '{{' > {RECORD}")
    result = device.call(fence=9)
    assert result["deskside"]["state"] == "refused"
    assert result["msg"].startswith(f"the guard record {RECORD} cannot be believed")
    assert device.versions()["lab-harmless"] == "1.0"


def test_without_systemd_it_works_and_says_so(device):
    device.plant({"lab-harmless": "2.0"})
    device.sh("mv /run/systemd/system /run/systemd/system.away")
    try:
        result = device.call(fence=1)
    finally:
        device.sh("mv /run/systemd/system.away /run/systemd/system")
    assert result["deskside"]["state"] == "done"
    assert (
        "this device runs without systemd: the update was not protected against a lost connection" in result["deskside"]["warnings"]
    )
    assert device.versions()["lab-harmless"] == "2.0"


def test_a_foreign_updater_is_reported(device):
    device.plant({})
    device.sh(
        'touch /usr/bin/unattended-upgrade; printf \'APT::Periodic::Unattended-Upgrade "1";\\nUnattended-Upgrade::Automatic-Reboot "true";\\n\' > /etc/apt/apt.conf.d/99-test'
    )
    try:
        warnings = device.call()["deskside"]["warnings"]
    finally:
        device.sh("rm -f /usr/bin/unattended-upgrade /etc/apt/apt.conf.d/99-test")
    assert [warning.split(" is ")[0] for warning in warnings] == ["unattended-upgrades", "Unattended-Upgrade::Automatic-Reboot"]


def test_a_service_that_runs_replaced_code_is_restarted_or_listed(device):
    device.plant({"lab-harmless": "2.0"})
    unit = "[Service]\\nExecStart=/usr/local/bin/lab-old 300\\n"
    device.sh(
        f"cp /bin/sleep /usr/local/bin/lab-old; printf '{unit}' > /run/systemd/system/lab-old.service; systemctl daemon-reload; systemctl start lab-old"
    )
    try:
        device.sh("cp /bin/sleep /usr/local/bin/lab-new; mv /usr/local/bin/lab-new /usr/local/bin/lab-old")
        before = device.sh("systemctl show -p MainPID --value lab-old")
        assert device.call(restart_services="report")["deskside"]["services_pending"] == ["lab-old.service"]
        assert device.sh("systemctl show -p MainPID --value lab-old") == before
        device.sh("apt-get install -q -y --allow-downgrades lab-harmless=1.0")
        assert device.call()["deskside"]["services"] == ["lab-old.service"]
        assert device.sh("systemctl show -p MainPID --value lab-old") != before
    finally:
        device.sh(
            "systemctl stop lab-old; rm -f /run/systemd/system/lab-old.service /usr/local/bin/lab-old; systemctl daemon-reload"
        )


def test_a_source_that_does_not_answer_is_a_failure_not_an_empty_list(device):
    device.plant({"lab-harmless": "2.0"})
    device.sh(
        "mkdir -p /root/away; cp /etc/apt/sources.list.d/* /root/away/; sed -i 's,http://[^/]*/,http://127.0.0.1:9/,' /etc/apt/sources.list.d/*"
    )
    try:
        result = device.call(refresh_timeout=60)
    finally:
        device.sh("cp /root/away/* /etc/apt/sources.list.d/")
    assert result["deskside"]["state"] == "failed"
    assert result["msg"].startswith("the package lists could not be refreshed: ")
    assert result["changed"] is False
