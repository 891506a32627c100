"""The one owner of ansible-runner: starts, contains, cancels, times out; the private parts it leans on are named in docs/decisions/0003."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.adapters.runner.artifact import EVENTS, Scrubber, keep_output, new_artifact, secrets_in, strip
from orchestrator.adapters.runner.containment import Containment, containment
from orchestrator.adapters.runner.environment import OfficeConfig, run_environment
from orchestrator.adapters.runner.events import Tally
from orchestrator.adapters.runner.private import home, private_directory, sweep, write_private
from orchestrator.adapters.runner.specs import COLLECTION, PlaybookSpec, playbook_spec
from orchestrator.adapters.runner.stopper import Stopper
from orchestrator.adapters.runner.stream import EventStream
from orchestrator.adapters.runner.unsafe import literal
from orchestrator.application.errors import BadInputError, EnvironmentProblemError
from orchestrator.application.ports import HostResult, Job, RunEvent, RunResult, RunStatus

type InventoryCompiler = Callable[[Sequence[str], Path], Path | None]

WRAPPER = f"{COLLECTION}.run_guarded"
POLL_SECONDS = 0.5
_RAN_TO_THE_END = frozenset({0, 2, 4, 6})  # Ansible: all well, hosts failed, unreachable, both
_NOT_IN_A_NAME = frozenset("*?[]!&~,@ \t\n")


def program(name: str) -> str:
    """Path of an Ansible program: beside this Python, else in PATH.

    Raises:
        EnvironmentProblemError: It is not installed.
    """
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name)
    if not found:
        raise EnvironmentProblemError(f"{name} is not installed beside {sys.executable}; install deskside again")
    return found


@dataclass(frozen=True, slots=True)
class _Launch:
    """What the thread that runs ansible-runner needs."""

    job: Job
    artifact: Path
    private: Path
    command: list[str]
    stopper: Stopper


@dataclass(slots=True)
class _Ended:
    """How the thread that ran ansible-runner ended."""

    status: str = ""
    rc: int = -1
    error: BaseException | None = None
    output: list[str] = field(default_factory=list)


class AnsibleRunner:
    """Implements :class:`orchestrator.application.ports.Runner`.

    Args:
        office_root: The office directory; Ansible's working directory, unless ``cwd`` says otherwise.
        state: Artifacts go to ``<state>/artifacts/<job>/``.
        inventory_sources: What ``-i`` is given, absolute or relative to ``office_root``.
        compile_inventory: Writes a small inventory for the hosts into a private directory and returns its path, or ``None`` when
            this inventory has to be read as it is.
        cwd: Working directory (``run-playbook``: the technician's).
        pass_environment: Names of further environment variables that Ansible may see.
        vault_password: Where the office has no vault password file of its own.
        contain: The containment; default the best that works here.
    """

    def __init__(
        self,
        office_root: Path,
        state: Path,
        inventory_sources: Sequence[str],
        compile_inventory: InventoryCompiler | None = None,
        *,
        cwd: Path | None = None,
        pass_environment: Collection[str] = (),
        vault_password: str | None = None,
        contain: Containment | None = None,
    ) -> None:
        self._office, self._state = office_root.resolve(), state
        self._inventory = tuple(
            str(self._office / source) if (self._office / source).exists() else source for source in inventory_sources
        )
        self._compile, self._cwd, self._pass = compile_inventory, cwd or self._office, pass_environment
        self._vault, self._contain = vault_password, contain
        sweep(home())

    def run(self, job: Job, *, on_event: Callable[[RunEvent], None], cancelled: Callable[[], bool]) -> RunResult:
        """Carry out one job; returns when no local process of it is left.

        Raises:
            BadInputError: A host name would be read as a pattern.
            NotFoundError: No such playbook.
        """
        _check_names(job.hosts)
        spec = playbook_spec(job.playbook, cwd=self._cwd, office=self._office)
        artifact = new_artifact(self._state, job.id)
        if not job.hosts:
            return RunResult(status=RunStatus.SUCCESSFUL, rc=0, hosts={}, complete=True, artifact=artifact, seconds=0.0)
        tally, started = Tally(on_event), time.monotonic()
        with private_directory(home()) as private:
            command = self._command(job, spec, private)
            stopper = Stopper(job.timeout, cancelled, private / "keeper.pid")
            scrub = Scrubber(secrets_in(job.variables) | ({self._vault} if self._vault else set()))
            with EventStream(private / "events", artifact / EVENTS, tally, scrub) as stream:
                stopper.also(lambda: stream.error is not None)
                ended = self._in_thread(_Launch(job, artifact, private, command, stopper))
        strip(artifact)
        if job.echo is None:
            keep_output(artifact, [scrub(line) for line in ended.output])
        for error in (stream.error, ended.error):
            if error is not None:
                raise error
        return _result(job, tally, ended, stopper, artifact, seconds=time.monotonic() - started, garbled=stream.garbled)

    def _command(self, job: Job, spec: PlaybookSpec, private: Path) -> list[str]:
        guarded = job.guard is not None and spec.guard != "inside"
        variables: dict[str, Any] = dict(job.variables)
        if job.guard is not None:
            variables["deskside_guard"] = dict(job.guard)
        if guarded:
            variables["deskside_playbook"] = spec.reference
        limit = write_private(private / "hosts", "".join(f"{host}\n" for host in job.hosts))
        extra = write_private(private / "vars.json", json.dumps(literal(variables)))
        command = [program("ansible-playbook"), *self._sources(job, private), *job.options]
        if not {"-f", "--forks"} & set(job.options):
            command += ["--forks", str(job.forks)]
        if job.check and not {"-C", "--check"} & set(job.options):
            command.append("--check")
        if self._vault:
            command += ["--vault-password-file", str(write_private(private / "vault", self._vault))]
        return [*command, "--limit", f"@{limit}", "-e", f"@{extra}", WRAPPER if guarded else spec.reference]

    def _sources(self, job: Job, private: Path) -> list[str]:
        if any(option in {"-i", "--inventory"} or option.startswith("--inventory=") for option in job.options):
            return []
        sources: Sequence[str] = self._inventory
        if job.compiled and self._compile is not None:
            room = private / "inventory"
            room.mkdir(mode=0o700)
            compiled = self._compile(job.hosts, room)
            sources = (str(compiled),) if compiled else sources  # None: only the real one says the same
        return [word for source in sources for word in ("-i", source)]

    def _in_thread(self, launch: _Launch) -> _Ended:
        """Run in a thread of its own: the parent-death signal follows the thread that forked, so whatever ends this one ends Ansible."""
        ended = _Ended()
        thread = threading.Thread(target=self._drive, args=(launch, ended), name=f"ansible-{launch.artifact.name}")
        thread.start()
        while thread.is_alive():
            try:
                thread.join(1.0)
            except KeyboardInterrupt:
                launch.stopper.cancel()
                thread.join(launch.stopper.patience)
                raise
        return ended

    def _drive(self, launch: _Launch, ended: _Ended) -> None:
        try:
            from ansible_runner.interface import init_runner

            empty = launch.private / "runner"
            empty.mkdir(mode=0o700)

            def printed(event: Mapping[str, Any]) -> bool:
                if event.get("event") == "verbose":
                    _show(str(event.get("stdout", "")), ended.output, launch.job.echo)
                return False  # never a file

            runner = init_runner(
                private_data_dir=str(empty),
                artifact_dir=str(launch.artifact.parent),
                ident=launch.artifact.name,
                project_dir=str(self._cwd),
                playbook=launch.command[-1],
                fact_cache_type="",
                suppress_env_files=True,
                quiet=True,
                event_handler=printed,
                cancel_callback=launch.stopper,
            )
            prefix = (self._contain or containment()).prefix(launch.private / "keeper.pid")
            runner.config.command = [*prefix, *launch.command]
            runner.config.env = self._environment(launch)
            runner.config.pexpect_timeout = POLL_SECONDS
            runner.config.suppress_output_file = (
                True  # what Ansible prints may hold a decrypted value: only keep_output() writes it
            )
            ended.status, ended.rc = runner.run()
        except BaseException as error:  # noqa: BLE001 - it crosses a thread: raised again by run()
            ended.error = error

    def _environment(self, launch: _Launch) -> dict[str, str]:
        return run_environment(
            OfficeConfig(self._office / "ansible.cfg"),
            os.environ,
            events=launch.private / "events",
            control=launch.private / "cp",
            beside=launch.job.echo is not None,
            more=self._pass,
        )


def _show(line: str, kept: list[str], echo: Callable[[str], None] | None) -> None:
    kept.append(line)
    del kept[:-100]
    if echo is not None:
        with contextlib.suppress(BrokenPipeError):
            echo(line)


def _check_names(hosts: Sequence[str]) -> None:
    for host in hosts:
        if not host or _NOT_IN_A_NAME & set(host):
            raise BadInputError(f'device name "{host}" would be read as a pattern by Ansible; rename it in the inventory')


def _result(job: Job, tally: Tally, ended: _Ended, stopper: Stopper, artifact: Path, *, seconds: float, garbled: bool) -> RunResult:
    complete = tally.complete and not garbled
    told = next((line for line in ended.output if "ERROR" in line), "") or " ".join(ended.output[-3:])
    fallback = (
        "" if complete else f"ansible-playbook ended with rc {ended.rc} before it had finished" + (f": {told}" if told else "")
    )
    hosts = tally.results(job.hosts, fallback)
    if not complete:
        hosts = {name: _unknown(result) for name, result in hosts.items()}
    status = _status(ended, complete=complete, all_ok=all(host.ok for host in hosts.values()))
    if stopper.status is not None and not complete:  # decided in the last moment of a run that reached its end: it has ended
        status = stopper.status
    return RunResult(status=status, rc=ended.rc, hosts=hosts, complete=complete, artifact=artifact, seconds=seconds)


def _unknown(result: HostResult) -> HostResult:
    return replace(result, ok=False)


def _status(ended: _Ended, *, complete: bool, all_ok: bool) -> RunStatus:
    """Translate the library's word; one that is not known is an error, never a guess.

    Raises:
        ValueError: ansible-runner reports a status that this version does not know.
    """
    known = RunStatus(ended.status)
    if known not in {RunStatus.SUCCESSFUL, RunStatus.FAILED}:
        return known
    if not complete or ended.rc not in _RAN_TO_THE_END:
        return RunStatus.BROKEN
    return RunStatus.SUCCESSFUL if all_ok else RunStatus.FAILED
