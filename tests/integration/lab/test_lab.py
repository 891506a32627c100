"""The lab is what it says: real addresses, real identities, real updates, real mail, real faults."""

from __future__ import annotations

import os
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path

import pytest
from deskside_lab import Lab, LabError
from deskside_lab.containers import SSH_PATIENCE, ssh_answers
from deskside_lab.processes import eventually
from deskside_lab.wake import PORT, magic_packet

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]


def sh(lab: Lab, device: str, script: str) -> str:
    """Output of a shell script on a device; its exit code is the last line."""
    done = lab.exec(device, ["sh", "-c", f"({script}) 2>&1; echo rc=$?"], timeout=120)
    return done.stdout


def answers(lab: Lab, device: str) -> bool:
    return ssh_answers(lab.address(device))


def ssh(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh", "-F", str(lab.ssh_config), "-o", "ConnectTimeout=5", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def pending(lab: Lab, device: str) -> set[str]:
    return {
        line.split("/")[0]
        for line in sh(lab, device, "apt-get -qq update && apt list --upgradable 2>/dev/null").splitlines()
        if "/" in line
    }


def test_ansible_reaches_root_and_unprivileged_devices_with_checked_host_keys(lab: Lab) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env["ANSIBLE_CONFIG"] = str(lab.inventory_dir / "ansible.cfg")
    ansible = str(Path(sys.executable).parent / "ansible")
    command = [ansible, "-i", str(lab.inventory_dir), "ws-ada,ws-grace", "-m", "ansible.builtin.command", "-a", "id -un"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("root") == 2  # ws-grace logs in as tech, and becomes root with the password from the vault
    assert ssh(lab, "ws-grace", "id -un; sudo -n true").stdout == "tech\n"


def test_a_device_with_another_host_key_is_refused(lab: Lab) -> None:
    other = lab.devices["ws-grace"].name
    alias = ssh(lab, "-o", f"HostKeyAlias={lab.address(other)}", "ws-ada", "true")
    assert alias.returncode == 255
    assert "Host key verification failed" in alias.stderr


def test_no_two_devices_share_an_identity(lab: Lab) -> None:
    both = [sh(lab, name, "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub").split() for name in ("ws-ada", "ws-grace")]
    assert both[0][0] != both[1][0]
    assert both[0][2] != both[1][2]


def test_a_restart_is_a_real_one_and_the_journal_outlives_it(lab: Lab) -> None:
    before, mark = lab.pid1_starts("ws-ada"), f"mark-{time.time()}"
    sh(lab, "ws-ada", f"logger {mark}; touch /run/reboot-required")
    lab.exec("ws-ada", ["systemctl", "reboot"])
    assert eventually(lambda: lab.pid1_starts("ws-ada") == before + 1 and answers(lab, "ws-ada"), patience=SSH_PATIENCE)
    assert mark in lab.journal("ws-ada")
    assert "rc=1" in sh(lab, "ws-ada", "test -e /run/reboot-required")


def test_what_is_offered_is_decided_per_device(lab: Lab) -> None:
    lab.repo.publish({})
    assert pending(lab, "ws-ada") == set()
    lab.repo.publish({"lab-harmless": "2.0", "lab-held": "2.0"}, devices=["ws-ada"])
    assert pending(lab, "ws-ada") == {"lab-harmless", "lab-held"}
    assert pending(lab, "ws-grace") == set()
    with pytest.raises(LabError, match="no package called 'lab-wrong'"):
        lab.repo.publish({"lab-wrong": "2.0"})


def test_a_package_signed_by_nobody_is_not_taken(lab: Lab) -> None:
    lab.repo.publish()
    inrelease = lab.state.repository / "for/ws-ada/lab-security/InRelease"
    inrelease.write_text(inrelease.read_text().replace("Lab-Security", "Lab-Sekurity"))
    assert "BADSIG" in sh(lab, "ws-ada", "apt-get update")
    lab.repo.publish()
    assert "rc=0" in sh(lab, "ws-ada", "apt-get -qq update")


def test_the_witness_has_one_line_per_configured_newer_version(lab: Lab) -> None:
    lab.reset(["ws-ada"])
    lab.repo.publish({"lab-harmless": "2.0", "lab-held": "2.0"})
    assert lab.witness("ws-ada") == []
    for _ in range(2):
        sh(lab, "ws-ada", "apt-get -qq update; apt-get -qq -y upgrade")
    assert len(lab.witness("ws-ada")) == 1
    assert "upgrade lab-harmless:all 1.0 2.0" in lab.dpkg_log("ws-ada")
    assert "lab-held:all 1.0 2.0" not in lab.dpkg_log("ws-ada")


def test_a_magic_packet_wakes_the_one_that_can_be_woken_and_not_the_other(lab: Lab) -> None:
    assert lab.states()["ws-alan"] == lab.states()["ws-asima"] == "exited"
    broadcast = lab.memory.prefix + "255"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for name in ("ws-asima", "ws-alan"):
            door.sendto(magic_packet(lab.devices[name].mac), (broadcast, PORT))
    assert eventually(lambda: answers(lab, "ws-alan"), patience=SSH_PATIENCE)
    assert lab.states()["ws-asima"] == "exited"
    assert [line.partition(" for ")[2] for line in lab.wake_log()[-2:]] == [
        f"{lab.devices['ws-asima'].mac}: no device of this lab listens for it",
        f"{lab.devices['ws-alan'].mac}: ws-alan woken",
    ]


def letter(to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "it@example.org", to, "Maintenance"
    message.set_content("text")
    return message


def test_mail_needs_encryption_and_a_login_and_goes_nowhere_else(lab: Lab) -> None:
    mail, context = lab.mail, ssl.create_default_context(cafile=str(lab.mail.ca))
    mail.clear()
    with smtplib.SMTP(mail.address, 587, timeout=20) as post:
        post.starttls(context=context)
        with pytest.raises(smtplib.SMTPException):
            post.send_message(letter("ada@example.org"))
    with smtplib.SMTP(mail.address, 587, timeout=20) as post:
        post.starttls(context=context)
        post.login(mail.login, mail.password_file.read_text().strip())
        for to in ("ada@example.org", "it-leads@example.org"):
            post.send_message(letter(to))
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            post.send_message(letter("nobody@example.org"))
    with smtplib.SMTP(mail.address, 25, timeout=20) as post, pytest.raises(smtplib.SMTPRecipientsRefused):
        post.send_message(letter("someone@elsewhere.test"))
    assert eventually(lambda: bool(mail.messages("ada") and mail.messages("leads")), patience=10)
    assert {box: len(messages) for box, messages in mail.all().items() if messages} == {"ada": 1, "leads": 1}
    mail.clear()
    assert not any(mail.all().values())


def test_the_lock_of_dpkg_is_really_held(lab: Lab) -> None:
    with lab.fault("dpkg-locked", "ws-ada", seconds=60):
        assert lab.active_faults() == [("dpkg-locked", "ws-ada")]
        assert "Could not get lock /var/lib/dpkg/lock-frontend" in sh(lab, "ws-ada", "apt-get -y install lab-plain")
    assert "rc=0" in sh(lab, "ws-ada", "apt-get -qq -y install lab-plain")
    assert lab.active_faults() == []


def test_the_disk_is_really_full(lab: Lab) -> None:
    lab.repo.publish({"lab-kernel": "2.0"}, devices=["ws-grace"])
    sh(lab, "ws-grace", "apt-get -qq update")
    with lab.fault("full-disk", "ws-grace"):
        assert "don't have enough free space" in sh(lab, "ws-grace", "apt-get -y install lab-kernel")
    assert "rc=0" in sh(lab, "ws-grace", "apt-get -y --download-only install lab-kernel")


@pytest.mark.parametrize("how", ["link", "silent", "off"])
def test_nothing_answers_and_then_it_does_again(lab: Lab, how: str) -> None:
    with lab.fault("unreachable", "ws-ada", how=how):
        assert not answers(lab, "ws-ada")
    assert eventually(lambda: answers(lab, "ws-ada"), patience=SSH_PATIENCE)
    assert "rc=0" in sh(lab, "ws-ada", "apt-get -qq update")


def test_a_device_is_lost_when_the_work_has_begun_and_not_before(lab: Lab) -> None:
    with lab.fault("lost", "ws-ada", when="/run/systemd/transient/work-*.service"):
        assert answers(lab, "ws-ada")
        sh(lab, "ws-ada", "systemd-run --quiet --unit work-1 sleep 5")
        assert eventually(lambda: not answers(lab, "ws-ada"), patience=5)
        assert lab.states()["ws-ada"] == "running"
    assert eventually(lambda: answers(lab, "ws-ada"), patience=SSH_PATIENCE)


def test_a_package_is_left_half_way(lab: Lab) -> None:
    with lab.fault("half-configured", "ws-ada", package="lab-badpost", version="1.0"):
        assert "unpacked but not yet configured" in sh(lab, "ws-ada", "dpkg --audit")
    assert sh(lab, "ws-ada", "dpkg --audit") == "rc=0\n"


def test_an_update_breaks_its_service_although_dpkg_is_content(lab: Lab) -> None:
    with lab.fault("bad-service", "ws-ada"):
        said = sh(
            lab,
            "ws-ada",
            "apt-get -qq update; apt-get -qq -y install lab-service; echo apt=$?; sleep 1; systemctl is-active lab-service",
        )
        assert "apt=0" in said
        assert said.endswith("failed\nrc=3\n")
    assert sh(lab, "ws-ada", "systemctl is-active lab-service") == "active\nrc=0\n"


def test_a_postinst_fails_with_its_own_words(lab: Lab) -> None:
    with lab.fault("bad-postinst", "ws-ada"):
        assert "lab-badpost: database is locked" in sh(lab, "ws-ada", "apt-get -qq update; apt-get -qq -y install lab-badpost")
    assert sh(lab, "ws-ada", "dpkg --audit") == "rc=0\n"


def test_somebody_is_logged_in_as_logind_and_utmp_see_it(lab: Lab) -> None:
    with lab.fault("logged-in", "ws-ada"):
        time.sleep(2)  # they stay
        assert sh(lab, "ws-ada", "who").startswith("ada ")
        assert " ada " in sh(lab, "ws-ada", "loginctl list-sessions --no-legend")
    assert "ada" not in sh(lab, "ws-ada", "who")


def test_the_mirror_is_down_and_up_again(lab: Lab) -> None:
    with lab.fault("mirror-down"):
        assert "Failed to fetch" in sh(lab, "ws-ada", "apt-get -o Acquire::Retries=0 -o Acquire::http::Timeout=3 update")
    assert "Failed to fetch" not in sh(lab, "ws-ada", "apt-get -o Acquire::http::Timeout=10 update")


@pytest.mark.parametrize(
    ("name", "device", "options", "words"),
    [
        ("earthquake", "ws-ada", {}, "no fault is called 'earthquake'"),
        ("dpkg-locked", "ws-ada", {"minutes": 3}, "unexpected keyword argument 'minutes'"),
        ("dpkg-locked", None, {}, "name one"),
        ("dpkg-locked", "ws-nobody", {}, "no device called 'ws-nobody'"),
        ("dpkg-locked", "ws-asima", {}, "ws-asima is not running"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(lab: Lab, name: str, device: str | None, options: dict[str, object], words: str) -> None:
    with pytest.raises(LabError, match=words):
        lab.begin_fault(name, device, **options)
    assert lab.active_faults() == []


def test_an_interrupted_up_goes_on_and_a_reset_device_stays_the_same_machine(lab: Lab) -> None:
    identity = sh(lab, "ws-ada", "cat /etc/machine-id; touch /root/leftover")
    subprocess.run(["podman", "rm", "--force", "--time", "0", lab.state.container("ws-ada")], check=True, capture_output=True)
    assert lab.states()["ws-ada"] == "missing"
    lab.up("test", ["ws-ada"])
    assert ssh(lab, "ws-ada", "cat /etc/machine-id; test ! -e /root/leftover; echo rc=$?").stdout.split() == identity.split()


def test_another_profile_on_a_lab_that_is_up_is_refused(lab: Lab) -> None:
    with pytest.raises(LabError, match="is up with profile test"):
        lab.up("demo")


def test_a_lab_of_the_same_name_in_another_directory_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    stranger = Lab(lab.name, root=tmp_path)
    with pytest.raises(LabError, match=f"a lab called {lab.name} is already up for {lab.state.path}"):
        stranger.up("test", ["ws-ada"])
    stranger.down()
    assert lab.states()["ws-ada"] == "running"
    assert answers(lab, "ws-ada")


def test_two_commands_on_one_lab_do_not_run_into_each_other(lab: Lab) -> None:
    with lab.state.locked(), pytest.raises(LabError, match="another `deskside lab` command works on lab t-lab right now"):
        lab.up("test", ["ws-ada"])


def test_molecule_gets_both_platforms_and_how_to_reach_them() -> None:
    lab = Lab("t-mol")
    try:
        lab.up("molecule")
        command = [str(Path(sys.executable).parent / "ansible"), "-i", str(lab.state.molecule / "inventory.yml"), "all"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        shown = [*command, "-m", "ansible.builtin.command", "-a", "cat /etc/debian_version"]
        done = subprocess.run(shown, capture_output=True, text=True, check=False, env=env, timeout=90)
        assert done.returncode == 0, done.stdout + done.stderr
        assert {line.split(".")[0] for line in done.stdout.splitlines() if line[:2].isdigit()} == {"12", "13"}
    finally:
        lab.down()
    assert not lab.state.path.exists()
