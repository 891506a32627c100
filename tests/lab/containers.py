"""Makes, starts, stops and asks the containers that are the lab's devices."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

from .errors import LabError
from .host import limit_flags, podman
from .processes import eventually, run
from .state import State

AT_ONCE = 4
LAB_LABEL = "deskside.lab"
SSH_PATIENCE = 60.0


def create(state: State, name: str, image: str, *, address: str, mac: str, seed: Path, extra: Sequence[str] = ()) -> None:
    """Create the container of a device; it is not started.

    ``--restart=always`` makes a restart asked for inside really bring it back. The journal is a volume of its own because
    podman would otherwise put a file system in memory there, and the journal would not outlive a restart.
    """
    words = ["create", "--quiet", "--name", state.container(name), "--hostname", name, "--label", f"{LAB_LABEL}={state.name}"]
    words += [
        "--systemd=always",
        "--restart=always",
        "--network",
        state.network,
        "--ip",
        address,
        "--mac-address",
        mac,
        *limit_flags(),
    ]
    words += [
        "--volume",
        f"{seed}:/etc/deskside-lab:ro",
        "--volume",
        f"{seed}/machine-id:/etc/machine-id:ro",
        "--volume",
        "/var/log/journal",
    ]
    run(podman(*words, *extra, image))


def states(state: State) -> dict[str, str]:
    """The state podman reports (``running``, ``exited``, ``paused`` …) of every container of a lab, by device name."""
    done = run(podman("ps", "--all", "--filter", f"label={LAB_LABEL}={state.name}", "--format", "json"))
    prefix = state.container("")
    return {entry["Names"][0].removeprefix(prefix): entry["State"] for entry in json.loads(done.stdout or "[]")}


def image_ids(state: State) -> dict[str, str]:
    """The id of the image each container of a lab was made from, by device name."""
    done = run(podman("ps", "--all", "--filter", f"label={LAB_LABEL}={state.name}", "--format", "json"))
    prefix = state.container("")
    return {entry["Names"][0].removeprefix(prefix): entry["ImageID"] for entry in json.loads(done.stdout or "[]")}


def start(state: State, name: str) -> None:
    """Switch a device on."""
    run(podman("start", state.container(name)))


def stop(state: State, name: str, *, patience: int = 3) -> None:
    """Switch a device off; it gets ``patience`` seconds to shut down."""
    run(podman("stop", "--time", str(patience), state.container(name)))


def pulse(state: State, name: str, verb: str) -> None:
    """``pause`` or ``unpause`` a device."""
    run(podman(verb, state.container(name)))


def pid_of(state: State, name: str) -> int:
    """The process id of a device's PID 1 on this machine.

    Raises:
        LabError: It does not run.
    """
    pid = int(run(podman("inspect", "--format", "{{.State.Pid}}", state.container(name))).stdout)
    if not pid:
        raise LabError(f"{name} is not running")
    return pid


def read(state: State, name: str, path: str) -> bytes:
    """The content of a file of a device, also when it is switched off; empty when there is no such file."""
    raw = subprocess.run(podman("cp", f"{state.container(name)}:{path}", "-"), capture_output=True, check=False, timeout=60).stdout
    if not raw:
        return b""
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        member = archive.extractfile(archive.getmembers()[0])
        return member.read() if member else b""


def remove(state: State, names: Iterable[str]) -> None:
    """Remove containers with their volumes; those that are not there are no error."""
    every(lambda name: run(podman("rm", "--force", "--ignore", "--time", "0", "--volumes", state.container(name))), names)


def execute(
    state: State, name: str, argv: Sequence[str], *, timeout: float = 60, stdin: bytes | None = None
) -> CompletedProcess[str]:
    """Run a program as root on a device, past ssh; never raises because of its exit code."""
    flags = ("--interactive",) if stdin is not None else ()
    return run(podman("exec", *flags, state.container(name), *argv), check=False, timeout=timeout, stdin=stdin)


def every[T](act: Callable[[str], T], names: Iterable[str]) -> list[T]:
    """Do the same to several devices, a few at a time; the first failure is raised after all have ended."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(act, names))


def ssh_answers(address: str, *, timeout: float = 1.0) -> bool:
    """Whether an ssh server says its first line."""
    try:
        with socket.create_connection((address, 22), timeout=timeout) as connection:
            connection.settimeout(timeout)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def wait_for_port(what: str, address: str, port: int, *, patience: float = 20) -> None:
    """Wait until a server accepts connections.

    Raises:
        LabError: It did not in time.
    """

    def accepts() -> bool:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            return False
        return True

    if not eventually(accepts, patience=patience):
        raise LabError(f"{what} does not answer on {address}:{port} after {patience:.0f} s")


def wait_for_ssh(name: str, address: str, *, patience: float = SSH_PATIENCE) -> None:
    """Wait until a device can be logged in to.

    Raises:
        LabError: It did not come up in time.
    """
    if not eventually(lambda: ssh_answers(address), patience=patience):
        raise LabError(f"{name} ({address}): no ssh after {patience:.0f} s; see `deskside lab shell {name}` or `podman logs`")
