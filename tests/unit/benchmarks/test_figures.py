"""The bench's reading and arithmetic. No time is measured here."""

from __future__ import annotations

import pytest

from tests.benchmarks import figures
from tests.benchmarks.figures import Reading

HELD = ("lab-held", "1.0", "2.0")
HARMLESS = ("lab-harmless", "1.0", "2.0")
APT = """Listing...
lab-harmless/lab-security 2.0 all [upgradable from: 1.0]
lab-held/lab-security 2.0 all [upgradable from: 1.0]
"""


def readings(*totals: float) -> list[Reading]:
    return [Reading(total, 0.0, 0.0) for total in totals]


def test_apt_list_is_read_line_by_line() -> None:
    assert figures.apt_list(APT) == {HELD, HARMLESS}
    assert figures.apt_list("Listing...\n") == frozenset()


def test_stock_takes_only_the_listing_task() -> None:
    text = (
        "TASK [List what is pending] ****\n"
        'changed: [ws-ada] => {"changed": true, "cmd": "apt-get upgrade", "stdout": ""}\n'
        'ok: [ws-ada] => {"changed": false, "cmd": ["apt", "list", "--upgradable"], "rc": 0, "stdout": '
        '"Listing...\\nlab-held/lab-security 2.0 all [upgradable from: 1.0]"}\n'
        'ok: [fs-1] => {"changed": false, "cmd": ["apt", "list", "--upgradable"], "rc": 0, "stdout": "Listing..."}\n'
    )
    assert figures.stock_pending(text) == {"ws-ada": {HELD}, "fs-1": frozenset()}


def test_deskside_counts_what_it_installed_and_what_it_left() -> None:
    held = {"name": "lab-held", "from": "1.0", "to": "2.0", "class": "security", "held": True}
    done = {"name": "lab-harmless", "from": "1.0", "to": "2.0", "class": "security", "undo": "repository"}
    rows = [
        {"device": "ws-ada", "detail": {"pending": [held], "packages": [done]}},
        {"device": "fs-1", "detail": {"pending": [held], "path": "probe"}},
        {"device": "db-1", "detail": {}},
    ]
    assert figures.deskside_pending(rows) == {"ws-ada": {HELD, HARMLESS}, "fs-1": {HELD}}


@pytest.mark.parametrize(
    ("said", "difference"),
    [
        ({"a": frozenset({HELD})}, ""),
        ({}, "a: not reported"),
        ({"a": frozenset()}, "a: lacks lab-held 1.0 → 2.0"),
        ({"a": frozenset({HELD, HARMLESS})}, "a: has lab-harmless 1.0 → 2.0 too many"),
        ({"a": frozenset({HELD}), "b": frozenset({HARMLESS})}, "b: has lab-harmless 1.0 → 2.0 too many"),
    ],
)
def test_a_row_with_another_list_is_void(said: dict[str, frozenset[figures.Update]], difference: str) -> None:
    assert figures.difference(said, {"a": frozenset({HELD})}) == difference


def test_medians_and_ratios_are_of_the_same_round() -> None:
    script, tuned, ours = readings(1, 2, 4), readings(11, 22, 44), readings(2, 4, 8)
    assert figures.row("ours", ours).total == 4
    assert figures.ratio(ours, script) == 2
    assert figures.overhead_ratio(ours, tuned, script) == pytest.approx(0.1)


def test_an_aim_is_reached_at_its_limit_and_not_above() -> None:
    found = figures.aims(readings(3), tuned=readings(22), script=readings(2), pyinfra=readings(3))
    assert [(aim.value, aim.reached) for aim in found] == [(0.05, True), (1.5, True), (1.0, True)]
    found = figures.aims(readings(6), tuned=readings(22), script=readings(2), pyinfra=readings(3))
    assert [aim.reached for aim in found] == [False, False, False]


def test_the_table_shows_overhead_over_the_script() -> None:
    script, ours = figures.row("script", readings(1)), figures.row("ours", readings(3))
    lines = figures.table([script, ours], script=script, devices=2)
    assert lines[2].split() == ["ours", "3.00", "0.00", "3.00", "[3.00-3.00]", "2.00", "1500", "0.0"]
