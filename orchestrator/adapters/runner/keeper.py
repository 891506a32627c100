"""Run a command; when our parent dies, or we are told to stop, kill every descendant. Needs no privilege.

Started as a script, never imported by the orchestrator: ``python keeper.py PARENT PIDFILE COMMAND...``.

It is the last choice of :mod:`orchestrator.adapters.runner.containment`, for machines on which no namespace can be had. A
subreaper sees every orphan of its tree (ssh masters and Ansible's workers leave their session, so a process group would
miss them); the kernel tells it with SIGTERM that the thread which started it is gone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
ROUNDS = 200
STOPPED = 143


def children(pid: int) -> list[int]:
    """Direct children of ``pid``, over all its threads; nothing when it is gone."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text(encoding="ascii").split()]
        except OSError:
            continue
    return found


def descendants(pid: int) -> list[int]:
    """Every process below ``pid``, parents first."""
    found, todo = [], [pid]
    while todo:
        below = children(todo.pop())
        found += below
        todo += below
    return found


def reap() -> None:
    """Collect the dead, so that they leave /proc."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def kill_tree() -> bool:
    """Kill until nothing is left: a dying process may still fork. Returns whether it is empty."""
    for _ in range(ROUNDS):
        below = descendants(os.getpid())
        if not below:
            return True
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        reap()
        time.sleep(0.01)
    return False


def stop(*_signal: object) -> NoReturn:
    """End the tree, then ourselves, without unwinding."""
    kill_tree()
    os._exit(STOPPED)


def main(argv: list[str]) -> NoReturn:
    """Keep ``argv[3:]``; exit with its code (128 + signal when a signal ended it)."""
    parent, pidfile, command = int(argv[1]), Path(argv[2]), argv[3:]
    libc = ctypes.CDLL(None, use_errno=True)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if parent and os.getppid() != parent:  # it died before we asked to be told
        os._exit(STOPPED)
    pidfile.write_text(str(os.getpid()), encoding="ascii")
    child = os.posix_spawnp(command[0], command, os.environ, setsigmask=[], setsigdef=[signal.SIGTERM, signal.SIGINT])
    while True:
        done, status = os.wait()
        if done == child:
            kill_tree()
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main(sys.argv)
