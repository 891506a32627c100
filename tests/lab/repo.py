"""The lab's signed package repository: which newer version is offered to whom is decided per test, in well under a second.

Every device has an address of its own on the server, ``/for/<device>``, which is a symbolic link to a channel: a pair of signed
suites, ``lab`` and ``lab-security``. Publishing writes a new channel and turns links, so devices that share an offer see the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .containers import states, wait_for_port
from .errors import AskedWrongError
from .host import limit_flags, podman
from .images import GUEST
from .packages import NAMES, OLD, Package, build_package, control
from .processes import run
from .state import State

SERVER = "repo"
SERVER_NUMBER = 2
MAC = "02:de:5c:00:07:02"
SUITES = ("lab", "lab-security")
NEWER: Mapping[str, str] = dict.fromkeys(NAMES, "2.0")


@dataclass(frozen=True, slots=True)
class Repo:
    """The repository of one lab.

    Attributes:
        state: The lab.
        prefix: First three octets of its network.
        devices: Who has an address on the server.
    """

    state: State
    prefix: str
    devices: tuple[str, ...]

    @property
    def address(self) -> str:
        """The server's address."""
        return f"{self.prefix}{SERVER_NUMBER}"

    @property
    def keyring(self) -> Path:
        """The public key that devices trust."""
        return self.state.path / "archive-key.gpg"

    def sources(self, device: str) -> str:
        """The apt source file of a device."""
        suites = " ".join(f"{suite}/" for suite in SUITES)
        return f"Types: deb\nURIs: http://{self.address}/for/{device}\nSuites: {suites}\nSigned-By: /etc/apt/keyrings/lab.gpg\n"

    def publish(self, versions: Mapping[str, str] | None = None, *, devices: Iterable[str] | None = None) -> None:
        """Offer newer versions, and nothing else newer than what devices start with.

        Args:
            versions: Package name to version, for example ``{"lab-harmless": "2.0", "lab-service": "3.0"}``; ``None`` = 2.0 of every
                package, ``{}`` = nothing newer. Version 1.0 of every package is always offered too, so that an update can be undone.
            devices: Who gets this offer; everybody when ``None``. Others keep theirs.

        Raises:
            LabError: A package or device has no such name.
        """
        offered = dict(NEWER if versions is None else versions)
        asked = self.devices if devices is None else tuple(devices)
        _refuse_unknown("package", offered, NAMES)
        _refuse_unknown("device", asked, self.devices)
        packages = [Package(name, OLD) for name in NAMES] + [
            Package(name, version) for name, version in offered.items() if version != OLD
        ]
        channel = self._write_channel(packages)
        (channel / "offer.json").write_text(json.dumps(offered))
        for device in asked:
            _point(self.state.repository / "for" / device, Path("..") / "channels" / channel.name)
        self._sweep()

    def offered(self, device: str) -> dict[str, str]:
        """The newer versions a device is offered now."""
        _refuse_unknown("device", [device], self.devices)
        path = self.state.repository / "for" / device / "offer.json"
        if not path.exists():
            raise AskedWrongError(f"lab {self.state.name} has no package server of its own (profile demo); this needs profile test")
        found: dict[str, str] = json.loads(path.read_text())
        return found

    def _write_channel(self, packages: list[Package]) -> Path:
        channels = self.state.repository / "channels"
        channels.mkdir(parents=True, exist_ok=True)
        (self.state.repository / "for").mkdir(exist_ok=True)
        channel = Path(tempfile.mkdtemp(dir=channels))
        channel.chmod(0o755)
        (channel / "pool").symlink_to("../../pool")
        indexes = {suite: "".join(self._stanza(package) for package in packages if _suite(package) == suite) for suite in SUITES}
        with self._gpg() as gpg:
            for suite, index in indexes.items():
                folder = channel / suite
                folder.mkdir()
                (folder / "Packages").write_text(index)
                (folder / "Release").write_text(_release(suite, index))
                run([*gpg, "--clearsign", "--output", str(folder / "InRelease"), str(folder / "Release")])
        return channel

    def _stanza(self, package: Package) -> str:
        pool = self.state.repository / "pool"
        pool.mkdir(parents=True, exist_ok=True)
        data = build_package(package)
        path = pool / package.file_name
        if not path.exists():
            path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        return f"{control(package)}Filename: pool/{package.file_name}\nSize: {len(data)}\nSHA256: {digest}\n\n"

    @contextmanager
    def _gpg(self) -> Iterator[list[str]]:
        """Gpg with a home of its own on a short path (an agent's socket may not have a long one); its agent ends with it."""
        secret = self.state.path / "archive-key.secret"
        home = tempfile.mkdtemp(prefix="dsk-gpg-", dir="/tmp")
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""]
        try:
            if secret.exists():
                run([*gpg, "--import", str(secret)])
            else:
                run([*gpg, "--quick-gen-key", "deskside lab archive <lab@example.org>", "ed25519", "sign", "never"])
                secret.touch(mode=0o600)
                secret.write_text(run([*gpg, "--armor", "--export-secret-keys"]).stdout)
                run([*gpg, "--output", str(self.keyring), "--export"])
            yield gpg
        finally:
            run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
            shutil.rmtree(home, ignore_errors=True)

    def _sweep(self) -> None:
        used = {link.readlink().name for link in (self.state.repository / "for").iterdir() if link.is_symlink()}
        for channel in (self.state.repository / "channels").iterdir():
            if channel.name not in used:
                shutil.rmtree(channel)

    def serve(self, image: str) -> None:
        """Start the server in a container of its own."""
        if states(self.state).get(SERVER) == "running":
            return
        name = self.state.container(SERVER)
        run(podman("rm", "--force", "--ignore", "--time", "0", name))
        words = [
            "run",
            "--detach",
            "--quiet",
            "--name",
            name,
            "--hostname",
            SERVER,
            "--label",
            f"deskside.lab={self.state.name}",
            "--restart=always",
        ]
        words += [
            "--network",
            self.state.network,
            "--ip",
            self.address,
            "--mac-address",
            MAC,
            *limit_flags(),
            "--stop-signal",
            "KILL",
        ]
        words += ["--volume", f"{self.state.repository}:/srv:ro", "--volume", f"{GUEST / 'serve.py'}:/serve.py:ro"]
        run(podman(*words, image, "python3", "-S", "/serve.py", "/srv"))
        wait_for_port("the package server", self.address, 80)


def _suite(package: Package) -> str:
    return "lab-security" if package.security and package.version != OLD else "lab"


def _release(suite: str, index: str) -> str:
    label = "Lab-Security" if suite.endswith("-security") else "Lab"
    digest = hashlib.sha256(index.encode()).hexdigest()
    date = datetime.now(tz=UTC).strftime("%a, %d %b %Y %H:%M:%S UTC")
    return (
        f"Origin: Lab\nLabel: {label}\nSuite: {suite}\nCodename: {suite}\nDate: {date}\nArchitectures: all amd64 arm64\n"
        f"SHA256:\n {digest} {len(index.encode())} Packages\n"
    )


def _point(link: Path, target: Path) -> None:
    """Turn a link in one step: whoever fetches sees the old channel or the new one."""
    draft = link.with_name(f".{link.name}.new")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(link)


def _refuse_unknown(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in {*known}:
            raise AskedWrongError(f"the lab has no {kind} called {name!r}; it has {', '.join(known)}")
