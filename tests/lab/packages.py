"""The lab's own packages, older and newer, so that no test depends on the date.

A .deb is written here byte by byte (an ``ar`` archive of two tars): a millisecond each, the same bytes every time, no tool needed.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

OLD = "1.0"
WITNESS = "/var/log/lab-harmless.witness"
SERVICE_PORT = 8099


@dataclass(frozen=True, slots=True)
class Package:
    """One version of one of the lab's packages.

    Attributes:
        name: One of :data:`NAMES`.
        version: ``1.0`` is what devices start with; every other version behaves as its name says.
    """

    name: str
    version: str

    @property
    def file_name(self) -> str:
        """The name of its .deb."""
        return f"{self.name}_{self.version}_all.deb"

    @property
    def security(self) -> bool:
        """Whether a newer version comes through the security suite."""
        return self.name != "lab-plain"


NAMES: dict[str, str] = {
    "lab-harmless": f"a harmless update; configuring a newer version appends one line to {WITNESS}",
    "lab-plain": "newer, but no security update",
    "lab-kernel": "a newer version asks for a restart of the device",
    "lab-service": f"an HTTP service on port {SERVICE_PORT}; 2.0 restarts it, 3.0 breaks it although dpkg succeeds",
    "lab-badpost": "the postinst of a newer version fails",
    "lab-held": "held back on every device",
}
BROKEN_SERVICE = "3.0"
BAD_POST_TEXT = "lab-badpost: database is locked"


def catalogue() -> list[Package]:
    """Every version the tests use: the old ones first."""
    versions = [(name, version) for version in (OLD, "2.0") for name in NAMES]
    return [Package(name, version) for name, version in [*versions, ("lab-service", BROKEN_SERVICE)]]


def control(package: Package) -> str:
    """The control stanza, as it also stands in a Packages index."""
    return (
        f"Package: {package.name}\nVersion: {package.version}\nArchitecture: all\nMaintainer: The lab <lab@example.org>\nInstalled-Size: 4\n"
        f"Section: misc\nPriority: optional\nDescription: lab: {NAMES[package.name]}\n"
    )


def build_package(package: Package) -> bytes:
    """The .deb itself."""
    inner = [("./control", control(package), 0o644)]
    script = "".join(_postinst(package))
    if script:
        inner.append(("./postinst", f"#!/bin/sh\nset -e\n{script}", 0o755))
    return b"!<arch>\n" + b"".join(
        (_member("debian-binary", b"2.0\n"), _member("control.tar", _tar(inner)), _member("data.tar", _tar(_files(package))))
    )


def _postinst(package: Package) -> Iterator[str]:
    new = package.version != OLD
    if package.name == "lab-service":
        # In an image being built no systemd runs; its units start with the device.
        yield "if [ -d /run/systemd/system ]; then systemctl daemon-reload; systemctl restart lab-service.service || true; fi\n"
    elif package.name == "lab-harmless" and new:
        yield f'if [ "$1" = configure ]; then echo "$(date +%s) {package.version}" >> {WITNESS}; fi\n'
    elif package.name == "lab-kernel" and new:
        yield "touch /run/reboot-required\necho lab-kernel >> /run/reboot-required.pkgs\n"
    elif package.name == "lab-badpost" and new:
        yield f'echo "{BAD_POST_TEXT}" >&2\nexit 1\n'


def _files(package: Package) -> list[tuple[str, str, int]]:
    files = [(f"./usr/share/{package.name}/version", f"{package.version}\n", 0o644)]
    if package.name == "lab-service":
        command = (
            "/bin/false"
            if package.version == BROKEN_SERVICE
            else f"/usr/bin/python3 -S -m http.server --directory /usr/share/lab-service {SERVICE_PORT}"
        )
        unit = f"[Unit]\nDescription=The lab's service, version {package.version}\n[Service]\nExecStart={command}\n"
        files.append(("./lib/systemd/system/lab-service.service", unit, 0o644))
        files.append(
            ("./etc/systemd/system/multi-user.target.wants/lab-service.service", "/lib/systemd/system/lab-service.service", 0)
        )
    return files


def _tar(files: list[tuple[str, str, int]]) -> bytes:
    """A tar of regular files; mode 0 makes the text the target of a symbolic link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        folders: set[str] = set()
        for name, text, mode in files:
            for folder in _parents(name):
                if folder not in folders:
                    folders.add(folder)
                    archive.addfile(_info(folder, tarfile.DIRTYPE, 0o755))
            if mode:
                info = _info(name, tarfile.REGTYPE, mode)
                info.size = len(text.encode())
                archive.addfile(info, io.BytesIO(text.encode()))
            else:
                info = _info(name, tarfile.SYMTYPE, 0o777)
                info.linkname = text
                archive.addfile(info)
    return out.getvalue()


def _parents(name: str) -> Iterator[str]:
    parts = name.split("/")[:-1]
    for end in range(1, len(parts) + 1):
        yield "/".join(parts[:end])


def _info(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uname, info.gname = kind, mode, "root", "root"
    return info


def _member(name: str, data: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
    return head + data + (b"\n" if len(data) % 2 else b"")
