"""`make test`: every suite in order, with progress, a budget each, one true sum at the end.

    python tests/run.py [--full] [SUITE...]     LAB=no leaves out what needs containers and says so

The last line is `N passed, N failed` (`, N skipped`); it is kept in .cache/test/closing. ALSO_FAILED names something that failed before. Exit 0 only if nothing failed and every suite that should have run something did.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.suites import ROOT, WORK, Step, Suite, read_budget, steps_of

TELL_EVERY = 15.0
LONGEST = 80.0
"""Minutes after which the whole is stopped whatever its budget."""
GRACE = 15.0
NOTHING_COLLECTED = 5
LINE = re.compile(
    r"(?:\[gw\d+\] \[ *\d+%\] )?(?:(PASSED|FAILED|ERROR|SKIPPED) (\S+::.*)|(\S+::.*?) (PASSED|FAILED|ERROR|SKIPPED)\b)"
)


@dataclass(slots=True)
class Tally:
    """What came out of one suite."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    slow: list[tuple[float, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add the counts of another."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.slow += other.slow
        self.notes += other.notes


# -- running ---------------------------------------------------------------------------------------------------------


class Progress:
    """Follows a log: how many tests are done, which one is running, a line now and then."""

    def __init__(self, step: Step, log: Path) -> None:
        self._step, self._log, self._read = step, log, 0
        self._started = self._told = time.monotonic()
        self.done = Tally()
        self._last = ""

    def look(self) -> None:
        """Read what is new; say where we are every :data:`TELL_EVERY` seconds."""
        with self._log.open(encoding="utf8", errors="replace") as stream:
            stream.seek(self._read)
            for line in iter(stream.readline, ""):
                if line.endswith("\n"):
                    self._read = stream.tell()
                    self._count(line)
        now = time.monotonic()
        if now - self._told >= TELL_EVERY:
            self._told = now
            say(
                f"  {self._step.name:<14} {clock(now - self._started)}  {self.done.passed} passed, {self.done.failed} failed{self._last}"
            )

    def _count(self, line: str) -> None:
        found = LINE.match(line)
        if not found:
            return
        word, name = found[1] or found[4], found[2] or found[3]
        self.done.passed += word == "PASSED"
        self.done.failed += word in {"FAILED", "ERROR"}
        self.done.skipped += word == "SKIPPED"
        self._last = f"  · {name.strip().removeprefix('tests/')[:90]}"


def run_step(step: Step, seconds: float, environment: dict[str, str]) -> Tally:
    """Run one program in a process group of its own; the group is killed when its time is over."""
    log = WORK / f"{step.name.replace(' ', '-')}.log"
    if step.junit:
        step.junit.unlink(missing_ok=True)
    started = time.monotonic()
    with log.open("wb") as stream:
        child = subprocess.Popen(
            step.argv,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    progress = Progress(step, log)
    try:
        code = _wait(child, progress, started + seconds)
    finally:
        end_group(child)
    took = time.monotonic() - started
    progress.look()
    tally = judge(step, code, progress.done, took)
    tally.seconds = took
    if tally.failed:
        _show_end(log)
    return tally


def _wait(child: subprocess.Popen[bytes], progress: Progress, until: float) -> int | None:
    while time.monotonic() < until:
        try:
            return child.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            progress.look()
    return None


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End what is left of a child's process group: politely, then for certain."""
    for sign, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(child.pid, sign)
        except ProcessLookupError:
            return
        until = time.monotonic() + patience
        while time.monotonic() < until and _group_lives(child):
            time.sleep(0.1)


def _group_lives(child: subprocess.Popen[bytes]) -> bool:
    child.poll()
    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return False
    return True


def judge(step: Step, code: int | None, seen: Tally, took: float) -> Tally:
    """What a step counts for: its own JUnit file where it wrote one; a step that ended badly without a failed test is one failure."""
    if code is None:
        return Tally(
            passed=seen.passed, failed=seen.failed + 1, skipped=seen.skipped, notes=[f"{step.name}: killed after {clock(took)}"]
        )
    if step.junit is None:
        return Tally(
            passed=int(code == 0),
            failed=int(code != 0),
            slow=[(took, step.name)],
            notes=[] if code == 0 else [f"{step.name}: exit {code}"],
        )
    tally = read_junit(step.junit) if step.junit.exists() else Tally()
    if code == NOTHING_COLLECTED and step.nothing_is_fine:
        return tally
    if code == NOTHING_COLLECTED or (code == 0 and not tally.passed + tally.failed + tally.skipped):
        tally.failed += 1
        tally.notes.append(f"{step.name}: ran nothing")
    elif code != 0 and not tally.failed:
        tally.failed += 1
        tally.notes.append(f"{step.name}: pytest ended with {code}")
    return tally


def read_junit(path: Path) -> Tally:
    """Counts and durations of a JUnit file; an error in set-up or tear-down of a test that passed counts as failed, once."""
    tally = Tally()
    for case in ET.parse(path).getroot().iter("testcase"):  # our own pytest wrote it
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            tally.failed += 1
        elif "skipped" in kinds:
            tally.skipped += 1
        else:
            tally.passed += 1
        tally.slow.append((float(case.get("time", 0)), f"{case.get('file') or case.get('classname')}::{case.get('name')}"))
    return tally


# -- telling ---------------------------------------------------------------------------------------------------------


def say(line: str) -> None:
    """One line, at once."""
    print(line, flush=True)


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _show_end(log: Path, lines: int = 60) -> None:
    say(f"  --- the end of {log.relative_to(ROOT)}")
    for line in log.read_text(encoding="utf8", errors="replace").splitlines()[-lines:]:
        say(f"  | {line}")


def over_budget(suite: Suite, tally: Tally) -> list[str]:
    """A warning with the three slowest tests, when the suite took longer than its budget."""
    if tally.seconds <= suite.minutes * 60:
        return []
    slowest = sorted(tally.slow, reverse=True)[:3]
    return [
        f"warning: {suite.name} took {clock(tally.seconds)} of {clock(suite.minutes * 60)}; slowest:",
        *(f"           {seconds:7.1f} s  {name}" for seconds, name in slowest),
    ]


def closing(tallies: Iterable[Tally]) -> str:
    """The last line."""
    total = Tally()
    for tally in tallies:
        total.add(tally)
    return f"{total.passed} passed, {total.failed} failed" + (f", {total.skipped} skipped" if total.skipped else "")


# -- the whole -------------------------------------------------------------------------------------------------------


def containers() -> str:
    """Why containers cannot run here; empty when they can."""
    ended = subprocess.run(
        [sys.executable, "-c", "from deskside_lab.host import can_run_containers as c; v = c(); print('' if v else v.reason)"],
        cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=180,
    )  # fmt: skip
    return ended.stdout.strip() if ended.returncode == 0 else ended.stderr.strip()[-500:] or f"exit {ended.returncode}"


def run_suite(suite: Suite, *, full: bool, lab: bool, seconds: float, why_no_lab: str) -> Tally:
    """Run one suite within ``seconds``."""
    if suite.lab and why_no_lab:
        return Tally(failed=1, notes=[f"{suite.name}: containers cannot run here: {why_no_lab}"])
    steps = steps_of(suite, full=full, lab=lab)
    if not steps:
        return Tally(failed=1, notes=[f"{suite.name}: ran nothing, no tests found"])
    environment = {"DESKSIDE_LAB": "test", **os.environ, "DESKSIDE_TEST_FULL": "1" if full else ""}
    total, until = Tally(), time.monotonic() + seconds
    for step in steps:
        left = until - time.monotonic()
        part = run_step(step, left, environment) if left > 1 else Tally(failed=1, notes=[f"{step.name}: no time was left"])
        total.add(part)
        total.seconds += part.seconds
    return total


def tidy(before: set[str]) -> None:
    """Take down the labs that this run brought up; one that was up before stays."""
    for name in sorted(labs() - before):
        say(f"lab {name}: taken down")
        down = "import sys; from deskside_lab import Lab; Lab(sys.argv[1]).down()"
        subprocess.run([sys.executable, "-c", down, name], cwd=ROOT, check=False, stdin=subprocess.DEVNULL, timeout=180)


LIST_LABS = """
import subprocess
from deskside_lab.host import podman
form = '{{index .Labels "deskside.lab"}}'
subprocess.run(podman("ps", "-a", "--filter", "label=deskside.lab", "--format", form), check=True, timeout=60)
"""


def labs() -> set[str]:
    """Names of the labs that have containers now; none where podman cannot be asked."""
    listed = subprocess.run([sys.executable, "-c", LIST_LABS], cwd=ROOT, capture_output=True, text=True, check=False)
    return set(listed.stdout.split())


def run_all(suites: Sequence[Suite], *, full: bool, lab: bool, minutes: float, kill: float) -> dict[str, Tally]:
    """Run the suites in order; each gets its kill limit or what is left of the whole.

    Over the minutes of the whole it says so; a slow machine gets more before it is stopped, but never more than an automatic check has.
    """
    started = time.monotonic()
    until = started + min(minutes * 2, LONGEST) * 60
    why = containers() if lab and any(suite.lab for suite in suites) else ""
    done: dict[str, Tally] = {}
    for suite in suites:
        if suite.later:
            say(f"{suite.name:<14} not in this version: {suite.later}")
        elif suite.lab and not lab:
            say(f"{suite.name:<14} left out (LAB=no)")
        else:
            say(f"{suite.name:<14} up to {clock(suite.minutes * 60)}")
            tally = run_suite(
                suite, full=full, lab=lab, seconds=min(suite.minutes * 60 * kill, until - time.monotonic()), why_no_lab=why
            )
            done[suite.name] = tally
            say(f"{suite.name:<14} {clock(tally.seconds)}  {closing([tally])}")
            for line in (*tally.notes, *over_budget(suite, tally)):
                say(f"  {line}")
    took = time.monotonic() - started
    if took > minutes * 60:
        say(f"WARNING: {clock(took)} in all, over the {minutes:.0f} minutes it may take on two quiet cores")
    return done


def main(argv: Sequence[str] | None = None) -> int:
    """Run the suites and print the closing line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    options = parser.parse_args(argv)
    suites, minutes, kill = read_budget(full=options.full)
    unknown = set(options.suites) - {suite.name for suite in suites}
    if unknown:
        parser.error(f"no suite is called {', '.join(sorted(unknown))}; there are: {', '.join(suite.name for suite in suites)}")
    lab = os.environ.get("LAB", "yes") != "no"
    WORK.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, _interrupt)
    before = labs() if lab else set()
    try:
        done = run_all(
            [s for s in suites if not options.suites or s.name in options.suites],
            full=options.full,
            lab=lab,
            minutes=minutes,
            kill=kill,
        )
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    finally:
        if lab:
            tidy(before)
    also = os.environ.get("ALSO_FAILED")
    if also:
        say(f"failed before the tests: {also}")
        done[also] = Tally(failed=1)
    (WORK / "closing").write_text(closing(done.values()) + "\n", encoding="utf8")
    say(closing(done.values()))
    return int(any(tally.failed for tally in done.values()) or not any(tally.passed for tally in done.values()))


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
