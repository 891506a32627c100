"""Nights with a planted fault: each must make the checker red, by the evidence named here, or the checker is worth nothing.

python -m tests.chaos.planted_nights [guard|fence|outbox|containment|control]
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deskside_lab import Lab

from tests.chaos import processes
from tests.chaos.killer import Killer, Orders
from tests.chaos.night import Judged, Night, bring_up, scratch

AT_THE_ROW = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One night: what is taken out, when the kill comes, which line of the checker must appear (``None``: none may).

    Attributes:
        faults: Names in tests/chaos/planted.py.
        evidence: Pattern of a violation.
        kill_at: The phases at which the daemon is killed.
        moment: What is waited for between the row and the kill.
        twice: A second process drives the first batch at the same time.
    """

    faults: tuple[str, ...]
    evidence: str | None
    kill_at: tuple[str, ...] = ()
    moment: Callable[[Killer, str], None] | None = field(default=None)
    twice: bool = False


def ansible_runs(killer: Killer, _text: str) -> None:
    """Wait until ansible-playbook has been started."""
    processes.until_seen(killer.office, lambda: killer.daemon.poll() is None)


PLANTS = {
    "guard": Plant(
        faults=("guard",), evidence=r"ws-ada: dpkg\.log says lab-harmless 1\.0 -> 2\.0; report\.json does not", kill_at=("reboot-wait",)
    ),
    "fence": Plant(
        faults=("fence",), evidence=r"ws-ada: os_update was invoked 2 times with 0 kills in between", twice=True
    ),
    "outbox": Plant(faults=("outbox",), evidence=r"ada: 2 Message-IDs of kind invitation", kill_at=("lease",)),
    "containment": Plant(
        faults=("containment",), evidence=r"alive 2 s after its worker died: \d+ .*ansible-playbook", kill_at=("apply",), moment=ansible_runs
    ),
    "control": Plant(faults=(), evidence=None, twice=True),
}  # fmt: skip
"""``control`` is the fence's night with the fence in place: the second driver must be turned away."""


def planted_night(name: str, lab: Lab, *, say: Callable[[str], None] = print) -> tuple[str, Judged]:
    """Run one of them. Returns what is wrong with the checker (empty: it saw what it must) and what it said."""
    plant = PLANTS[name]
    night = Night(lab, scratch() / f"planted-{name}", ["ws-ada"], soon=True)
    night.prepare()
    orders = Orders(wanted=dict.fromkeys(plant.kill_at, AT_THE_ROW), moment=plant.moment)
    options = ["--office", str(night.practice.office), "--state", str(night.practice.state)]
    beside = [sys.executable, "-m", "tests.chaos.planted", "second-driver", *plant.faults, *options] if plant.twice else []
    judged = night.run(orders, random.Random(0), planted=plant.faults, beside=beside, say=say)
    wrong = _wrong(plant, orders, judged)
    if not wrong:
        night.tidy()
    return wrong, judged


def _wrong(plant: Plant, orders: Orders, judged: Judged) -> str:
    if orders.wanted:
        return f"the moment {', '.join(orders.wanted)} never came"
    if plant.evidence is None:
        return "it is red although nothing was planted" if judged.violations else ""
    seen = any(re.search(plant.evidence, line) for line in judged.violations)
    return "" if seen else f"no violation reads {plant.evidence!r}"


def main(names: Sequence[str]) -> int:
    """Run them one after the other and say what the checker saw."""
    lab, blind = bring_up(), []
    for name in names or PLANTS:
        print(f"planted: {name}", flush=True)
        wrong, judged = planted_night(name, lab, say=lambda line: print(line, flush=True))
        for line in judged.violations:
            print(f"  {line}")
        print(f"  {'BLIND: ' + wrong if wrong else 'as it must be'}; {judged.seconds:.0f} s", flush=True)
        blind += [name] if wrong else []
    return int(bool(blind))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
