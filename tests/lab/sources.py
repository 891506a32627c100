"""Which Debian mirrors this machine itself uses: the images are built from those, so no address stands in this project."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import CannotRunError
from .processes import run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
RELEASES = ("bullseye", "bookworm", "trixie", "forky", "sid", "stable", "testing", "unstable", "oldstable")


@dataclass(frozen=True, slots=True)
class AptSource:
    """One address with one suite from an apt source file."""

    uri: str
    suite: str
    components: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Where the release and its security suite come from."""

    release: str
    security: str


def one_line_sources(text: str) -> Iterator[AptSource]:
    """Parse the one-line format of sources.list(5); comments and ``deb-src`` are left out."""
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*\]", " ", line.partition("#")[0]).split()
        if len(words) >= 3 and words[0] == "deb":
            yield AptSource(words[1].rstrip("/"), words[2], tuple(words[3:]))


def deb822_sources(text: str) -> Iterator[AptSource]:
    """Parse the deb822 format of sources.list(5); disabled stanzas are left out."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {"no", "false", "0"}:
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield AptSource(uri.rstrip("/"), suite, tuple(fields.get("components", "").split()))


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace() and name:
            fields[name] += f" {line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def host_sources(etc: Path = Path("/etc/apt")) -> list[AptSource]:
    """Everything this machine's apt is told to use."""
    found: list[AptSource] = []
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.is_file() and path.suffix in {".list", ".sources"}:
            parse = deb822_sources if path.suffix == ".sources" else one_line_sources
            found.extend(parse(path.read_text(errors="replace")))
    return found


def host_mirrors(etc: Path = Path("/etc/apt")) -> Mirrors:
    """The Debian mirrors of this machine; ``DESKSIDE_LAB_MIRROR`` and ``DESKSIDE_LAB_SECURITY_MIRROR`` go first.

    Raises:
        CannotRunError: There is none, for example because this machine is not Debian.
    """
    sources = [source for source in host_sources(etc) if "main" in source.components]
    release = os.environ.get("DESKSIDE_LAB_MIRROR") or _first(sources, "")
    security = os.environ.get("DESKSIDE_LAB_SECURITY_MIRROR") or _first(sources, "-security")
    if not release or not security:
        what = "Debian release" if not release else "Debian security suite"
        name = "DESKSIDE_LAB_MIRROR" if not release else "DESKSIDE_LAB_SECURITY_MIRROR"
        raise CannotRunError(
            f"{etc}/sources.list and {etc}/sources.list.d/* name no mirror of a {what}, and the lab's devices are Debian. "
            f"Set {name} to the address of one your network reaches (as after `deb` in sources.list)."
        )
    return Mirrors(release.rstrip("/"), security.rstrip("/"))


def _first(sources: list[AptSource], suffix: str) -> str | None:
    wanted = {f"{name}{suffix}" for name in RELEASES}
    return next((source.uri for source in sources if source.suite in wanted), None)


def proxy_options() -> list[str]:
    """The apt proxy settings of this machine that a container could use as well (a loopback proxy is this machine's alone)."""
    lines = run(["apt-config", "dump"], check=False).stdout.splitlines()
    return [
        line
        for line in lines
        if re.match(r"Acquire::https?::Proxy\b", line) and not re.search(r"//(127\.|localhost|\[::1\])", line)
    ]
