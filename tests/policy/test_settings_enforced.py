"""No key is accepted and ignored: whoever changes a key changes a value of the domain, and somebody reads that value.

The test walks the schema. Every key needs a row below with a mutation; a key without a row, a mutation that changes nothing, and a field that
no code reads are failures. Keys with one possible value only state what holds; there is nothing to change, but every other value must be refused.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config.office import load_office, read_office
from orchestrator.config.problems import keys_of, part_at
from orchestrator.config.schema import MaintenanceFile, Part, PersonPart
from orchestrator.domain.source import Source
from tests.policy.settings_table import MAINTENANCE, ONLY_ONE, ROWS, edited, write_office
from tests.policy.tree import ROOT


def walk(part: type[Part], prefix: str = "") -> Iterator[str]:
    """Every key of the schema, by its path without names and indices."""
    for key in keys_of(part):
        path = f"{prefix}{key}"
        yield path
        for inner in (part_at(part, (key,)), part_at(part, (key, 0)), part_at(part, (key, "*"))):
            if inner is not None:
                yield from walk(inner, f"{path}.")
                break


def settings(root: Path, edits: Mapping[str, Any]) -> Any:
    """The settings after the edits, without the places where things stand."""
    return without_places(load_office(write_office(root, edits)))


def without_places(value: Any) -> Any:
    if isinstance(value, Source):
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name != "references"]
        return (type(value).__name__, *((name, without_places(getattr(value, name))) for name in names))
    if isinstance(value, Mapping):
        return tuple((key, without_places(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(without_places(item) for item in value)
    return value


SCHEMA_KEYS = [*walk(MaintenanceFile), *walk(PersonPart, "people.")]


def test_every_key_of_the_schema_has_a_row_and_every_row_a_key() -> None:
    assert set(SCHEMA_KEYS) == {*ROWS, *ONLY_ONE}


@pytest.mark.parametrize("key", ROWS)
def test_changing_the_key_changes_the_settings(key: str, tmp_path: Path) -> None:
    before, after = settings(tmp_path, {}), settings(tmp_path, ROWS[key][0])
    assert before != after
    carrier, attribute = ROWS[key][1].split(".")
    if carrier not in {"Office", "OfficeFacts"}:  # those hold the others; where a difference lies is seen in the parts
        assert parts(before, carrier, attribute) != parts(after, carrier, attribute), f"{key} does not reach {carrier}.{attribute}"


def parts(tree: Any, carrier: str, attribute: str) -> list[Any]:
    """The values of one attribute of every instance of one class, in order."""
    found: list[Any] = []
    if isinstance(tree, tuple):
        if tree and tree[0] == carrier:
            found += [item[1] for item in tree[1:] if item[0] == attribute]
        for item in tree:
            found += parts(item, carrier, attribute)
    return found


@pytest.mark.parametrize("key", ONLY_ONE)
def test_a_key_with_one_value_refuses_every_other(key: str, tmp_path: Path) -> None:
    path, value = ONLY_ONE[key]
    settings(tmp_path, {})
    tree = edited(MAINTENANCE, {path: value})
    (tmp_path / "maintenance.yml").write_text(yaml.safe_dump(tree))
    reading = read_office(tmp_path)
    assert reading.office is None
    assert [problem.thing.rpartition(".")[2] for problem in reading.problems] == [key.rpartition(".")[2]]


# -- who reads it ----------------------------------------------------------------------------------------------------

READERS = (
    "orchestrator/domain",
    "orchestrator/application",
    "orchestrator/adapters",
    "orchestrator/bootstrap.py",
    "orchestrator/entrypoints",
)
DECIDERS = ("orchestrator/domain", "orchestrator/application")
DECIDED_OUTSIDE = frozenset(
    {"Office.sources", "Office.channels", "ChannelSettings.tls", "ChannelSettings.directory", "ChannelSettings.sender"}
) | {
    "ChannelSettings.password",
    "ChannelSettings.ca",
    "Site.group",
    "HealthProbe.timeout",
    "HealthProbe.target",
    "HealthProbe.kind",
    "OfficeFacts.reboot_reserve",
    "OfficeFacts.wake_wait",
    "OfficeFacts.security_limit",
}
"""Used by the runner, the prober, the channels and the composition root, which hand them on as seconds or names."""


def sources(folders: tuple[str, ...]) -> Iterator[Path]:
    for folder in folders:
        path = ROOT / folder
        yield from [path] if path.is_file() else path.rglob("*.py")


def attributes_read(folders: tuple[str, ...]) -> set[str]:
    """Names of attributes that are read. A keyword or a field definition is no reading."""
    return {
        node.attr
        for path in sources(folders)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


@pytest.fixture(scope="module")
def read_by_deciders() -> set[str]:
    return attributes_read(DECIDERS)


@pytest.fixture(scope="module")
def read_by_anybody() -> set[str]:
    return attributes_read(READERS)


@pytest.mark.parametrize("target", sorted({target for _, target in ROWS.values()}))
def test_somebody_reads_what_the_key_became(target: str, read_by_deciders: set[str], read_by_anybody: set[str]) -> None:
    readers = read_by_anybody if target in DECIDED_OUTSIDE else read_by_deciders
    assert target.partition(".")[2] in readers, f"nobody reads {target}: the key would be accepted and ignored"
