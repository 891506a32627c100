"""Who is proven dead, and that there is one live process per executor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.adapters.engine.executor_lock import executor_lock, if_dead
from orchestrator.adapters.engine.liveness import is_dead, process_identity
from orchestrator.application.errors import BusyError, StoreError


def changed(**parts: str) -> str:
    names = ("host", "boot", "pid", "start", "executor")
    mine = dict(zip(names, process_identity("local").split(":"), strict=True))
    return ":".join((mine | parts).values())


def test_this_process_lives() -> None:
    assert not is_dead(process_identity())
    assert process_identity("daemon").endswith(":daemon")
    assert process_identity().split(":")[2] == str(os.getpid())


def test_what_proves_death() -> None:
    assert is_dead(changed(boot="00000000-0000-0000-0000-000000000000")), "the machine has booted since"
    assert is_dead(changed(start="1")), "the pid is another process now"
    assert is_dead(changed(pid=str(2**22 + 1))), "there is no such pid"


@pytest.mark.parametrize("holder", ["", "me", "a:b:c:d:e", "host:boot:1:2"])
def test_what_it_did_not_write_is_not_proven_dead(holder: str) -> None:
    assert not is_dead(holder)


def test_another_host_is_never_proven_dead() -> None:
    assert not is_dead(changed(host="elsewhere", boot="0", start="1"))


def test_a_child_dies_and_its_corpse_is_dead_too() -> None:
    """A process whose name holds a parenthesis and a space; first alive, then stopped, then a zombie, then gone."""
    code = "import os,sys; open('/proc/self/comm','w').write('a) b (c'); print(os.getpid(), flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    start = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    holder = changed(pid=str(child.pid), start=start)
    assert not is_dead(holder)
    child.send_signal(signal.SIGSTOP)
    assert not is_dead(holder), "a stopped process may go on: its lease must expire"
    child.send_signal(signal.SIGCONT)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(holder), "only its corpse is left"
    child.communicate()
    assert is_dead(holder)


def test_a_second_process_is_refused_and_told_who_it_is(tmp_path: Path) -> None:
    with executor_lock(tmp_path, "local", process_identity()):
        with pytest.raises(BusyError, match=rf"executor-local.lock: process {os.getpid()} is carrying out rollouts"):
            executor_lock(tmp_path, "local", process_identity()).__enter__()
        with executor_lock(tmp_path, "terminal", process_identity("terminal")):
            pass
    with executor_lock(tmp_path, "local", process_identity()):
        pass


def test_an_executor_is_dead_when_nobody_holds_its_lock(tmp_path: Path) -> None:
    with if_dead(tmp_path, "never-seen") as dead:
        assert dead
    with executor_lock(tmp_path, "local", process_identity()), if_dead(tmp_path, "local") as dead:
        assert not dead
    with if_dead(tmp_path, "local") as dead:
        assert dead
        with pytest.raises(BusyError):
            executor_lock(tmp_path, "local", process_identity()).__enter__()


def test_a_state_without_room_for_the_lock_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"executor-local\.lock: cannot be made: No such file or directory"):
        executor_lock(tmp_path / "gone", "local", "me").__enter__()
