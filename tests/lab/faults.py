"""What goes wrong in an office, on request, each with its undo. Nothing is pretended: the lock is held, the disk is full.

A fault outlives the process that set it; ``undo`` needs no memory of ``begin``, so another process can call it.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .containers import execute, pid_of, pulse, start, states, stop, wait_for_port
from .errors import AskedWrongError, LabError
from .host import podman
from .office import Device
from .packages import BROKEN_SERVICE, OLD, Package, build_package
from .processes import alive, as_root, detach, end, eventually, module, remember, run
from .repo import SERVER, Repo
from .state import State

LOCK_HOLDER = """
import fcntl, sys, time
locks = [open(path, "w") for path in ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock")]
for lock in locks:
    fcntl.lockf(lock, fcntl.LOCK_EX)
open("/run/lab-dpkg-locked", "w").close()
time.sleep(float(sys.argv[1]))
"""
ARCHIVES = "/var/cache/apt/archives"


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a fault happens.

    Attributes:
        state: The lab.
        repo: Its package repository.
        device: The device; ``None`` for a fault of the whole lab.
    """

    state: State
    repo: Repo
    device: Device | None

    @property
    def name(self) -> str:
        """The device's name.

        Raises:
            LabError: This fault needs a device and none was named.
        """
        if self.device is None:
            raise AskedWrongError("this fault happens on a device: name one")
        return self.device.name

    def execute(self, *argv: str, stdin: bytes | None = None, check: bool = True) -> str:
        """Run a program as root on the device; its output."""
        done = execute(self.state, self.name, argv, stdin=stdin)
        if check and done.returncode:
            raise LabError(f"{self.name}: {' '.join(argv)[:80]}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def inside(self, *words: str, check: bool = True) -> None:
        """Run a program of this machine inside namespaces of the device (``-m`` mounts, ``-n`` network)."""
        run([*as_root(), "nsenter", "-t", str(pid_of(self.state, self.name)), *words], check=check)

    def pid_file(self, fault: str) -> Path:
        """Of the background process a fault keeps."""
        return self.state.path / f"fault-{fault}-{self.name}.pid"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can go wrong: ``begin(scene, **options)`` and ``undo(scene)``, and a line for people."""

    begin: Callable[..., None]
    undo: Callable[[Scene], None]
    text: str


# -- dpkg ------------------------------------------------------------------------------------------------------------


def _lock_dpkg(scene: Scene, *, seconds: float = 600) -> None:
    unit = ("systemd-run", "--quiet", "--collect", "--unit", "lab-dpkg-locked")
    scene.execute(*unit, "/usr/bin/python3", "-c", LOCK_HOLDER, str(seconds))
    if not eventually(
        lambda: execute(scene.state, scene.name, ["test", "-e", "/run/lab-dpkg-locked"]).returncode == 0, patience=10
    ):
        raise LabError(f"{scene.name}: the lock of dpkg could not be taken within 10 s; something else holds it")


def _unlock_dpkg(scene: Scene) -> None:
    scene.execute("systemctl", "stop", "lab-dpkg-locked.service", check=False)
    scene.execute("rm", "-f", "/run/lab-dpkg-locked", check=False)


def _install(scene: Scene, package: Package, *how: str) -> None:
    path = f"/tmp/{package.file_name}"
    scene.execute("sh", "-c", f"cat > {path}", stdin=build_package(package))
    scene.execute("dpkg", *how, path)


def _unpack_only(scene: Scene, *, package: str = "lab-plain", version: str = "2.0") -> None:
    _install(scene, Package(package, version), "--unpack")


def _repair(scene: Scene) -> None:
    states_now = scene.execute("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", "lab-*")
    for name, status in (line.split() for line in states_now.splitlines()):
        if status not in {"installed", "config-files", "not-installed"}:
            _install(scene, Package(name, OLD), "--install", "--force-confold")


# -- disk ------------------------------------------------------------------------------------------------------------


def _fill_disk(scene: Scene, *, path: str = ARCHIVES, size: str = "256k") -> None:
    scene.inside("-m", "mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "lab-full", path)
    scene.execute("sh", "-c", f"mkdir -p {path}/partial; touch {path}/lock; cat /dev/zero > {path}/ballast 2>/dev/null; true")


def _empty_disk(scene: Scene) -> None:
    for line in reversed(scene.execute("cat", "/proc/mounts").splitlines()):
        source, path = line.split()[:2]
        if source == "lab-full":
            scene.inside("-m", "umount", path)


# -- reach -----------------------------------------------------------------------------------------------------------


def _unreach(scene: Scene, *, how: str = "link") -> None:
    if how == "off":
        stop(scene.state, scene.name)
    elif how == "silent":
        pulse(scene.state, scene.name, "pause")
    elif how == "link":
        scene.inside("-n", "ip", "link", "set", "eth0", "down")
    else:
        raise AskedWrongError(f"unreachable, how={how!r}: one of link (cable pulled), silent (frozen), off (switched off)")


def _reach(scene: Scene) -> None:
    now = states(scene.state).get(scene.name)
    if now == "paused":
        pulse(scene.state, scene.name, "unpause")
    elif now != "running":
        start(scene.state, scene.name)
    scene.inside("-n", "ip", "link", "set", "eth0", "up")
    scene.inside("-n", "ip", "route", "replace", "default", "via", f"{scene.repo.prefix}1", "proto", "static", "metric", "100")


def _lose(scene: Scene, *, when: str = "/run/systemd/transient/deskside-*.service", how: str = "link", within: float = 600) -> None:
    words = (str(scene.state.path), scene.state.name, scene.name, when, how, str(within))
    detach(module("deskside_lab.faults", *words), scene.state.path / "fault-lost.err")
    if not eventually(lambda: alive(scene.pid_file("lost")), patience=15):
        raise LabError(f"{scene.name}: the watcher did not start; see {scene.state.path}/fault-lost.err")


def watch(scene: Scene, when: str, how: str, within: float) -> bool:
    """Wait until a file exists on the device (a pattern; a transient unit is a file too), then lose it.

    Returns:
        Whether it happened within ``within`` seconds.
    """
    remember(os.getpid(), scene.pid_file("lost"))
    limit, root = time.monotonic() + within, Path("/nowhere")
    while time.monotonic() < limit:
        with suppress(LabError, OSError):  # it may be restarting just now
            if not root.exists():
                root = Path(f"/proc/{pid_of(scene.state, scene.name)}/root")
            if any(root.glob(when.lstrip("/"))):
                _unreach(scene, how=how)
                return True
        time.sleep(0.05)
    return False


def _find(scene: Scene) -> None:
    end(scene.pid_file("lost"))
    _reach(scene)


# -- updates that go wrong -------------------------------------------------------------------------------------------


def _offer(package: str, version: str) -> Callable[[Scene], None]:
    def begin(scene: Scene) -> None:
        scene.repo.publish({**scene.repo.offered(scene.name), package: version}, devices=[scene.name])

    return begin


def _withdraw(package: str) -> Callable[[Scene], None]:
    def undo(scene: Scene) -> None:
        offered = scene.repo.offered(scene.name)
        scene.repo.publish({name: version for name, version in offered.items() if name != package}, devices=[scene.name])
        if OLD not in scene.execute("dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", package):
            _install(scene, Package(package, OLD), "--install", "--force-downgrade")
        _repair(scene)

    return undo


# -- people and the mirror -------------------------------------------------------------------------------------------


def _log_in(scene: Scene, *, person: str | None = None) -> None:
    assert scene.device is not None
    login = person or next(iter(scene.device.users), "tech")
    argv = ["ssh", "-F", str(scene.state.ssh_config), "-tt", f"{login}@{scene.name}", "sleep infinity"]
    detach(argv, scene.state.path / "fault-logged-in.err", pid_file=scene.pid_file("logged-in"))
    if not eventually(lambda: login in scene.execute("who").split(), patience=10):
        end(scene.pid_file("logged-in"))
        raise LabError(
            f"{scene.name}: {login} could not log in; people with a login there: {', '.join((*scene.device.users, 'tech'))}"
        )


def _log_out(scene: Scene) -> None:
    end(scene.pid_file("logged-in"))
    eventually(lambda: "pts/" not in scene.execute("who"), patience=10)


def _mirror_down(scene: Scene, *, how: str = "off") -> None:
    if SERVER not in states(scene.state):
        raise AskedWrongError(f"lab {scene.state.name} has no package server of its own (profile demo); this needs profile test")
    run(podman(*(("pause",) if how == "silent" else ("stop", "--time", "0")), scene.state.container(SERVER)))


def _mirror_up(scene: Scene) -> None:
    paused = states(scene.state).get(SERVER) == "paused"
    run(podman("unpause" if paused else "start", scene.state.container(SERVER)))
    wait_for_port("the package server", scene.repo.address, 80)


FAULTS: Mapping[str, Fault] = {
    "dpkg-locked": Fault(_lock_dpkg, _unlock_dpkg, "something holds the lock of dpkg for seconds=600"),
    "full-disk": Fault(_fill_disk, _empty_disk, f"no byte is left in path={ARCHIVES}"),
    "unreachable": Fault(_unreach, _reach, "nothing answers: how=link (cable pulled), silent (frozen) or off"),
    "lost": Fault(_lose, _find, "vanishes as soon as a file when=PATTERN appears on it: how=link, silent or off; within=600"),
    "half-configured": Fault(_unpack_only, _repair, "a package=lab-plain version=2.0 is unpacked, not configured"),
    "bad-postinst": Fault(_offer("lab-badpost", "2.0"), _withdraw("lab-badpost"), "is offered an update whose postinst fails"),
    "bad-service": Fault(
        _offer("lab-service", BROKEN_SERVICE),
        _withdraw("lab-service"),
        "is offered an update that installs well and breaks its service",
    ),
    "logged-in": Fault(_log_in, _log_out, "somebody works on it: person=LOGIN, its first user by default"),
    "mirror-down": Fault(_mirror_down, _mirror_up, "the package server is off (or how=silent); needs no device"),
}
FOR_THE_LAB = frozenset({"mirror-down"})


def begin(name: str, scene: Scene, options: Mapping[str, Any]) -> None:
    """Let something go wrong and write it down.

    Raises:
        LabError: There is no such fault, it has no such option, or it could not be brought about.
    """
    fault = find(name)
    if name not in FOR_THE_LAB and states(scene.state).get(scene.name) != "running":
        raise AskedWrongError(
            f"{scene.name} is not running, so {name} cannot happen to it; start it with `deskside lab up` or wake it"
        )
    try:
        inspect.signature(fault.begin).bind(scene, **options)
    except TypeError as error:
        raise AskedWrongError(f"fault {name}: {error}; it is: {fault.text}") from error
    fault.begin(scene, **options)
    _write(scene.state, [*active(scene.state), _entry(name, scene)])


def undo(name: str, scene: Scene) -> None:
    """Put it right again; no error when nothing was wrong."""
    find(name).undo(scene)
    _write(scene.state, [entry for entry in active(scene.state) if entry != _entry(name, scene)])


def find(name: str) -> Fault:
    """A fault by its name.

    Raises:
        LabError: There is none.
    """
    if name not in FAULTS:
        raise AskedWrongError(f"no fault is called {name!r}; there are {', '.join(FAULTS)}")
    return FAULTS[name]


def _entry(name: str, scene: Scene) -> tuple[str, str]:
    return (name, scene.device.name if scene.device else "")


def active(state: State) -> list[tuple[str, str]]:
    """What is wrong now: (fault, device), oldest first; the device is empty for a fault of the lab."""
    path = state.path / "faults.json"
    return [(name, device) for name, device in json.loads(path.read_text())] if path.exists() else []


def _write(state: State, entries: list[tuple[str, str]]) -> None:
    (state.path / "faults.json").write_text(json.dumps([*dict.fromkeys(entries)]))


def end_processes(state: State, devices: tuple[str, ...] | None = None) -> None:
    """End every background process of faults (of these devices only), whatever they were."""
    for path in state.path.glob("fault-*.pid"):
        if devices is None or any(path.stem.endswith(f"-{name}") for name in devices):
            end(path)


def forget(state: State, devices: tuple[str, ...]) -> None:
    """Devices were recreated: no fault of theirs is left."""
    end_processes(state, devices)
    _write(state, [entry for entry in active(state) if entry[1] not in devices])


def _watch(words: list[str]) -> int:
    from .build import present

    state = State(words[1], Path(words[0]))
    memory = state.recall()
    if memory is None:
        return 1
    scene = Scene(state, Repo(state, memory.prefix, tuple(memory.devices)), present(memory)[words[2]])
    return 0 if watch(scene, words[3], words[4], float(words[5])) else 1


if __name__ == "__main__":
    sys.exit(_watch(sys.argv[1:]))
