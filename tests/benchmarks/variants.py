"""The ways to carry out one patch night: each runs in its own control group and says what was pending."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from orchestrator.adapters.runner.artifact import read_events
from orchestrator.adapters.runner.environment import base_environment
from orchestrator.adapters.runner.runner import program
from tests.benchmarks import figures
from tests.benchmarks.accounts import Account
from tests.benchmarks.figures import Pending
from tests.benchmarks.scene import WINDOWS, Planted, Scene

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STOCK_TASKS = HERE / "stock.yml"


class VariantError(RuntimeError):
    """A variant did not do its work; nothing can be said about its cost."""


@dataclass(slots=True)
class Did:
    """What a variant reports. ``expected_logins``: per device, checked against the device's own journal; ``None`` = only printed."""

    wall: float
    pending: Pending
    wrong: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    expected_logins: Callable[[str], int | None] = lambda _device: 1


class Variant(Protocol):
    """One way to do it."""

    name: str

    def night(self, scene: Scene, state: Planted, account: Account) -> Did:
        """Patch every device once."""
        ...


def clean_environment() -> dict[str, str]:
    """The caller's environment without what would configure Ansible or ssh behind our back."""
    kept = base_environment(os.environ)
    return {name: value for name, value in kept.items() if not name.startswith("ANSIBLE_") and name != "SSH_AUTH_SOCK"} | {
        "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"
    }


class Stock:
    """ansible-playbook with the usual apt tasks.

    Args:
        name: For the table.
        tuned: Pipelining, ControlPersist, no facts, a fork per device; else what an empty ansible.cfg means.
    """

    def __init__(self, name: str, *, tuned: bool) -> None:
        self.name, self._tuned = name, tuned

    def night(self, scene: Scene, state: Planted, account: Account) -> Did:
        """Run the playbook; its output at -v holds what it listed."""
        del state
        with tempfile.TemporaryDirectory(prefix="dsb-", dir="/tmp") as short:  # a control socket's path may not be long
            sockets = Path(short, "cp")
            config = Path(short, "ansible.cfg")
            config.write_text(_tuned_config(len(scene.devices), sockets) if self._tuned else "", encoding="utf-8")
            env = clean_environment() | {
                "ANSIBLE_CONFIG": str(config),
                "ANSIBLE_HOME": f"{short}/home",
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
            }
            argv = [program("ansible-playbook"), "-v", "-i", str(scene.inventory), str(STOCK_TASKS)]
            ran = account.run(argv, env=env, cwd=Path(short))
            used = len(list(sockets.iterdir())) if sockets.is_dir() else 0
            account.end_rest()  # before their sockets are removed
        if ran.code:
            raise VariantError(f"{self.name}: rc {ran.code}: {ran.out[-1500:]} {ran.err[-1500:]}")
        did = Did(ran.wall, figures.stock_pending(ran.out), told=[f"{used} control sockets"])
        if used != len(scene.devices):
            did.wrong.append(f"ControlPersist: {used} sockets for {len(scene.devices)} devices")
        return did


def _tuned_config(forks: int, sockets: Path) -> str:
    return (
        f"[defaults]\nforks = {forks}\ngathering = explicit\nhost_key_checking = True\n"
        f"[ssh_connection]\npipelining = True\nssh_args = -C -o ControlMaster=auto -o ControlPersist=60s\ncontrol_path_dir = {sockets}\n"
    )


class Script:
    """A shell script on every device, in parallel over OpenSSH."""

    name = "script, parallel ssh"

    def night(self, scene: Scene, state: Planted, account: Account) -> Did:
        """Run it on every device at once."""
        del state
        with tempfile.TemporaryDirectory(prefix="dsb-", dir="/tmp") as folder:
            words = [str(scene.lab.ssh_config), str(HERE / "patch.sh"), folder, str(len(scene.devices)), *scene.devices]
            ran = account.run(["sh", str(HERE / "on_all.sh"), *words], env=clean_environment(), cwd=Path(folder))
            return Did(ran.wall, _told_in_files(self.name, Path(folder), scene))


class Pyinfra:
    """pyinfra with its apt operations."""

    name = "pyinfra"

    def night(self, scene: Scene, state: Planted, account: Account) -> Did:
        """Run its deploy."""
        del state
        with tempfile.TemporaryDirectory(prefix="dsb-", dir="/tmp") as folder:
            said = Path(folder, "said")
            said.mkdir()
            Path(folder, "inventory.py").write_text(f"hosts = {_pyinfra_hosts(scene)!r}\n", encoding="utf-8")
            env = clean_environment() | {"BENCH_OUT": str(said)}
            argv = [program("pyinfra"), "-y", "--parallel", str(len(scene.devices)), "inventory.py", str(HERE / "pyinfra_patch.py")]
            ran = account.run(argv, env=env, cwd=Path(folder))
            if ran.code:
                raise VariantError(f"{self.name}: rc {ran.code}: {ran.out[-1500:]} {ran.err[-1500:]}")
            return Did(ran.wall, _told_in_files(self.name, said, scene))


def _pyinfra_hosts(scene: Scene) -> list[tuple[str, dict[str, Any]]]:
    common = {
        "ssh_user": "root",
        "ssh_key": str(scene.lab.key),
        "ssh_known_hosts_file": str(scene.lab.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "ssh_allow_agent": False,
        "ssh_look_for_keys": False,
        "ssh_config_file": "/dev/null",
    }
    return [(device, {**common, "ssh_hostname": scene.lab.address(device)}) for device in scene.devices]


def _told_in_files(name: str, folder: Path, scene: Scene) -> dict[str, frozenset[figures.Update]]:
    texts = {device: (folder / device).read_text(encoding="utf-8") for device in scene.devices if (folder / device).is_file()}
    for device in scene.devices:
        if not texts.get(device, "").rstrip().endswith("finished"):
            raise VariantError(f"{name}: {device} did not finish: {texts.get(device, 'nothing was said')[-500:]}")
    return {device: figures.apt_list(text) for device, text in texts.items()}


class Command:
    """``deskside run``: one process for one night, with everything it has to import first."""

    name = "deskside run"

    def __init__(self, state_directory: Path) -> None:
        self._state = state_directory

    def night(self, scene: Scene, state: Planted, account: Account) -> Did:
        """Call the command as a person does."""
        argv = [sys.executable, "-m", "orchestrator.entrypoints.cli", "--office", str(scene.office), "--state", str(self._state)]
        argv += ["run", WINDOWS["command"], "--emergency", "--reason", "bench", "--json"]
        before = artifacts(self._state)
        ran = account.run(argv, env=clean_environment(), cwd=ROOT)
        if ran.code:
            raise VariantError(f"{self.name}: rc {ran.code}: {ran.out[-1500:]} {ran.err[-1500:]}")
        return deskside_did(ran.wall, json.loads(ran.out)["devices"], artifacts(self._state) - before, scene, state)


class Daemon:
    """A night inside a process that lives, as ``deskside daemon`` does: plan, engine, probe, runs, end of the occurrence.

    Args:
        scene: The lab.
        state_directory: Of its own.
    """

    name = "deskside, in its daemon"

    def __init__(self, scene: Scene, state_directory: Path) -> None:
        self._scene, self._state = scene, state_directory
        self._stack = ExitStack()
        self._account: Account | None = None

    def __enter__(self) -> Self:
        account = self._stack.enter_context(Account("daemon"))
        log = self._stack.enter_context((self._state.parent / "daemon.log").open("a", encoding="utf-8"))
        argv = [sys.executable, "-m", "tests.benchmarks.living", str(self._scene.office), str(self._state), WINDOWS["daemon"]]
        started = account.started(argv, env=clean_environment(), cwd=ROOT, log=log)
        self._process = self._stack.enter_context(started)
        self._account = account
        self._answer()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    @property
    def account(self) -> Account:
        """Where it is counted."""
        assert self._account is not None
        return self._account

    def night(self, scene: Scene, state: Planted, account: Account) -> Did:
        """Let it carry out one occurrence."""
        del account
        before, started = artifacts(self._state), time.monotonic()
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise VariantError(f"{self.name}: {answer['error']}")
        wall = time.monotonic() - started
        did = deskside_did(wall, answer["devices"], artifacts(self._state) - before, scene, state)
        did.told.append(", ".join(f"{name} {seconds:.2f} s" for name, seconds in answer["spent"].items()))
        return did

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise VariantError(f"{self.name}: it ended; see {self._state.parent / 'daemon.log'}")
        found: dict[str, Any] = json.loads(line)
        return found


def artifacts(state_directory: Path) -> frozenset[Path]:
    """One directory per run of Ansible."""
    room = state_directory / "artifacts"
    return frozenset(room.iterdir()) if room.is_dir() else frozenset()


def deskside_did(wall: float, rows: list[Mapping[str, Any]], runs: frozenset[Path], scene: Scene, state: Planted) -> Did:
    """Check the path that was really taken: who was run by Ansible, who by the probe alone, no file per event."""
    need = set(state.dirty) if state.fresh else set(scene.devices)
    ran = {host for artifact in runs for event in read_events(artifact) if event["e"] == "stats" for host in event["hosts"]}
    by_probe = {str(row["device"]) for row in rows if (row.get("detail") or {}).get("path") == "probe"}
    did = Did(wall, figures.deskside_pending(rows), told=[f"Ansible on {len(ran)}, probe alone {len(by_probe)}"])
    did.expected_logins = lambda device: None if device in need else 1
    if ran != need:
        did.wrong.append(f"Ansible ran on {sorted(ran)}, needed by {sorted(need)}")
    if by_probe != set(scene.devices) - need:
        did.wrong.append(f"settled by the probe alone: {sorted(by_probe)}")
    if len(runs) != bool(need):
        did.wrong.append(f"{len(runs)} runs of Ansible")
    did.wrong += [f"{artifact} holds one file per event" for artifact in runs if (artifact / "job_events").exists()]
    bad = [f"{row['device']}: {row['outcome']} {row['reason']}" for row in rows if row["outcome"] not in {"ok", "changed"}]
    did.wrong += bad
    return did


def everyone(scene: Scene, folder: Path) -> tuple[list[Variant], AbstractContextManager[Daemon]]:
    """Every variant; the daemon has to be entered before its first night."""
    daemon = Daemon(scene, folder / "daemon" / "state")
    for name in ("command", "daemon"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    command = Command(folder / "command" / "state")
    variants: list[Variant] = [
        Stock("stock, default", tuned=False), Stock("stock, tuned", tuned=True), Pyinfra(), Script(), command, daemon,
    ]  # fmt: skip
    return variants, daemon
