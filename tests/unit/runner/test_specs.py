"""What a playbook says about itself."""

from __future__ import annotations

import pytest

from orchestrator.adapters.runner.specs import playbook_names, playbook_spec
from orchestrator.application.errors import ConfigurationError, NotFoundError


def test_a_playbook_of_ours_is_found_by_name_and_by_full_name():
    spec = playbook_spec("run_guarded")
    assert playbook_spec("deskside.workplace.run_guarded") == spec
    assert (spec.reference, spec.guard, spec.described) == ("deskside.workplace.run_guarded", "inside", True)


@pytest.mark.parametrize("name", playbook_names())
def test_every_playbook_of_ours_describes_itself(name):
    spec = playbook_spec(name)
    assert spec.described
    assert spec.short_description
    assert (spec.guard in {"inside", "wrap"}, spec.inventory in {"job", "office"}) == (True, True)


def test_a_foreign_playbook_gets_the_careful_defaults(tmp_path):
    (tmp_path / "site.yml").write_text("[]")
    spec = playbook_spec("site.yml", cwd=tmp_path)
    assert (spec.reference, spec.needs_window, spec.may_reboot, spec.guard, spec.inventory, spec.probe) == (
        str(tmp_path / "site.yml"), True, True, "wrap", "office", "",
    )  # fmt: skip
    assert not spec.described


def test_the_working_directory_is_looked_at_before_the_office(tmp_path):
    for name in ("here", "office"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "site.yml").write_text("[]")
    assert playbook_spec("site.yml", cwd=tmp_path / "here", office=tmp_path / "office").path.parent.name == "here"
    assert playbook_spec("site.yml", cwd=tmp_path, office=tmp_path / "office").path.parent.name == "office"


def test_an_unknown_name_is_not_found_and_the_nearest_is_named(tmp_path):
    with pytest.raises(NotFoundError, match='Did you mean "run_guarded"'):
        playbook_spec("run_gaurded", cwd=tmp_path)
    with pytest.raises(NotFoundError, match=r"Known: .*run_guarded"):
        playbook_spec("zzz", cwd=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("argument_specs: {other: {}}", "argument_specs.site cannot be read"),
        ("a: [", "cannot be read"),
        ("argument_specs: {site: {deskside: {needs_windw: true}}}", "deskside.needs_windw is not known"),
    ],
)
def test_a_wrong_meta_file_is_an_error_that_names_the_key(tmp_path, text, message):
    (tmp_path / "site.yml").write_text("[]")
    (tmp_path / "site.meta.yml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        playbook_spec("site.yml", cwd=tmp_path)
