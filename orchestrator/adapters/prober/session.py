"""One command on one device: over asyncssh, or over the ssh program where only that can honour an option. Host keys are always checked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.prober.connections import Connection

if TYPE_CHECKING:
    import asyncssh

OUTPUT_AT_MOST = 4 * 1024 * 1024


class UnreachableError(Exception):
    """The device did not answer, is not who it should be, or let us not in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended. ``path``: the way it took, ``asyncssh``, ``openssh (option)`` or ``local``."""

    code: int
    out: str
    err: str
    path: str


async def run(connection: Connection, script: str, *, root: bool, seconds: float) -> Done:
    """Run a shell script on a device.

    Args:
        connection: The way in.
        script: POSIX sh; it must not read standard input, which carries the sudo password.
        root: Become root when the login is somebody else.
        seconds: For everything, connecting included.

    Raises:
        UnreachableError: With the reason in words.
    """
    if connection.error:
        raise UnreachableError(connection.error)
    try:
        async with asyncio.timeout(seconds):
            if connection.kind == "local":
                return await _program(["sh", "-c", _command(connection, script, root=root)], connection, root=root, path="local")
            if connection.needs_openssh:
                return await _openssh(connection, script, root=root)
            return await _asyncssh(connection, script, root=root)
    except TimeoutError:
        raise UnreachableError(f"no answer within {seconds:g} s") from None


def _command(connection: Connection, script: str, *, root: bool) -> str:
    """``script`` as one shell word list; through sudo only when the login is not root already."""
    quoted = shlex.quote(script)
    if not root:
        return f"sh -c {quoted} </dev/null"
    sudo = "sudo -k -S -p ''" if connection.become_password else "sudo -n"
    return f'if [ "$(id -u)" = 0 ]; then exec sh -c {quoted} </dev/null; else exec {sudo} -- sh -c {quoted}; fi'


def _stdin(connection: Connection, *, root: bool) -> str:
    """The sudo password, when there is one; whoever does not need it never reads it."""
    return f"{connection.become_password}\n" if root and connection.become_password else ""


async def _asyncssh(connection: Connection, script: str, *, root: bool) -> Done:
    async with _connected(connection) as client:
        done = await client.run(
            _command(connection, script, root=root), input=_stdin(connection, root=root), check=False, errors="replace"
        )
        code = done.exit_status if done.exit_status is not None else 255
        return Done(code=code, out=str(done.stdout or ""), err=str(done.stderr or ""), path="asyncssh")


@contextlib.asynccontextmanager
async def _connected(connection: Connection) -> AsyncIterator[asyncssh.SSHClientConnection]:
    import asyncssh

    try:
        client = await asyncssh.connect(**_options(connection))
    except asyncssh.HostKeyNotVerifiable as error:
        raise UnreachableError(f"Host key verification failed: {error.reason}; `ssh-keyscan` it over a trusted way") from None
    except asyncssh.PermissionDenied as error:
        raise UnreachableError(f"login as {connection.one('user')} was refused: {error.reason}") from None
    except (asyncssh.Error, OSError) as error:
        raise UnreachableError(_words(error)) from None
    try:
        yield client
    except (asyncssh.Error, OSError) as error:
        raise UnreachableError(f"connection lost: {_words(error)}") from None
    finally:
        client.abort()


def _options(connection: Connection) -> dict[str, Any]:
    """What OpenSSH would do, in asyncssh's words; its own reading of configuration files is off, since ``ssh -G`` has read them."""
    identities = [path for name in connection.effective.get("identityfile", ()) if (path := Path(name).expanduser()).is_file()]
    options: dict[str, Any] = {
        "host": connection.one("hostname"),
        "port": int(connection.one("port", "22")),
        "username": connection.one("user"),
        "known_hosts": _known_hosts(connection),
        "config": None,
        "client_keys": _usable_keys(identities),
        "agent_path": None if connection.one("identitiesonly") == "yes" else os.environ.get("SSH_AUTH_SOCK"),
        "keepalive_interval": 10,
        "client_host_keysign": False,
        "gss_auth": False,
    }
    if connection.one("hostkeyalias"):
        options["host_key_alias"] = connection.one("hostkeyalias")
    if connection.password:
        options["password"] = connection.password
    if connection.one("bindaddress"):
        options["local_addr"] = (connection.one("bindaddress"), 0)
    return options


def _usable_keys(identities: list[Path]) -> list[Any]:
    """Private keys without a passphrase; the others are the agent's business."""
    import asyncssh

    keys: list[Any] = []
    for path in identities:
        with contextlib.suppress(asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError):
            keys.append(asyncssh.read_private_key(path))
    return keys


def _known_hosts(connection: Connection) -> asyncssh.SSHKnownHosts:
    """Every known_hosts file that ssh would read; none at all means that no host is trusted, never that all are."""
    import asyncssh

    files = []
    for option in ("userknownhostsfile", "globalknownhostsfile"):
        for value in connection.effective.get(option, ()):
            files += [Path(word).expanduser() for word in shlex.split(value)]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files if path.is_file()]
    return asyncssh.import_known_hosts("\n".join(texts))


async def _openssh(connection: Connection, script: str, *, root: bool) -> Done:
    own = [
        "ssh",
        "-o",
        "BatchMode=yes",
        "-o",
        "ControlMaster=no",
        "-o",
        "ControlPath=none",
        "-T",
        *connection.arguments,
        connection.address,
    ]
    done = await _program(
        [*own, _command(connection, script, root=root)], connection, root=root, path=f"openssh ({connection.needs_openssh})"
    )
    if done.code == 255:
        raise UnreachableError(" ".join(done.err.split())[-300:] or "ssh failed without a word")
    return done


async def _program(argv: list[str], connection: Connection, *, root: bool, path: str) -> Done:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=pipe, limit=OUTPUT_AT_MOST)
    try:
        out, err = await process.communicate(_stdin(connection, root=root).encode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            if process.returncode is None:
                process.kill()
    return Done(code=process.returncode or 0, out=out.decode(errors="replace"), err=err.decode(errors="replace"), path=path)


def _words(error: BaseException) -> str:
    """A system error in ssh's own words, the others in theirs."""
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
    return " ".join(str(getattr(error, "reason", "") or error).split()) or type(error).__name__
