"""The pure rules of an update, by table."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_apt as apt
from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_backends as backends
from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_host as host_part
from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_model as model
from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_run as run
from ansible_collections.deskside.workplace.plugins.module_utils._os_update_host import Host

MIB = 1024 * 1024
MODULES = Path(run.__file__).parent
LOCKS = """\
1: POSIX  ADVISORY  WRITE 4711 00:2f:1234 0 EOF
1: -> POSIX  ADVISORY  WRITE 4712 00:2f:1234 0 EOF
2: FLOCK  ADVISORY  WRITE 99 fd:01:77 0 EOF
3: OFDLCK ADVISORY  WRITE -1 fd:01:78 0 EOF
4: LEASE  ACTIVE    READ 5 fd:01:79 0 EOF
nonsense
"""


def test_lock_holders_are_read_by_inode_and_waiting_ones_left_out():
    assert model.lock_holders(LOCKS) == {1234: 4711, 77: 99, 78: -1}


def test_a_lock_that_a_process_holds_is_seen_with_its_name(tmp_path):
    (tmp_path / "lock").touch()
    program = (
        "import fcntl,sys,time; f=open(sys.argv[1],'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(20)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            found = Host().lock_holder([str(tmp_path / "not there"), str(tmp_path / "lock")])
            assert found is not None
            assert (found.path, found.pid) == (str(tmp_path / "lock"), holder.pid)
            assert str(found) == f"{tmp_path}/lock is held by {found.command} (pid {holder.pid})"
            assert found.command.startswith("python")
        finally:
            holder.kill()
    assert Host().lock_holder([str(tmp_path / "lock")]) is None


PLAN = model.Plan(changes=(model.Change("a", "1", "2"),), download=100 * MIB, growth=50 * MIB, largest=10 * MIB)


@pytest.mark.parametrize(
    ("minimum", "spaces", "reason"),
    [
        ({"/": 300}, {"/": ("/", 1, 460), "/usr": ("/usr", 1, 460), "archives": ("/var/cache", 1, 460)}, ""),
        (
            {"/": 300},
            {"/": ("/", 1, 459), "/usr": ("/usr", 1, 459), "archives": ("/var/cache", 1, 459)},
            "not enough space on /: 459 MiB free, 160 MiB for the update + 300 MiB to stay free, 1 MiB missing",
        ),
        (
            {"/": 300},
            {"/": ("/", 1, 9000), "/usr": ("/usr", 1, 9000), "archives": ("/var/cache/apt/archives", 2, 99)},
            "not enough space on /var/cache/apt/archives: 99 MiB free, 100 MiB for the update + 0 MiB to stay free, 1 MiB missing",
        ),
        (
            {"/": 1, "/boot": 60},
            {"/": ("/", 1, 9000), "/boot": ("/boot", 3, 10)},
            "not enough space on /boot: 10 MiB free, 0 MiB for the update + 60 MiB to stay free, 50 MiB missing",
        ),
        ({"/": 1, "/srv": 500}, {"/": ("/", 1, 400), "/srv": ("/srv", 1, 400)}, "not enough space on /srv: 400 MiB free, 0 MiB for the update + 500 MiB to stay free, 100 MiB missing"),
        ({"/": 300, "/not-there": 999999}, {"/": ("/", 1, 300)}, ""),
    ],
)  # fmt: skip
def test_shortage(minimum, spaces, reason):
    given = {key: model.Space(path, device, free * MIB) for key, (path, device, free) in spaces.items()}
    assert model.shortage(PLAN, minimum, given) == reason


def test_an_update_that_makes_things_smaller_does_not_count_as_room():
    plan = model.Plan(growth=-500 * MIB, largest=10 * MIB)
    spaces = {"/usr": model.Space("/usr", 1, 5 * MIB)}
    assert model.shortage(plan, {}, spaces).startswith("not enough space on /usr: 5 MiB free, 10 MiB for the update")


@pytest.mark.parametrize(
    ("label", "archive", "codename", "security"),
    [
        ("Debian-Security", "stable-security", "bookworm-security", True),
        ("Debian", "stable", "bookworm", False),
        ("Debian", "stable-updates", "bookworm-updates", False),
        ("Ubuntu", "noble-security", "noble", True),
        ("UbuntuESM", "noble-infra-security", "noble", True),
        ("Lab-Security", "lab-security", "lab-security", True),
        ("Lab", "lab", "lab", False),
        ("", "", "", False),
    ],
)
def test_is_security(label, archive, codename, security):
    assert model.is_security(label, archive, codename) is security


def test_a_scan_is_read_back_as_it_was_written():
    rows = [model.Pending("a:i386", "1:1.0-1", "1:1.0-1+deb12u1", "security"), model.Pending("b", "1", "2~rc1", "other", held=True)]
    assert model.parse_scan("".join(row.line() + "\n" for row in rows)) == rows
    assert model.parse_scan("") == []


@pytest.mark.parametrize(
    "text",
    ["pending=a 1 2 security", "pending=a 1 2 urgent 0", "pending=a 1 2 other 2", "scan=x", "pending=a 1  2 other 0\n", "\n"],
)
def test_a_scan_with_one_strange_line_is_not_believed(text):
    assert model.parse_scan("pending=ok 1 2 other 0\n" + text) is None


def test_progress_is_left_out_of_the_last_lines():
    text = "Reading package lists...\nGet:1 http://x a\n(Reading database ... 5%\r(Reading database ... 100%\rUnpacking a (2) ...\r\n\nSetting up a (2) ...\n"
    assert model.tail(text) == ["Unpacking a (2) ...", "Setting up a (2) ..."]
    assert model.tail("\n".join(map(str, range(50)))) == [str(number) for number in range(30, 50)]


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("x", "apt-get ended with status 100"),
        ("W: a\nE: Unable to fetch\nE: second", "Unable to fetch"),
        ("dpkg: error processing archive /var/x.deb (--unpack):\n trying to overwrite '/a', which is also in package b 1\nE: Sub-process", "/var/x.deb: trying to overwrite '/a', which is also in package b 1"),
        ("dpkg: error processing package a (--configure):\n one\ndpkg: error processing package a (--configure):\n one\ndpkg: error processing package b (--configure):\n two\n", "a: one; b: two"),
    ],
)  # fmt: skip
def test_failure_reason(output, reason):
    assert model.failure_reason("apt-get", 100, output) == reason


def test_every_result_has_every_key_of_the_contract():
    assert set(model.report("nothing")) == {
        "state", "reason", "lines", "packages", "pending", "held", "rejected", "services", "services_pending", "reboot_required",
        "reboot_reasons", "warnings",
    }  # fmt: skip


MAPS = """\
7f01-7f02 r-xp 00000000 00:2f 12 /usr/lib/x86_64-linux-gnu/libssl.so.3{mark}
7f03-7f04 rw-p 00000000 00:2f 13 /usr/share/x (deleted)
7f05-7f06 r-xp 00000000 00:01 14 /memfd:jit (deleted)
7f07-7f08 r-xp 00000000 00:01 15 /tmp/own.so (deleted)
7f09-7f0a r-xp 00000000 00:01 0
"""


def test_only_replaced_code_makes_a_process_stale():
    assert host_part.stale_maps(MAPS.format(mark=" (deleted)"))
    assert not host_part.stale_maps(MAPS.format(mark=""))


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/ssh.service\n", "ssh.service"),
        ("0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n", ""),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/gvfs.service\n", "gvfs.service"),
        ("0::/user.slice/user-0.slice/session-4.scope\n", ""),
        ("4:memory:/machine/libpod-1.scope\n1:name=systemd:/machine/libpod-1.scope/system.slice/cron.service\n", "cron.service"),
        ("0::/init.scope\n", ""),
        ("", ""),
    ],
)
def test_unit_of(cgroup, unit):
    assert host_part.unit_of(cgroup) == unit


@pytest.mark.parametrize(
    ("running", "newest", "replaced", "reasons"),
    [
        ("6.1.0-40-amd64", "6.1.0-41-amd64", False, ["kernel 6.1.0-41-amd64 is installed, 6.1.0-40-amd64 runs"]),
        ("6.1.0-40-amd64", "6.1.0-40-amd64", False, []),
        ("6.1.0-40-amd64", "", False, []),
        ("6.1.0-40-amd64", "6.1.0-40-amd64", True, ["kernel 6.1.0-40-amd64 was replaced while it runs"]),
    ],
)
def test_kernel_reasons(running, newest, replaced, reasons):
    assert host_part.kernel_reasons(running, newest, replaced) == reasons


def test_a_program_that_does_not_end_is_ended_with_all_its_children():
    begun = time.monotonic()
    done = Host().run(["sh", "-c", "echo begun; sleep 60 & echo $!; wait"], 1.0)
    assert time.monotonic() - begun < 12, "it had to be killed: the polite signal did not reach the children"
    child = int(done.output.splitlines()[1])
    assert done.code == 124
    assert done.output.splitlines()[-1] == "E: sh had not ended after 1 s and was stopped"
    for _ in range(50):
        state = Host().read(f"/proc/{child}/stat")
        if state is None or state.rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail(f"the child {child} is still there: {state}")


def test_a_program_never_waits_for_input_and_is_told_to_ask_nothing():
    done = Host().run(["sh", "-c", "cat; echo $DEBIAN_FRONTEND $NEEDRESTART_MODE $APT_LISTCHANGES_FRONTEND"], 10)
    assert (done.code, done.output) == (0, "noninteractive l none\n")


@pytest.mark.parametrize(
    ("text", "families"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\n', ("Debian GNU/Linux 13 (trixie)", ["debian"])),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', ("linuxmint", ["linuxmint", "ubuntu", "debian"])),
        ("", ("an unknown system", [])),
        ("ID='broken\n", ("'broken", ["'broken"])),
    ],
)
def test_identify(text, families):
    assert backends.identify(text) == families


def test_a_system_without_a_backend_is_refused_by_name(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('PRETTY_NAME="Fedora Linux 43"\nID=fedora\n')
    with pytest.raises(model.RefusedUpdateError, match=r"this device is Fedora Linux 43: leave it out of the targets"):
        backends.choose(Host(str(tmp_path)), model.Options())


def test_every_backend_answers_every_question_of_the_interface():
    assert {type(kind(Host(), model.Options())) for kind in backends.BACKENDS.values()} == set(backends.BACKENDS.values())


def test_half_done_packages_are_read_from_dpkgs_own_files(tmp_path):
    dpkg = tmp_path / "var/lib/dpkg"
    (dpkg / "updates").mkdir(parents=True)
    states = [
        "ok installed",
        "ok half-configured",
        "ok unpacked",
        "ok not-installed",
        "reinstreq half-installed",
        "ok triggers-pending",
        "ok config-files",
    ]
    text = "".join(f"Package: p{n}\nStatus: install {state}\nVersion: 1\n\n" for n, state in enumerate(states))
    (dpkg / "status").write_text(text)
    device = apt.Apt(Host(str(tmp_path)), model.Options())
    assert device.interrupted() == ["p1", "p2", "p4", "p5"]
    (dpkg / "updates/0003").touch()
    assert device.interrupted() == ["p1", "p2", "p4", "p5", "*"]


def test_lists_are_as_old_as_our_stamp_unless_a_source_is_newer(tmp_path):
    device = apt.Apt(Host(str(tmp_path)), model.Options())
    for folder in ("etc/apt/sources.list.d", "var/lib/apt/lists", "var/lib/deskside"):
        (tmp_path / folder).mkdir(parents=True)
    assert device.lists_age() == float("inf"), "never refreshed"
    stamp = tmp_path / "var/lib/deskside/os_update.refreshed"
    stamp.touch()
    assert device.lists_age() == float("inf"), "there are no lists"
    (tmp_path / "var/lib/apt/lists/deb_InRelease").touch()
    assert device.lists_age() < 60
    os.utime(tmp_path / "etc/apt/sources.list.d", (2e9, 2e9))
    assert device.lists_age() == float("inf"), "a source was changed since"


@pytest.mark.parametrize(
    ("facts", "warnings"),
    [
        ({"on": False, "timer": True, "reboots": True, "at": "now"}, []),
        ({"on": True, "timer": True, "reboots": False, "at": "now"}, ["unattended-upgrades is switched on (apt-daily-upgrade.timer starts it): this device also updates itself outside every window"]),
        (
            {"on": True, "timer": False, "reboots": True, "at": "02:00"},
            [
                "unattended-upgrades is switched on (apt-daily-upgrade.timer does not run now): this device also updates itself outside every window",
                "Unattended-Upgrade::Automatic-Reboot is on: this device may restart by itself (02:00)",
            ],
        ),
    ],
)  # fmt: skip
def test_foreign_warnings(facts, warnings):
    assert apt.foreign_warnings(**facts) == warnings


def test_archive_name_quotes_the_epoch_as_apt_does():
    assert apt.archive_name("vim", "2:9.0.1378-2+deb12u2", "amd64") == "vim_2%3a9.0.1378-2+deb12u2_amd64.deb"
    assert apt.archive_name("a", "1.0~rc1", "all") == "a_1.0~rc1_all.deb"


GOOD = {
    "lock_wait": 1,
    "refresh_after": 0,
    "refresh_timeout": 60,
    "apply_timeout": 60,
    "min_free": {"/": "300"},
    "classes": ["all"],
}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, []),
        ({"lock_wait": -1}, ["lock_wait is -1: give 0 to 7200 seconds"]),
        ({"classes": []}, ["classes is empty: give security, other or all"]),
        ({"min_free": {"boot": 5}}, ["min_free has 'boot': 5: give an absolute path and whole MiB"]),
        ({"min_free": {"/": "5G"}, "apply_timeout": 1}, ["apply_timeout is 1: give 60 to 86400 seconds", "min_free has '/': '5G': give an absolute path and whole MiB"]),
        ({"min_free": {"/": True}}, ["min_free has '/': True: give an absolute path and whole MiB"]),
    ],
)  # fmt: skip
def test_everything_wrong_with_the_parameters_is_said_at_once(change, wrong):
    assert run.wrong_parameters({**GOOD, **change}) == wrong


def test_select_sorts_what_is_pending():
    rows = [
        model.Pending("held", "1", "2", "security", held=True),
        model.Pending("rejected", "1", "2", "security"),
        model.Pending("both", "1", "2", "security", held=True),
        model.Pending("other", "1", "2", "other"),
        model.Pending("wanted", "1", "2", "security"),
    ]
    chosen = model.select(rows, model.Options(classes=("security",), reject=("rej*", "both")))
    assert ([row.name for row in chosen.chosen], chosen.held, chosen.rejected) == (["wanted"], ("held", "both"), ("rejected",))


def test_what_an_earlier_call_did_is_no_change_of_this_one():
    answer = run.answer({**model.report("failed", packages=[ROW]), "earlier": True}, check_mode=False)
    assert (answer["changed"], answer["diff"]) == (False, {"before": "", "after": ""})
    assert "earlier" not in answer["deskside"]


ROW = {"name": "a", "from": "1", "to": "2", "class": "other", "undo": "none"}


@pytest.mark.parametrize(
    ("state", "packages", "changed", "after"),
    [
        ("done", [ROW], True, "a 2\n"),
        ("done", [], True, ""),
        ("nothing", [], False, ""),
        ("failed", [ROW], True, "a 2\n"),
        ("failed", [], False, ""),
        ("adopted", [ROW], False, ""),
        ("refused", [], False, ""),
    ],
)
def test_changed_and_diff_follow_from_what_was_done(state, packages, changed, after):
    answer = run.answer(model.report(state, packages=packages), check_mode=False)
    assert (answer["changed"], answer["diff"]["after"]) == (changed, after)
    assert answer["ansible_facts"] == {"os_update_reboot_required": False}
    assert run.answer(model.report(state), check_mode=True)["ansible_facts"] == {}


@pytest.mark.parametrize("path", sorted(MODULES.glob("_*.py")), ids=lambda path: path.name)
def test_what_runs_on_devices_is_written_for_python_3_9_and_its_standard_library(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    modern = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Match)]
    named = {alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
    assert modern == []
    assert named - set(sys.stdlib_module_names) <= {"apt_pkg", "ansible_collections", "ansible"}
