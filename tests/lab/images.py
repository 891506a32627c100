"""Builds the images of the lab's devices from the distribution's own packages; no container registry is asked.

An image is rebuilt when anything that goes into it has changed: the label holds a checksum over all of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import CannotRunError, LabError
from .host import limit_flags, podman
from .packages import OLD, build_package, catalogue
from .processes import as_root, eventually, run
from .sources import KEYRING, host_mirrors
from .state import default_root

GUEST = Path(__file__).resolve().parent / "guest"
LABEL = "deskside.content"
BUILD_TIMEOUT = 900.0
PLATFORMS = {"debian12": "bookworm", "debian13": "trixie"}
BASE = (
    "systemd,systemd-sysv,dbus,libpam-systemd,python3,python3-apt,openssh-server,sudo,iproute2,procps,ca-certificates,"
    "debian-archive-keyring,passwd,tzdata"
)
MAIL = "postfix,dovecot-imapd,dovecot-lmtpd,openssl"


@dataclass(frozen=True, slots=True)
class Image:
    """One image: a platform, what it holds on top of the base, and whether the lab's own packages are installed."""

    platform: str
    mail: bool = False
    test: bool = False

    @property
    def name(self) -> str:
        """Its name in podman's store."""
        return f"localhost/deskside/{self.platform}{'-mail' if self.mail else ''}{'-test' if self.test else ''}"

    @property
    def base(self) -> Image:
        """The image it is made from: itself without the lab's packages."""
        return Image(self.platform, self.mail)


def ensure(images: Sequence[Image], *, say: Callable[[str], None]) -> None:
    """Build whatever is missing or outdated, at most two at a time; another lab that builds the same is waited for.

    Args:
        images: What is needed.
        say: Called with one line per image that has to be built.

    Raises:
        LabError: A build failed.
    """
    wanted = list(dict.fromkeys([*(image.base for image in images), *images]))
    if all(_current(image) for image in wanted):
        return
    with _alone():
        for stage in ([image for image in wanted if not image.test], [image for image in wanted if image.test]):
            todo = [image for image in stage if not _current(image)]
            for image in todo:
                say(
                    f"building image {image.name}"
                    + ("" if image.test else f" from {PLATFORMS[image.platform]} (once, about a minute)")
                )
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(_build, todo))


@contextmanager
def _alone() -> Iterator[None]:
    default_root().mkdir(parents=True, exist_ok=True)
    with (default_root() / "images.lock").open("w") as lock:

        def taken() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if not eventually(taken, patience=2 * BUILD_TIMEOUT, pause=0.5):
            raise LabError(
                f"another lab has been building images for {2 * BUILD_TIMEOUT:.0f} s; {default_root()}/images.lock is held"
            )
        yield


def content(image: Image) -> str:
    """A checksum over everything that decides what is in the image."""
    digest = hashlib.sha256(f"{image} {BASE} {MAIL} {host_mirrors()}".encode())
    for path in sorted(GUEST.iterdir()):
        if path.is_file() and (image.mail or not path.name.startswith("mail")):
            digest.update(path.name.encode() + path.read_bytes())
    if image.test:
        for package in catalogue():
            digest.update(build_package(package))
    return digest.hexdigest()[:32]


def _current(image: Image) -> bool:
    done = run(podman("image", "inspect", "--format", f'{{{{index .Labels "{LABEL}"}}}}', image.name), check=False)
    return done.returncode == 0 and done.stdout.strip() == content(image)


def identity(image: Image) -> str:
    """The id podman gave it."""
    return run(podman("image", "inspect", "--format", "{{.Id}}", image.name)).stdout.strip()


def _build(image: Image) -> None:
    before = run(podman("image", "inspect", "--format", "{{.Id}}", image.name), check=False).stdout.strip()
    if image.test:
        _layer(image)
    else:
        _bootstrap(image)
    if before and before != identity(image):
        run(podman("rmi", before), check=False)  # stays as long as a container or another image is made from it


def _bootstrap(image: Image) -> None:
    suite = PLATFORMS[image.platform]
    if not KEYRING.exists():
        raise CannotRunError(
            f"{KEYRING} is missing, so the Debian mirror cannot be trusted. Run: apt-get install debian-archive-keyring"
        )
    packages = f"{BASE},{MAIL}" if image.mail else BASE
    hooks = [
        f"install -m 755 {shlex.quote(str(GUEST / 'lab-boot'))} $1/usr/local/sbin/lab-boot",
        f"sh {shlex.quote(str(GUEST / 'base.sh'))} $1",
    ]
    if image.mail:
        hooks.append(f"sh {shlex.quote(str(GUEST / 'mail.sh'))} $1")
    build = [
        *as_root(),
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={packages}",
        *(f"--customize-hook={hook}" for hook in hooks),
    ]
    build += [
        "--dpkgopt=force-unsafe-io",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        suite,
        "-",
        f"deb [signed-by={KEYRING}] {host_mirrors().release} {suite} main",
    ]
    load = podman(
        "import", "--quiet", "--change", f"LABEL {LABEL}={content(image)}", "--change", 'CMD ["/sbin/init"]', "-", image.name
    )
    _pipe(build, load, image.name)


def _pipe(build: list[str], load: list[str], name: str) -> None:
    with tempfile.TemporaryFile() as said, subprocess.Popen(build, stdout=subprocess.PIPE, stderr=said) as maker:
        try:
            loaded = subprocess.run(load, stdin=maker.stdout, capture_output=True, check=False, timeout=BUILD_TIMEOUT)
            code = maker.wait(timeout=60)
        except subprocess.TimeoutExpired as error:
            maker.kill()
            raise LabError(f"building {name}: not finished after {BUILD_TIMEOUT:.0f} s; is the mirror reachable?") from error
        said.seek(0)
        words = said.read().decode(errors="replace")
    if code or loaded.returncode:
        run(podman("rmi", "--force", name), check=False)
        raise LabError(f"building {name} failed: {(words.strip() or loaded.stderr.decode(errors='replace'))[-600:]}")


def _layer(image: Image) -> None:
    """Put the lab's packages, each in its old version, on top of the base; its Debian sources go away."""
    with tempfile.TemporaryDirectory(prefix="deskside-layer-") as folder:
        room = Path(folder)
        (room / "debs").mkdir()
        for package in catalogue():
            if package.version == OLD:
                (room / "debs" / package.file_name).write_bytes(build_package(package))
        (room / "Containerfile").write_text(
            f"FROM {image.base.name}\nCOPY debs /tmp/debs\n"
            "RUN dpkg --force-unsafe-io -i /tmp/debs/*.deb && apt-mark -q hold lab-held && rm -rf /tmp/debs "
            "/etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*\n"
        )
        flags = ("--quiet", "--layers=false", "--network", "none", *limit_flags(), "--label", f"{LABEL}={content(image)}")
        run(podman("build", *flags, "-t", image.name, str(room)), timeout=BUILD_TIMEOUT)
