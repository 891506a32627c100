"""What the runner costs on top of bare ansible-playbook: same playbook, same callback, many events, no device.

Called as a program it is the living side: a process that has started Ansible once before and carries out one run per line ``go``.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.adapters.runner.environment import CALLBACK
from orchestrator.adapters.runner.runner import AnsibleRunner, program
from orchestrator.application.ports import Job
from tests.benchmarks.accounts import Account
from tests.benchmarks.figures import Reading
from tests.benchmarks.variants import ROOT, VariantError, clean_environment

TASKS = 6
FORKS = 10
PATIENCE = 900.0


class Orchestration:
    """An office of names that are all this machine, and a playbook that only says something on each.

    Args:
        folder: Where to make it.
        hosts: How many names.
    """

    def __init__(self, folder: Path, hosts: int) -> None:
        self.office, self.state, self.hosts = folder / "office", folder / "state", hosts
        self.office.mkdir(parents=True, exist_ok=True)
        names = "".join(f"host-{number}\n" for number in range(hosts))
        variables = f"[all:vars]\nansible_connection=local\nansible_python_interpreter={sys.executable}\n"
        (self.office / "hosts.ini").write_text(f"[fleet]\n{names}{variables}", encoding="utf-8")
        (self.office / "ansible.cfg").write_text("[defaults]\ngathering = explicit\n", encoding="utf-8")
        tasks = "".join(f"    - {{name: Say {number}, ansible.builtin.debug: {{msg: hello}}}}\n" for number in range(TASKS))
        text = f"- name: Say something\n  hosts: all\n  gather_facts: false\n  tasks:\n{tasks}"
        (self.office / "say.yml").write_text(text, encoding="utf-8")

    def bare(self, account: Account) -> Reading:
        """ansible-playbook with our callback writing to a file."""
        with tempfile.TemporaryDirectory(prefix="dsb-", dir="/tmp") as folder:
            events = Path(folder, "events")
            env = clean_environment() | {
                "ANSIBLE_CONFIG": str(self.office / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": CALLBACK, "DESKSIDE_EVENTS": str(events),
            }  # fmt: skip
            argv = [program("ansible-playbook"), "-i", str(self.office / "hosts.ini"), "--forks", str(FORKS)]
            before = account.seconds
            ran = account.run([*argv, str(self.office / "say.yml")], env=env, cwd=self.office, timeout=PATIENCE)
            if ran.code:
                raise VariantError(f"bare ansible-playbook: rc {ran.code}: {ran.err[-1000:]}")
            lines = len(events.read_text(encoding="utf-8").splitlines())
        return Reading(account.seconds - before, 0.0, ran.wall, wrong=self._complete(lines))

    @contextmanager
    def living(self) -> Iterator[LivingRunner]:
        """The runner in a process that lives."""
        with Account("runner") as account, (self.office.parent / "runner.log").open("a", encoding="utf-8") as log:
            argv = [sys.executable, "-m", "tests.benchmarks.orchestration", str(self.office), str(self.state), str(self.hosts)]
            with account.started(argv, env=clean_environment(), cwd=ROOT, log=log) as process:
                runner = LivingRunner(self, account, process)
                runner.answer()
                yield runner

    def _complete(self, lines: int) -> tuple[str, ...]:
        """One line per play and per task, one per task and host, one for the statistics."""
        wanted = 1 + TASKS + TASKS * self.hosts + 1
        return () if lines == wanted else (f"{lines} events instead of {wanted}",)


class LivingRunner:
    """Speaks with the process."""

    def __init__(self, orchestration: Orchestration, account: Account, process: object) -> None:
        self._of, self._account, self._process = orchestration, account, process

    def measure(self) -> Reading:
        """One run."""
        before, started = self._account.seconds, time.monotonic()
        self._process.stdin.write("go\n")  # type: ignore[attr-defined]
        self._process.stdin.flush()  # type: ignore[attr-defined]
        answer = self.answer()
        wrong = self._of._complete(answer["events"]) + (("one file per event",) if answer["job_events"] else ())
        return Reading(self._account.seconds - before, 0.0, time.monotonic() - started, wrong=wrong)

    def answer(self) -> dict[str, int]:
        """Its next line."""
        line = self._process.stdout.readline()  # type: ignore[attr-defined]
        if not line:
            raise VariantError(f"the runner's process ended; see {self._of.office.parent / 'runner.log'}")
        found: dict[str, int] = json.loads(line)
        return found


def _once(runner: AnsibleRunner, office: Path, hosts: list[str]) -> dict[str, int]:
    from orchestrator.adapters.runner.artifact import read_events

    job = Job(id=f"say-{time.monotonic_ns()}", playbook=str(office / "say.yml"), hosts=tuple(hosts), forks=FORKS)
    result = runner.run(job, on_event=lambda _event: None, cancelled=lambda: False)
    assert result.artifact is not None
    return {"events": sum(1 for _ in read_events(result.artifact)), "job_events": int((result.artifact / "job_events").exists())}


def main(office: Path, state: Path, hosts: int) -> int:
    """Run once for one host, so that everything is imported; then once per line."""
    runner = AnsibleRunner(office, state, ["hosts.ini"])
    _once(runner, office, ["host-0"])
    print("{}", flush=True)
    for _line in sys.stdin:
        print(json.dumps(_once(runner, office, [f"host-{number}" for number in range(hosts)])), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
