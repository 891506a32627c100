"""Carries out ``up`` and ``reset``: every step looks first whether it was already done, so an interrupted ``up`` goes on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import containers, mail, molecule, office, wake
from .errors import AskedWrongError, LabError
from .host import require_containers
from .identity import client_key, seed, write_ssh_files
from .images import PLATFORMS, Image, ensure, identity
from .network import ensure_network
from .office import ASLEEP, MAIL, Device
from .repo import Repo
from .sources import KEYRING, host_mirrors, proxy_options
from .state import Memory, State

PROFILES = ("test", "demo", "molecule")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an ``up`` was asked for; see :meth:`deskside_lab.Lab.up`."""

    profile: str
    devices: tuple[str, ...] | None
    platform: str
    pairs: int
    asleep: bool


def known_devices(profile: str, platform: str, pairs: int) -> dict[str, Device]:
    """Every device a profile can have, by name."""
    if profile == "molecule":
        return molecule.instances(pairs)
    return office.devices(platform)


def present(memory: Memory) -> dict[str, Device]:
    """The devices a lab has, by name, in the order of the office."""
    known = known_devices(memory.profile, memory.platform, memory.pairs)
    return {name: device for name, device in known.items() if name in memory.devices}


def up(state: State, wanted: Wanted, say: Say) -> None:
    """Build what is missing and start it.

    Raises:
        CannotRunError: This machine cannot run containers.
        LabError: Something failed, or a name is unknown.
    """
    started = time.monotonic()
    require_containers()
    memory = _decide(state, wanted)
    devices = present(memory)
    server = [] if memory.profile == "demo" else [Image("debian12", test=True)]
    ensure([*{_image(device, memory.profile) for device in devices.values()}, *server], say=say)
    state.path.mkdir(parents=True, exist_ok=True)
    memory = replace(memory, octet=ensure_network(state, memory.octet or None))
    state.remember(memory)
    _repository(state, memory)
    _replace_outdated(state, memory, devices, say)
    make(state, memory, devices, say)
    asleep = [name for name in devices if name in ASLEEP] if wanted.asleep else []
    containers.every(lambda name: containers.stop(state, name), asleep)
    if any(device.asleep for device in devices.values()):
        wake.start(state, {device.mac: name for name, device in devices.items() if ASLEEP.get(name)})
    say(f"lab {state.name}: {len(devices)} devices in {memory.prefix}0/24, {time.monotonic() - started:.0f} s")


def _decide(state: State, wanted: Wanted) -> Memory:
    """What this lab shall have: what it has, and what is asked for now."""
    if wanted.profile not in PROFILES:
        raise AskedWrongError(f"profile {wanted.profile!r}: one of {', '.join(PROFILES)}")
    if wanted.platform not in PLATFORMS:
        raise AskedWrongError(f"platform {wanted.platform!r}: one of {', '.join(PLATFORMS)}")
    before = state.recall()
    known = known_devices(wanted.profile, wanted.platform, wanted.pairs)
    asked = list(known) if wanted.devices is None else list(wanted.devices)
    unknown = [name for name in asked if name not in known]
    if unknown or not asked:
        raise AskedWrongError(
            f"the lab has no device called {', '.join(map(repr, unknown)) or 'nothing'}; it can have {', '.join(known)}"
        )
    if before is None:
        return Memory(octet=0, profile=wanted.profile, platform=wanted.platform, pairs=wanted.pairs, devices=asked)
    if (before.profile, before.platform) != (wanted.profile, wanted.platform):
        raise AskedWrongError(
            f"lab {state.name} is up with profile {before.profile} on {before.platform}; run `deskside lab down --name {state.name}` before "
            f"profile {wanted.profile} on {wanted.platform}, or use another --name"
        )
    return replace(
        before, pairs=max(before.pairs, wanted.pairs), devices=[name for name in known if name in {*before.devices, *asked}]
    )


def _image(device: Device, profile: str) -> Image:
    return Image(device.platform, mail="mail_servers" in device.groups, test=profile != "demo")


def _replace_outdated(state: State, memory: Memory, devices: Mapping[str, Device], say: Say) -> None:
    """Devices whose image has been built anew since: Molecule's are made again, the office's are only named, they may hold work."""
    newest = {image: identity(image) for image in {_image(device, memory.profile) for device in devices.values()}}
    made_from = containers.image_ids(state)
    old = [
        name for name, device in devices.items() if name in made_from and made_from[name] != newest[_image(device, memory.profile)]
    ]
    if old and memory.profile == "molecule":
        containers.remove(state, old)
    elif old:
        say(f"{', '.join(old)}: made from an older image; `deskside lab reset --name {state.name} {' '.join(old)}` renews them")


def _repository(state: State, memory: Memory) -> None:
    if memory.profile == "demo":
        return
    repo = Repo(state, memory.prefix, tuple(memory.devices))
    new = [name for name in memory.devices if not (state.repository / "for" / name).is_symlink()]
    if new:
        repo.publish(devices=new)
    repo.serve(Image("debian12", test=True).name)


def make(state: State, memory: Memory, devices: Mapping[str, Device], say: Say) -> None:
    """Create and start the devices that are not there; wait until each answers."""
    now = containers.states(state)
    missing = [name for name in devices if name not in now]
    if missing:
        say(f"creating {', '.join(missing)}")
        client_key(state)
    containers.every(lambda name: _create(state, memory, devices[name]), missing)
    _facts(state, memory)
    containers.every(lambda name: containers.pulse(state, name, "unpause"), [name for name in devices if now.get(name) == "paused"])
    containers.every(
        lambda name: containers.start(state, name),
        [name for name in devices if now.get(name) not in {"running", "paused"} and not _sleeps(state, name, now)],
    )
    awake = [name for name in devices if not _sleeps(state, name, now)]
    containers.every(lambda name: containers.wait_for_ssh(name, f"{memory.prefix}{devices[name].number}"), awake)
    containers.every(
        lambda name: _finish(state, memory, devices[name]), [name for name in awake if not _finished(state, name).exists()]
    )


def _sleeps(state: State, name: str, now: Mapping[str, str]) -> bool:
    """A device that is switched off at night stays as it is, once it lacks nothing."""
    return name in ASLEEP and name in now and _finished(state, name).exists()


def _create(state: State, memory: Memory, device: Device) -> None:
    room = seed(state, device)
    _finished(state, device.name).unlink(missing_ok=True)
    shutil.rmtree(room / "root/etc/apt", ignore_errors=True)
    apt = room / "root/etc/apt"
    (apt / "sources.list.d").mkdir(parents=True)
    (apt / "keyrings").mkdir()
    if memory.profile == "demo":
        shutil.copy(KEYRING, apt / "keyrings/debian.gpg")
        _demo_sources(apt, PLATFORMS[device.platform])
    else:
        repo = Repo(state, memory.prefix, tuple(memory.devices))
        shutil.copy(repo.keyring, apt / "keyrings/lab.gpg")
        (apt / "sources.list.d/lab.sources").write_text(repo.sources(device.name))
    if device.name == MAIL:
        mail.prepare(state, memory.prefix, room)
    address = f"{memory.prefix}{device.number}"
    names = ("--add-host", f"mail.{mail.DOMAIN}:{memory.prefix}{mail.NUMBER}")
    containers.create(
        state, device.name, _image(device, memory.profile).name, address=address, mac=device.mac, seed=room, extra=names
    )


def _demo_sources(apt: Path, suite: str) -> None:
    """The mirrors of this machine: the release the image was made from, and the security suite that brings what is pending."""
    mirrors = host_mirrors()
    stanzas = ((mirrors.release, suite), (mirrors.security, f"{suite}-security"))
    text = "\n".join(
        f"Types: deb\nURIs: {uri}\nSuites: {name}\nComponents: main\nSigned-By: /etc/apt/keyrings/debian.gpg\n"
        for uri, name in stanzas
    )
    (apt / "sources.list").write_text("# see sources.list.d/debian.sources\n")
    (apt / "sources.list.d/debian.sources").write_text(text)
    (apt / "apt.conf.d").mkdir()
    (apt / "apt.conf.d/10lab").write_text("".join(f"{line}\n" for line in proxy_options()) + 'Acquire::Languages "none";\n')


def _finish(state: State, memory: Memory, device: Device) -> None:
    """What a fresh device still needs once it is up: the lists of its sources."""
    done = containers.execute(state, device.name, ["apt-get", "-qq", "-o", "Acquire::Retries=3", "update"], timeout=300)
    if done.returncode:
        raise LabError(f"{device.name}: apt-get update failed: {done.stderr.strip()[-400:]}")
    if device.name == MAIL:
        mail.wait(state, memory.prefix)
    _finished(state, device.name).touch()


def _finished(state: State, name: str) -> Path:
    """Marks that a device lacks nothing; an interrupted ``up`` sees by it what is left to do."""
    return state.device(name) / "finished"


def _facts(state: State, memory: Memory) -> None:
    devices = present(memory)
    write_ssh_files(state, memory.prefix, devices.values())
    if memory.profile == "molecule":
        molecule.write_facts(state, memory.prefix, devices)
    else:
        office.copy_office(state, memory.prefix, memory.devices)


def reset(state: State, memory: Memory, names: Collection[str], say: Say) -> None:
    """Recreate devices from their images; identity and address stay."""
    devices = {name: device for name, device in present(memory).items() if name in names}
    ensure([_image(device, memory.profile) for device in devices.values()], say=say)
    containers.remove(state, devices)
    make(state, memory, devices, say)
    containers.every(lambda name: containers.stop(state, name), [name for name in devices if name in ASLEEP])
