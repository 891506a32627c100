"""How a run is contained: when the worker dies, however it dies, Ansible and every ssh master die with it.

Why not a process group: Ansible's workers and ssh's masters leave it. Why not ansible-runner's own isolation: it hides
/tmp and /root and binds the rest read-only, so keys and Pythons disappear. See docs/explanation/containment.md.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.application.errors import EnvironmentProblemError

KEEPER = Path(__file__).with_name("keeper.py")
PROBE_SECONDS = 10.0
_NAMESPACE = ("--pid", "--fork", "--mount-proc", "--kill-child=KILL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Containment:
    """One way to contain a command.

    Attributes:
        name: ``namespace``, ``user-namespace``, ``bubblewrap`` or ``keeper``.
        kernel: The kernel does the killing; False = our own process does, and must be asked to (:attr:`pidfile_asked`).
    """

    name: str
    argv: tuple[str, ...]
    kernel: bool = True

    def prefix(self, pidfile: Path) -> list[str]:
        """What stands before the command. ``pidfile``: where the keeper writes its process id."""
        return list(self.argv) if self.kernel else [*self.argv, str(os.getpid()), str(pidfile)]


KEEPER_CONTAINMENT = Containment(name="keeper", argv=(sys.executable, "-I", "-S", str(KEEPER)), kernel=False)


def candidates(*, root: bool) -> tuple[Containment, ...]:
    """Every way, best first."""
    die = ("setpriv", "--pdeathsig", "KILL")
    plain = Containment(name="namespace", argv=(*die, "unshare", *_NAMESPACE))
    user = Containment(name="user-namespace", argv=(*die, "unshare", "--user", "--map-current-user", *_NAMESPACE))
    bwrap = Containment(
        name="bubblewrap", argv=("bwrap", "--die-with-parent", "--unshare-pid", "--dev-bind", "/", "/", "--proc", "/proc")
    )
    return (*((plain,) if root else ()), user, bwrap, KEEPER_CONTAINMENT)


def works(containment: Containment, run: Callable[..., subprocess.CompletedProcess[bytes]] = subprocess.run) -> bool:
    """Functional probe: it must start a program and pass on its exit code."""
    with tempfile.TemporaryDirectory(prefix="deskside-probe-") as scratch:
        command = [*containment.prefix(Path(scratch, "pid")), "sh", "-c", "exit 7"]
        try:
            return run(command, capture_output=True, check=False, timeout=PROBE_SECONDS).returncode == 7
        except (OSError, subprocess.TimeoutExpired):
            return False


def choose(ways: Sequence[Containment], probe: Callable[[Containment], bool] = works) -> Containment:
    """The first that works.

    Raises:
        EnvironmentProblemError: None does.
    """
    for way in ways:
        if probe(way):
            return way
    names = ", ".join(way.name for way in ways)
    raise EnvironmentProblemError(f"no way to contain Ansible works here (tried {names}); install util-linux (setpriv, unshare)")


@functools.cache
def containment() -> Containment:
    """The way of this process, chosen once."""
    return choose(candidates(root=os.geteuid() == 0))
