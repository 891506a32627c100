"""Schema, sample and reference page say what the loader does, because they come from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import time, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from orchestrator.config.described import OfficeFile, flow, json_schema, reference, sample, shown
from orchestrator.config.merge import read_maintenance
from orchestrator.config.office import load_office, read_office
from orchestrator.config.problems import keys_of, part_at
from orchestrator.config.schema import MaintenanceFile, Part, PersonPart
from orchestrator.domain.person import WorkingHours
from orchestrator.entrypoints.cli import main

EXAMPLE = Path(__file__).parents[3] / "inventory" / "example"


@pytest.fixture
def sampled(tmp_path: Path) -> Path:
    """An office that is nothing but the two samples."""
    for file in OfficeFile:
        (tmp_path / file.value).write_text(sample(file), encoding="utf-8")
    (tmp_path / "hosts.yml").touch()
    return tmp_path


def keys(part: type[Part]) -> Iterator[tuple[type[Part], str]]:
    for key in keys_of(part):
        yield part, key
        for path in ((key,), (key, 0), (key, "*")):
            inner = part_at(part, path)
            if inner is not None:
                yield from keys(inner)
                break


def validator(file: OfficeFile) -> Any:
    schema = json_schema(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_samples_load_without_an_error(sampled: Path) -> None:
    office = load_office(sampled)
    assert office.disabled == ()
    assert [ring.name for ring in office.windows["patch-night"].rings] == ["canary", "early", "broad"]
    assert list(office.people) == ["ada"]


def test_the_samples_show_every_key_with_its_description() -> None:
    for file, root in ((OfficeFile.MAINTENANCE, MaintenanceFile), (OfficeFile.PEOPLE, PersonPart)):
        lines = [line.strip().removeprefix("# ").removeprefix("- ") for line in sample(file).splitlines()]
        words = " ".join(line.strip().removeprefix("# ") for line in sample(file).splitlines())
        for part, key in keys(root):
            assert any(line.startswith(f"{key}:") for line in lines), key
            description = keys_of(part)[key].description
            assert description, f"{part.__name__}.{key} has no description"
            assert description in words, f"{part.__name__}.{key}"


def test_the_json_schema_accepts_the_samples_and_the_example(sampled: Path) -> None:
    validator(OfficeFile.MAINTENANCE).validate(read_maintenance(sampled).value)
    validator(OfficeFile.MAINTENANCE).validate(read_maintenance(EXAMPLE).value)
    validator(OfficeFile.PEOPLE).validate(yaml.safe_load((EXAMPLE / "people.yml").read_text()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lasts: 5h", "lasts: 5"),
        ("lasts: 5h", "lasts: soon"),
        ("lasts: 5h", "length: 5h"),
        ("ok: 95%", "ok: most"),
        ('at: "07:00"', 'at: "7 am"'),
        ("wake: true", "wake: maybe"),
        ("nobody_owns: hold", "nobody_owns: ignore"),
        ("missed: skip", "missed: catch_up"),
        ("- {name: early, share: 10%", "- {name: early, share: 10%, rest: true"),
        ("failed_at_most: 2", "failed_at_most: -1"),
        ('smtp: "smtps://it@mail.example.org"', 'smtp: "http://mail.example.org"'),
        ("  patch-night:", "  Patch Night:"),
    ],
)
def test_schema_and_loader_refuse_the_same(sampled: Path, old: str, new: str) -> None:
    path = sampled / "maintenance.yml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert read_office(sampled).office is None
    with pytest.raises(jsonschema.ValidationError):
        validator(OfficeFile.MAINTENANCE).validate(read_maintenance(sampled).value)


def test_both_forms_of_starts_are_in_the_schema(sampled: Path) -> None:
    tree = read_maintenance(sampled).value
    window = tree["maintenance_windows"]["patch-night"]
    window["starts"] = window["starts"][0]
    validator(OfficeFile.MAINTENANCE).validate(tree)


def test_the_reference_has_a_row_for_every_key_and_links_that_lead_somewhere() -> None:
    page = reference()
    rows = [line.split("|")[1].strip().strip("`") for line in page.splitlines() if line.startswith("| `")]
    for _, key in [*keys(MaintenanceFile), *keys(PersonPart)]:
        assert key in rows
    anchors = {line.removeprefix("## ").lower().replace(" ", "-") for line in page.splitlines() if line.startswith("## ")}
    anchors = {"".join(c for c in anchor if c.isalnum() or c in "-_") for anchor in anchors}
    linked = {part.partition(")")[0] for part in page.split("](#")[1:]}
    assert linked <= anchors


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(days=1, hours=1, minutes=30), "1d1h30m"),
        (timedelta(0), "0m"),
        (Fraction(1, 8), "12.5%"),
        (time(7), '"07:00"'),
        (WorkingHours(), "09:00-17:00 mon-fri"),
        (False, "false"),
    ],
)
def test_defaults_are_shown_as_the_files_write_them(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    "value", ["22:00", "yes", "a: b", "*", "!lab", "web:db", 'say "x"', "95%", "5h", "2026-01-01", ["a", 1, True], {"k": "{x}"}]
)
def test_one_line_yaml_reads_back_as_the_same(value: object) -> None:
    assert yaml.load(flow(value), yaml.BaseLoader) == yaml.load(json.dumps(value), yaml.BaseLoader)


def test_the_commands_print_the_same(sampled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(sampled)
    assert main(["config", "sample"]) == 0
    assert capsys.readouterr().out == sample(OfficeFile.MAINTENANCE)
    assert main(["config", "sample", "people.yml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": "people.yml", "text": sample(OfficeFile.PEOPLE)}
    assert main(["config", "schema", "people.yml"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema(OfficeFile.PEOPLE)
    assert main(["config", "schema", "--markdown"]) == 0
    assert capsys.readouterr().out == reference()
    assert main(["config", "show", "--json"]) == 0
    shown_settings = json.loads(capsys.readouterr().out)
    assert shown_settings["windows"]["patch-night"]["lasts"] == "5h"
    assert shown_settings["channels"]["mail"]["password"] == "***"
    assert main(["config", "show"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == shown_settings
