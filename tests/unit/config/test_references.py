"""What the files name and the inventory does not know, also inside Ansible patterns."""

from __future__ import annotations

import pytest

from orchestrator.application.errors import NotFoundError
from orchestrator.application.ports import InventorySnapshot
from orchestrator.config.references import check_playbooks, check_references, parts_of
from orchestrator.config.settings import Reference
from orchestrator.domain.device import Device
from orchestrator.domain.source import Source

HERE = Source("maintenance.yml", 3, 7)
INVENTORY = InventorySnapshot(
    devices={name: Device(name=name) for name in ("ws-ada", "ws-linus", "fs-1")},
    groups={"all": ("ws-ada", "ws-linus", "fs-1"), "workstations": ("ws-ada", "ws-linus"), "servers": ("fs-1",), "ungrouped": ()},
    matches={"workstations:&servers": (), "workstations": ("ws-ada", "ws-linus")},
)


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("web", ["web"]),
        ("web:!db:&site", ["web", "db", "site"]),
        ("web, db", ["web", "db"]),
        ("web[0:2]", ["web"]),
        ("web[-1]:db[1:]", ["web", "db"]),
        ("~(a|b)[12]", ["~(a|b)[12]"]),
        ("w[ab]*", ["w[ab]*"]),
        ("!lab", ["lab"]),
    ],
)
def test_a_pattern_is_taken_apart_as_ansible_does(pattern: str, parts: list[str]) -> None:
    assert parts_of(pattern) == parts


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("pattern", "workstations:!servers[0]", ""),
        ("pattern", "ws-*:all", ""),
        ("pattern", "~ws-(ada|linus)$", ""),
        ("pattern", "workstation", 'no group or device is called "workstation". Did you mean "workstations"?'),
        ("pattern", "ws-*:printers", 'no group or device is called "printers".'),
        ("pattern", "nas-*", 'no group or device is called "nas-*".'),
        ("pattern", "~(", 'no group or device is called "~(".'),
        ("pattern", "workstations:&servers", '"workstations:&servers" matches no device: check it with ansible --list-hosts'),
        ("label", "server", 'no group or device is called "server". Did you mean "servers"?'),
        ("group", "fs-1", 'no group is called "fs-1".'),
        ("device", "fs-2", 'no device is called "fs-2". Did you mean "fs-1"?'),
        ("playbook", "anything", ""),
    ],
)
def test_names_are_checked_and_the_nearest_is_suggested(kind: str, text: str, message: str) -> None:
    problems = check_references([Reference(kind=kind, text=text, thing="x", source=HERE)], INVENTORY)
    assert [problem.message for problem in problems] == ([message] if message else [])
    assert {problem.source for problem in problems} <= {HERE}


def test_playbooks_are_looked_up_by_name_only() -> None:
    def find(name: str) -> None:
        if name != "apply_os_updates":
            raise NotFoundError(f"no {name}")

    written = [
        Reference(kind="playbook", text="apply_os_updates", thing="a"),
        Reference(kind="playbook", text="typo", thing="b", source=HERE),
        Reference(kind="key", text="typo2", thing="c"),
        Reference(kind="playbook", text="mine.yml", thing="d"),
        Reference(kind="pattern", text="typo3", thing="e"),
    ]
    assert [(problem.thing, problem.message) for problem in check_playbooks(written, find)] == [("b", "no typo"), ("c", "no typo2")]
