"""Where one lab keeps what it made: keys, known hosts, identities, the package repository, the office copy.

Several labs live side by side. Each has a name, a subnet and a state directory of its own; the subnet is remembered there.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .errors import AskedWrongError, LabError
from .processes import as_root, run

DEFAULT_NAME = "office"
OFFICE_OCTET = 7
OTHER_OCTETS = range(8, 61)
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
PACKAGE_DIR = Path(__file__).resolve().parent


def checkout() -> Path | None:
    """The repository this code runs from, or ``None`` when it was installed as a wheel."""
    top = PACKAGE_DIR.parent.parent
    return top if (top / "galaxy.yml").is_file() and (top / "inventory/example/hosts.yml").is_file() else None


def example_office() -> Path:
    """The office directory that the lab builds."""
    top = checkout()
    return top / "inventory/example" if top else PACKAGE_DIR / "example"


def default_root() -> Path:
    """Where labs are kept: ``.cache/lab`` of the repository, or the user's state directory when installed as a wheel."""
    top = checkout()
    if top:
        return top / ".cache" / "lab"
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "deskside" / "lab"


def default_name() -> str:
    """``$DESKSIDE_LAB``, or ``office``."""
    return os.environ.get("DESKSIDE_LAB") or DEFAULT_NAME


@dataclass(frozen=True, slots=True)
class State:
    """The directory of one lab.

    Attributes:
        name: The lab's name.
        path: Its directory; everything generated lies below it.
    """

    name: str
    path: Path

    @property
    def key(self) -> Path:
        """The private ssh key that opens every device."""
        return self.path / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The host keys of every device."""
        return self.path / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        """For ``ssh -F``: every device by its name."""
        return self.path / "ssh_config"

    @property
    def office(self) -> Path:
        """The office directory of this lab, with its own addresses."""
        return self.path / "office"

    @property
    def molecule(self) -> Path:
        """What Molecule needs to reach its instances."""
        return self.path / "molecule"

    @property
    def repository(self) -> Path:
        """The root of the package server."""
        return self.path / "repository"

    @property
    def mail(self) -> Path:
        """The mail server's authority and passwords."""
        return self.path / "mail"

    def device(self, name: str) -> Path:
        """What makes one device itself."""
        return self.path / "devices" / name

    @property
    def network(self) -> str:
        """The name of its podman network."""
        return f"deskside-{self.name}"

    def container(self, device: str) -> str:
        """The name of a device's container."""
        return f"deskside-{self.name}-{device}"

    def recall(self) -> Memory | None:
        """What an earlier ``up`` wrote down, or ``None``."""
        try:
            return Memory(**json.loads((self.path / "lab.json").read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise LabError(
                f"{self.path}/lab.json is damaged ({error}); run `deskside lab down --name {self.name}` and start again"
            ) from error

    def remember(self, memory: Memory) -> None:
        """Write down what ``down``, ``status`` and the next ``up`` have to know."""
        text = json.dumps({slot: getattr(memory, slot) for slot in memory.__slots__}, indent=1)
        draft = self.path / "lab.json.new"
        draft.write_text(text + "\n")
        draft.replace(self.path / "lab.json")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one ``up``, ``down`` or ``reset`` per lab at a time.

        Raises:
            LabError: Another one is at work.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LabError(
                    f"another `deskside lab` command works on lab {self.name} right now; wait for it, then repeat"
                ) from error
            yield

    def remove(self) -> None:
        """Delete the directory, also what root made in it."""
        run([*as_root(), "rm", "-rf", "--one-file-system", str(self.path)])


@dataclass(frozen=True, slots=True)
class Memory:
    """What is written down about a lab.

    Attributes:
        octet: Third octet of its subnet ``10.99.<octet>.0/24``.
        profile: ``test``, ``demo`` or ``molecule``.
        platform: What its devices run.
        pairs: How many pairs of instances Molecule has.
        devices: Names of the devices it has.
    """

    octet: int
    profile: str
    platform: str
    pairs: int = 1
    devices: list[str] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        """The first three octets with their dots: ``10.99.7.``."""
        return f"10.99.{self.octet}."


def open_state(name: str, root: Path | None) -> State:
    """Name the directory of a lab; nothing is made yet.

    Raises:
        AskedWrongError: The name cannot be one.
    """
    if not NAME.fullmatch(name):
        raise AskedWrongError(f"lab name {name!r}: lower-case letters, digits and hyphens, at most 31, beginning with a letter")
    return State(name, (root or default_root()).resolve() / name)
