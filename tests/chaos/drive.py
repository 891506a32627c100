"""`make chaos`: kill the daemon in every phase and at random moments, and let an independent checker judge what is true afterwards.

    python -m tests.chaos.drive [--seed N] [--count N] [--keep]

Exit 1 when the checker finds a violation, or when a phase was not hit.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
from collections.abc import Callable, Sequence

from tests.chaos.killer import PHASES, RANDOM, Kill, Orders
from tests.chaos.night import Night, bring_up, scratch

AT_ONCE = (0.0, 0.4)
A_MAIL = (0.0, 0.1)
"""A message is handed over in a fraction of a second; later, the moment is over and so are the other messages."""

WANTED = ("plan", "notice invitation", "notice reminder", "lease", "apply", "reboot-wait", "gate", "report", "notice closing")
ANCHORS = {"plan": 4.0, "ring canary": 4.0, "ring broad": 4.0, "gate broad": 2.0}
"""Rows from which a random kill may be counted, and its greatest distance in seconds. They come once in a night …"""

BATCHES = {"canary/w1 fence": 15.0, "broad/w1 fence": 15.0, "broad/w2 fence": 10.0}
"""… and these come again after each kill, as long as the batch is not finished."""

NIGHTS_AT_MOST = 4
PER_NIGHT = 20
RANDOMS_AT_LEAST = 6
SECONDS = 900.0


def orders(count: int, missing: Sequence[str], rng: random.Random) -> Orders:
    """What one night is to be hit with: the phases that are still missing first, then other moments of them, chance with the rest."""
    wanted = [wish for wish in WANTED if wish.split()[0] in missing][:count]
    extra = [wish for wish in WANTED if wish not in wanted][: max(0, count - len(wanted) - RANDOMS_AT_LEAST)]
    here = {wish: A_MAIL if wish.startswith("notice") else AT_ONCE for wish in (*wanted, *extra)}
    pool = [*ANCHORS.items(), *(item for item in BATCHES.items() for _ in range(4))]
    drawn = rng.sample(pool, min(max(0, count - len(here)), len(pool)))
    return Orders(wanted=here, randoms=[(anchor, rng.uniform(0.4, most)) for anchor, most in drawn])


def chaos(*, seed: int, count: int, keep: bool = False, seconds: float = SECONDS, say: Callable[[str], None] = print) -> list[str]:
    """Run as many nights as it takes. Returns the violations, missed phases among them."""
    rng = random.Random(seed)
    say(f"chaos: seed {seed}, {count} kills (repeat with: make chaos SEED={seed} COUNT={count})")
    lab, room = bring_up(), scratch()
    kills: list[Kill] = []
    violations: list[str] = []
    began = time.monotonic()
    for number in range(1, NIGHTS_AT_MOST + 1):
        missing = [phase for phase in PHASES if phase not in {kill.phase for kill in kills}]
        if len(kills) >= count and not missing:
            break
        night = Night(lab, room / f"night-{number}")
        night.prepare()
        say(f"night {number}: {night.occurrence}, prepared {time.monotonic() - began:.0f} s after the start")
        judged = night.run(
            orders(min(PER_NIGHT, max(count - len(kills), len(missing))), missing, rng), rng, seconds=seconds, say=say
        )
        kills += judged.killer.kills
        violations += [f"night {number}: {line}" for line in judged.violations]
        for line in judged.violations:
            say(f"  {line}")
        say(f"night {number}: {len(judged.killer.kills)} kills, {judged.seconds:.0f} s, {len(judged.violations)} violations")
        if judged.violations or keep:
            say(f"night {number}: kept in {night.folder}")
        else:
            night.tidy()
    hit = {phase: sum(kill.phase == phase for kill in kills) for phase in (*PHASES, RANDOM)}
    say(
        f"hit: {', '.join(f'{phase} {times}' for phase, times in hit.items())}; {len(kills)} kills in {time.monotonic() - began:.0f} s"
    )
    violations += [f"phase {phase} was not hit: seed {seed} shows nothing about it" for phase in PHASES if not hit[phase]]
    return violations


def main() -> int:
    """Say every violation, and the seed that repeats them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--count", type=int, default=15)
    parser.add_argument("--keep", action="store_true", help="leave every night's state and evidence")
    options = parser.parse_args()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    violations = chaos(seed=seed, count=options.count, keep=options.keep, say=lambda line: print(line, flush=True))
    for line in violations:
        print(line)
    print(f"chaos: {'RED' if violations else 'green'}, {len(violations)} violations, seed {seed}")
    return int(bool(violations))


if __name__ == "__main__":
    sys.exit(main())
