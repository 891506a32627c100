"""`make bench`: one run, every variant in every state, rounds interleaved; CPU judged by nobody but the reader.

Exit 1 says that a row cannot be compared: a variant reported another list, left devices in another state, or took another path than
its name says. How much CPU anything took never decides about the exit code: aims are printed with yes or no.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deskside_lab import Lab, LabError

from orchestrator.bootstrap import House
from tests.benchmarks import figures
from tests.benchmarks.accounts import Account
from tests.benchmarks.figures import Aim, Reading
from tests.benchmarks.orchestration import Orchestration
from tests.benchmarks.scene import DEVICES, Evidence, Planted, Scene, states
from tests.benchmarks.variants import ROOT, Command, Daemon, Variant, VariantError, everyone

FOLDER = ROOT / ".cache" / "bench"
SETTLE = 1.0
"""Seconds that devices get to close sessions, so that their end is counted too."""


@dataclass(slots=True)
class Results:
    """Readings by state and variant; problems in words."""

    readings: dict[str, dict[str, list[Reading]]] = field(default_factory=dict)
    void: dict[tuple[str, str], str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, state: str, variant: str, reading: Reading, difference: str) -> None:
        """Keep one reading."""
        self.readings.setdefault(state, {}).setdefault(variant, []).append(reading)
        if difference:
            self.void[state, variant] = difference
        self.problems += [f"{state}: {variant}: {text}" for text in (*reading.wrong, *([f"void: {difference}"] * bool(difference)))]


def measure(scene: Scene, state: Planted, variant: Variant, account: Account) -> tuple[Reading, str]:
    """One variant once: CPU on both sides, what it reported, what it left, how often it logged in."""
    before = scene.evidence()
    since, controller, targets = time.time(), account.seconds, scene.target_seconds()
    did = variant.night(scene, state, account)
    if not isinstance(variant, Daemon):
        account.end_rest()
    time.sleep(SETTLE)
    spent = (account.seconds - controller, scene.target_seconds() - targets)
    logins, after = scene.logins(since), scene.evidence()
    for device in scene.devices:
        expected = did.expected_logins(device)
        if expected is not None and logins[device] != expected:
            did.wrong.append(f"{device}: {logins[device]} logins instead of {expected}")
        did.wrong += left_wrong(device, state, before[device], after[device])
    did.told.append(f"logins {' '.join(str(count) for count in logins.values())}")
    reading = Reading(*spent, did.wall, did.pending, tuple(did.wrong), tuple(did.told))
    return reading, figures.difference(did.pending, scene.planted(state))


def left_wrong(device: str, state: Planted, before: Evidence, after: Evidence) -> list[str]:
    """The same work was done on the device, no more and no less."""
    wrong = []
    if after.version != "2.0" or after.installs - before.installs != (device in state.dirty):
        wrong.append(f"{device}: lab-harmless {after.version}, installed {after.installs - before.installs} times")
    if (after.fetched > before.fetched) is state.fresh:
        wrong.append(f"{device}: package lists were {'' if after.fetched > before.fetched else 'not '}fetched")
    return wrong


def nights(scene: Scene, chosen: Sequence[Planted], rounds: int, results: Results, say_progress: bool) -> None:
    """Every state, every round, every variant; each round begins with another variant."""
    variants, daemon = everyone(scene, FOLDER)
    house = House(office=scene.office, state=FOLDER / "prepare")
    with daemon as living, Account("controller") as account:
        for number in range(rounds):
            for state in chosen:
                turn = number % len(variants)
                for variant in [*variants[turn:], *variants[:turn]]:
                    scene.plant(state, house)
                    place = living.account if isinstance(variant, Daemon) else account
                    if number == 0 and isinstance(variant, (Daemon, Command)) and state is chosen[0]:
                        variant.night(scene, state, place)  # its store is made once in its life, not every night
                        scene.plant(state, house)
                    reading, difference = measure(scene, state, variant, place)
                    results.add(state.name, variant.name, reading, difference)
                    if say_progress:
                        print(_line(number, state, variant, reading, difference), flush=True)


def _line(number: int, state: Planted, variant: Variant, reading: Reading, difference: str) -> str:
    what = f"VOID: {difference}" if difference else "; ".join((*reading.wrong, *reading.told))
    cpu = f"{reading.controller:6.2f} + {reading.targets:5.2f} = {reading.total:6.2f} CPU s"
    return f"round {number + 1}  {state.name:10} {variant.name:24} {cpu}  {what}"


def orchestration(hosts: int, rounds: int, results: Results) -> tuple[list[Reading], list[Reading]]:
    """The runner and bare ansible-playbook in turns."""
    scene = Orchestration(FOLDER / "orchestration", hosts)
    ours: list[Reading] = []
    bare: list[Reading] = []
    with Account("bare") as account, scene.living() as runner:
        for number in range(rounds):
            turns = [(bare, lambda: scene.bare(account)), (ours, runner.measure)]
            for kept, act in turns if number % 2 == 0 else reversed(turns):
                kept.append(act())
            print(f"round {number + 1}  orchestration  bare {bare[-1].total:.2f}, runner {ours[-1].total:.2f} CPU s", flush=True)
    results.problems += [f"orchestration: {text}" for reading in (*ours, *bare) for text in reading.wrong]
    return ours, bare


def report(scene: Scene, chosen: Sequence[Planted], results: Results) -> list[str]:
    """Tables and aims."""
    lines: list[str] = []
    for state in chosen:
        by_name = results.readings[state.name]
        lines += ["", f"{state.title} ({len(scene.devices)} devices, CPU seconds, medians of {len(next(iter(by_name.values())))})"]
        good = {name: found for name, found in by_name.items() if (state.name, name) not in results.void}
        for name in by_name.keys() - good.keys():
            lines.append(f"{name}: VOID, it reported something else: {results.void[state.name, name]}")
        script = good.get("script, parallel ssh")
        if script is None:
            continue
        rows = [figures.row(name, found) for name, found in good.items()]
        lines += figures.table(rows, script=figures.row("script", script), devices=len(scene.devices))
        if "stock, tuned" in good and "pyinfra" in good:
            lines += _aims(good)
    return lines


def _aims(good: Mapping[str, Sequence[Reading]]) -> list[str]:
    others = {"tuned": good["stock, tuned"], "script": good["script, parallel ssh"], "pyinfra": good["pyinfra"]}
    lines = []
    for name in (Daemon.name, Command.name):
        if name in good:
            found = figures.aims(good[name], **others)
            total = figures.ratio(good[name], good["stock, tuned"])
            lines += [f"  {name}: {total:.2f} x tuned stock's total", *(f"    {aim_text(aim)}" for aim in found)]
    return lines


def aim_text(aim: Aim) -> str:
    """One aim with its answer."""
    return f"aim {aim.what}: {aim.value:.2f} (at most {aim.limit:g}): {'yes' if aim.reached else 'NO'}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    known = states(DEVICES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--states", default="nothing,one,old-lists", help=f"comma-separated: {', '.join(known)}")
    parser.add_argument("--devices", type=int, default=len(DEVICES), help=f"how many, 2 to {len(DEVICES)}")
    parser.add_argument("--hosts", type=int, default=100, help="hosts of the orchestration measurement; 0 = leave it out")
    parser.add_argument("--keep", action="store_true", help="keep the lab for the next time")
    given = parser.parse_args()
    wrong = sorted(set(given.states.split(",")) - set(known) - {""})
    if wrong or given.rounds < 1 or not 2 <= given.devices <= len(DEVICES):
        parser.error(f"states {wrong or given.states}, rounds {given.rounds}, devices {given.devices}: see --help")
    return given


def main() -> int:
    """Measure, print, say whether everything was comparable."""
    given = _arguments()
    if os.geteuid() != 0:
        print("make bench: counting CPU by control groups needs root; run it with sudo", file=sys.stderr)
        return 2
    devices = DEVICES[: given.devices]
    chosen = [states(devices)[name] for name in given.states.split(",") if name]
    results = Results()
    FOLDER.mkdir(parents=True, exist_ok=True)
    lab = Lab("bench", say=print)
    try:
        print(
            f"load {' '.join(f'{each:.1f}' for each in os.getloadavg())}, {os.cpu_count()} cores, {given.rounds} rounds", flush=True
        )
        lines = _nights(lab, devices, chosen, given.rounds, results) if chosen else []
        lines += _orchestration(given.hosts, given.rounds, results) if given.hosts else []
    except (LabError, VariantError) as error:
        print(f"make bench: {error}", file=sys.stderr)
        return 1
    finally:
        if not given.keep:
            lab.down()
    print("\n".join(lines))
    print(f"\nload at the end {' '.join(f'{each:.1f}' for each in os.getloadavg())}")
    if results.readings:
        _keep(results)
    for problem in results.problems:
        print(f"NOT COMPARABLE: {problem}", file=sys.stderr)
    return 1 if results.problems else 0


def _nights(lab: Lab, devices: tuple[str, ...], chosen: Sequence[Planted], rounds: int, results: Results) -> list[str]:
    if lab.state.recall() and set(lab.devices) != set(devices):
        lab.down()
    lab.up("test", devices, asleep=False)
    scene = Scene(lab, devices, FOLDER)
    scene.furnish()
    nights(scene, chosen, rounds, results, say_progress=True)
    return report(scene, chosen, results)


def _orchestration(hosts: int, rounds: int, results: Results) -> list[str]:
    ours, bare = orchestration(hosts, rounds, results)
    more = figures.ratio(ours, bare)
    medians = f"bare {figures.row('', bare).total:.2f}, runner {figures.row('', ours).total:.2f} CPU s"
    return [
        "",
        f"orchestration: {hosts} hosts x 6 tasks on this machine, same playbook, same callback: {medians}",
        f"  {aim_text(Aim('runner, of bare ansible-playbook', more, 1.05))}",
    ]


def _keep(results: Results) -> None:
    """Every reading, for whoever wants to compute something else."""
    document = {
        state: {
            name: [{"controller": r.controller, "targets": r.targets, "wall": r.wall, "told": r.told} for r in found]
            for name, found in by_name.items()
        }
        for state, by_name in results.readings.items()
    }
    path = Path(FOLDER, "readings.json")
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"every reading: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
