"""The lab as tests, the demo and the command line use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from . import build, containers, faults, office, wake
from .errors import AskedWrongError, LabError
from .mail import NUMBER, Mailboxes
from .network import belongs_to_another, remove_network
from .office import Device
from .packages import WITNESS
from .processes import run
from .repo import Repo
from .state import Memory, State, default_name, open_state

Say = Callable[[str], None]


def _silent(_line: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One line of ``deskside lab status``."""

    device: str
    address: str
    state: str
    ssh: bool
    role: str
    login: str


class Lab:
    """One lab: a network of devices, a package server and a mail server, with everything generated below one directory.

    Args:
        name: Its name; ``$DESKSIDE_LAB`` or ``office`` when ``None``.
        root: Where labs are kept; ``.cache/lab`` of the repository when ``None``.
        say: Called with one line per step worth telling.

    Raises:
        LabError: The name cannot be one.
    """

    def __init__(self, name: str | None = None, root: Path | None = None, *, say: Say = _silent) -> None:
        self.state: State = open_state(name or default_name(), root)
        self._say = say

    # -- life --------------------------------------------------------------------------------------------------------

    def up(
        self,
        profile: str = "test",
        devices: Iterable[str] | None = None,
        *,
        platform: str = "debian12",
        pairs: int = 1,
        asleep: bool = True,
    ) -> None:
        """Build what is missing and start it; goes on where an interrupted ``up`` stopped.

        Args:
            profile: ``test`` (no source but the lab's own repository, every lab package in its old version), ``demo`` (real
                pending security updates) or ``molecule`` (``mol-debian12`` and ``mol-debian13``).
            devices: Only these devices of the office (``mail`` comes along only when named); all when ``None``.
            platform: What the office's devices run, ``debian12`` or ``debian13``.
            pairs: How many pairs of instances Molecule gets.
            asleep: Leave the devices that are switched off at night switched off.

        Raises:
            CannotRunError: This machine cannot run containers; says what to do.
            LabError: Something failed; says what.
        """
        wanted = build.Wanted(profile, None if devices is None else tuple(devices), platform, pairs, asleep)
        with self.state.locked():
            build.up(self.state, wanted, self._say)

    def down(self) -> None:
        """Remove every container, the network, the processes and the state; safe to run twice.

        A lab of the same name that another directory has brought up is left alone.
        """
        with self.state.locked():
            wake.stop(self.state)
            faults.end_processes(self.state)
            if not belongs_to_another(self.state):
                containers.remove(self.state, containers.states(self.state))
                remove_network(self.state)
        self.state.remove()

    # -- facts -------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The lab's name."""
        return self.state.name

    @property
    def memory(self) -> Memory:
        """What the last ``up`` made.

        Raises:
            LabError: The lab is not up.
        """
        memory = self.state.recall()
        if memory is None:
            raise AskedWrongError(f"lab {self.name} is not up; run `deskside lab up --name {self.name}`")
        return memory

    @property
    def devices(self) -> dict[str, Device]:
        """Every device this lab has, by name."""
        return build.present(self.memory)

    def address(self, device: str) -> str:
        """The address of a device.

        Raises:
            LabError: There is no such device.
        """
        return f"{self.memory.prefix}{self._device(device).number}"

    def _device(self, name: str) -> Device:
        try:
            return self.devices[name]
        except KeyError:
            raise AskedWrongError(f"lab {self.name} has no device called {name!r}; it has {', '.join(self.devices)}") from None

    @property
    def inventory_dir(self) -> Path:
        """The office directory of this lab: its addresses, absolute paths, only its devices. Tests add maintenance.yml."""
        return self.state.office

    @property
    def ssh_config(self) -> Path:
        """For ``ssh -F``."""
        return self.state.ssh_config

    @property
    def known_hosts(self) -> Path:
        """The host keys of every device."""
        return self.state.known_hosts

    @property
    def key(self) -> Path:
        """The private ssh key."""
        return self.state.key

    @property
    def repo(self) -> Repo:
        """The package repository."""
        memory = self.memory
        return Repo(self.state, memory.prefix, tuple(memory.devices))

    @property
    def mail(self) -> Mailboxes:
        """The mailboxes, and what a sender needs: address, authority, login, password file."""
        return Mailboxes(self.state, f"{self.memory.prefix}{NUMBER}")

    # -- devices -----------------------------------------------------------------------------------------------------

    def exec(self, device: str, argv: Sequence[str], *, timeout: float = 60, stdin: bytes | None = None) -> CompletedProcess[str]:
        """Run a program as root on a device, past ssh; the exit code is the caller's to judge."""
        self._device(device)
        return containers.execute(self.state, device, argv, timeout=timeout, stdin=stdin)

    def states(self) -> dict[str, str]:
        """What podman says of every device: ``running``, ``exited``, ``paused`` …, or ``missing``."""
        now = containers.states(self.state)
        return {name: now.get(name, "missing") for name in self.devices}

    def start(self, device: str) -> None:
        """Switch a device on and wait until ssh answers."""
        self._device(device)
        containers.start(self.state, device)
        containers.wait_for_ssh(device, self.address(device))

    def stop(self, device: str) -> None:
        """Switch a device off."""
        self._device(device)
        containers.stop(self.state, device)

    def reset(self, devices: Iterable[str] | None = None) -> None:
        """Give devices (all when ``None``) a fresh system; they keep their identity, sleeping ones sleep again."""
        names = tuple(self.devices) if devices is None else tuple(self._device(name).name for name in devices)
        with self.state.locked():
            faults.forget(self.state, names)
            build.reset(self.state, self.memory, names, self._say)

    def sleep(self) -> None:
        """Switch off what is switched off at night."""
        containers.every(self.stop, [name for name in self.devices if name in office.ASLEEP and self.states()[name] == "running"])

    # -- evidence ----------------------------------------------------------------------------------------------------

    def read(self, device: str, path: str) -> str:
        """A file of a device as text, also when it is switched off; empty when there is none."""
        self._device(device)
        return containers.read(self.state, device, path).decode(errors="replace")

    def dpkg_log(self, device: str) -> str:
        """dpkg's own log of a device."""
        return self.read(device, "/var/log/dpkg.log")

    def witness(self, device: str) -> list[str]:
        """The lines lab-harmless left: exactly one per configured newer version."""
        return self.read(device, WITNESS).splitlines()

    def pid1_starts(self, device: str) -> int:
        """How often PID 1 of a device was started since it was created, by the line each start leaves."""
        return len(self.read(device, "/var/log/lab-boots").splitlines())

    def journal(self, device: str, *arguments: str) -> str:
        """The journal of a running device, also from before its restarts; ``arguments`` as for journalctl.

        Raises:
            LabError: The device does not run.
        """
        argv = ["journalctl", "--quiet", "--no-pager", "--utc", "--output", "short-iso-precise", *arguments]
        done = self.exec(device, argv)
        if done.returncode:
            raise LabError(f"{device}: journalctl: {done.stderr.strip()[-300:]}")
        return done.stdout

    def wake_log(self) -> list[str]:
        """Every packet the listener saw and what came of it."""
        log = self.state.path / "wol.log"
        return log.read_text().splitlines() if log.exists() else []

    def status(self) -> list[DeviceStatus]:
        """Every device: what podman says and whether a real, non-interactive login works."""
        now = self.states()

        def asked(name: str) -> DeviceStatus:
            device = self.devices[name]
            ssh = now[name] == "running" and self._logs_in(name)
            return DeviceStatus(name, self.address(name), now[name], ssh, device.role, device.login)

        return containers.every(asked, now)

    def _logs_in(self, name: str) -> bool:
        argv = ["ssh", "-F", str(self.ssh_config), "-o", "ConnectTimeout=3", name, "true"]
        return run(argv, check=False, timeout=15).returncode == 0

    # -- faults ------------------------------------------------------------------------------------------------------

    def begin_fault(self, name: str, device: str | None = None, **options: Any) -> None:
        """Let something go wrong; :data:`deskside_lab.faults.FAULTS` lists what and with which options.

        Raises:
            LabError: It could not be brought about.
        """
        faults.begin(name, self._scene(device), options)

    def undo_fault(self, name: str, device: str | None = None) -> None:
        """Put it right again."""
        faults.undo(name, self._scene(device))

    @contextmanager
    def fault(self, name: str, device: str | None = None, **options: Any) -> Iterator[None]:
        """Something is wrong inside the ``with`` block, and right again after it."""
        self.begin_fault(name, device, **options)
        try:
            yield
        finally:
            self.undo_fault(name, device)

    def active_faults(self) -> list[tuple[str, str]]:
        """What is wrong now: (fault, device)."""
        return faults.active(self.state)

    def _scene(self, device: str | None) -> faults.Scene:
        return faults.Scene(self.state, self.repo, self._device(device) if device else None)
