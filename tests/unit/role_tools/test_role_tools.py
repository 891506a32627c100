"""Scaffolding, README tables and the mutation driver, without a device."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from deskside_lab import new_role, role_readme, try_role
from deskside_lab.errors import LabError

from tests.molecule import mutate


@pytest.mark.parametrize("inside", [True, False])
def test_a_scaffold_is_whole_and_says_nothing_of_the_example(tmp_path, inside):
    (tmp_path / "changes").mkdir()
    written = new_role.scaffold("printer_driver", tmp_path, inside=inside)
    folder = tmp_path / ("tests/molecule" if inside else "molecule")
    assert {path.parent.name for path in folder.glob("*/molecule.yml")} == {"printer_driver", "printer_driver_alternative"}
    assert (tmp_path / ".config/molecule/config.yml").exists() is not inside
    assert (tmp_path / "changes/printer_driver.feature.md").exists() is inside
    for path in written:
        assert "example_role" not in path.read_text(), path
        assert ("deskside.workplace" in path.read_text() and not inside) is False, path
        if path.suffix == ".yml":
            yaml.safe_load(path.read_text())


def test_the_scaffolds_spec_defaults_and_known_names_agree(tmp_path):
    new_role.scaffold("printer_driver", tmp_path, inside=False)
    role = tmp_path / "roles/printer_driver"
    options = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    assert {name: option["default"] for name, option in options.items()} == defaults
    assert yaml.safe_load((role / "vars/main.yml").read_text())["__printer_driver_known"] == sorted(options)
    changed = yaml.safe_load((tmp_path / "molecule/printer_driver_alternative/group_vars/all.yml").read_text())
    assert changed.keys() == defaults.keys()
    assert all(changed[name] != defaults[name] for name in defaults)


@pytest.mark.parametrize("name", ["Printer", "printer-driver", "p", "1st", "x_alternative", "../x"])
def test_a_name_that_cannot_be_a_role_is_refused(tmp_path, name):
    with pytest.raises(LabError, match="cannot be called"):
        new_role.scaffold(name, tmp_path, inside=False)
    assert not list(tmp_path.iterdir())


def test_a_role_that_is_there_is_never_overwritten(tmp_path):
    new_role.scaffold("thing", tmp_path, inside=False)
    (tmp_path / "roles/thing/tasks/apply.yml").write_text("mine")
    with pytest.raises(LabError, match="already"):
        new_role.scaffold("thing", tmp_path, inside=False)
    assert (tmp_path / "roles/thing/tasks/apply.yml").read_text() == "mine"


def test_the_shared_configuration_outside_is_the_one_inside():
    ours = mutate.ROOT / ".config/molecule/config.yml"
    assert (new_role.TEMPLATE / "outside/config.yml").read_text() == ours.read_text()


def test_a_readme_is_stale_until_it_is_written_again(tmp_path):
    new_role.scaffold("thing", tmp_path, inside=False)
    role = tmp_path / "roles/thing"
    assert not role_readme.stale(role)
    spec = role / "meta/argument_specs.yml"
    spec.write_text(spec.read_text().replace("default: hello", "default: good|bye"))
    assert role_readme.main(["--check", str(role)]) == 1
    assert role_readme.main([str(role)]) == 0
    assert '`"good\\|bye"`' in (role / "README.md").read_text()
    assert role_readme.main(["--check", str(role)]) == 0


def test_a_readme_without_marks_says_where_the_table_belongs(tmp_path):
    new_role.scaffold("thing", tmp_path, inside=False)
    (tmp_path / "roles/thing/README.md").write_text("# thing\n")
    with pytest.raises(ValueError, match="are missing; put them where the variables belong"):
        role_readme.stale(tmp_path / "roles/thing")


@pytest.mark.parametrize(
    "role", sorted(path.name for path in (mutate.ROOT / "roles").iterdir() if (path / "meta/argument_specs.yml").exists())
)
def test_the_table_of_every_role_is_what_its_spec_says(role):
    assert not role_readme.stale(mutate.ROOT / "roles" / role), "run `make role-docs`"


def test_a_scenario_that_is_not_there_is_named_with_those_that_are(tmp_path):
    new_role.scaffold("thing", tmp_path, inside=False)
    with pytest.raises(LabError, match=r"no scenario 'thign' in .*: thing, thing_alternative"):
        try_role.try_scenario("thign", root=tmp_path)


TASKS = [{"name": "a"}, {"name": "b", "block": [{"name": "c"}], "rescue": [{"name": "d"}, {"name": "e"}]}]


def test_every_task_is_dropped_once_those_in_blocks_too(tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/main.yml").write_text(yaml.safe_dump(TASKS))
    found = list(mutate.mutants(tmp_path))
    assert [mutant.name for mutant in found] == [f"main.yml: {letter}" for letter in "abcde"]
    assert mutate.without(TASKS, found[0].place) == TASKS[1:]
    assert mutate.without(TASKS, found[4].place)[1]["rescue"] == [{"name": "d"}]
    assert len(TASKS[1]["rescue"]) == 2


def test_a_roles_scenarios_begin_with_its_default():
    assert mutate.scenarios_of("os_update")[0] == "os_update"
    assert "os_update_alternative" in mutate.scenarios_of("os_update")


def test_every_role_has_both_scenarios():
    known = try_role.scenarios(mutate.ROOT)
    roles = [
        path.name for path in (mutate.ROOT / "roles").iterdir() if (path / "tasks/main.yml").exists() and path.name != "common"
    ]
    assert [name for role in roles for name in (role, f"{role}_alternative") if name not in known] == []


def test_the_alternative_scenario_sets_every_variable_to_something_else():
    for role in mutate.ROOT.glob("roles/*/defaults/main.yml"):
        name = role.parents[1].name
        path = mutate.ROOT / "tests/molecule" / f"{name}_alternative" / "group_vars/all.yml"
        defaults, changed = yaml.safe_load(role.read_text()), yaml.safe_load(Path(path).read_text())
        assert {key for key in defaults if changed.get(key) != defaults[key]} == set(defaults), name
