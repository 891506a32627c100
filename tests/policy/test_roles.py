"""The interface of a role stands in one checked place: spec equals defaults, and nothing else is used."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.policy.generate import specs
from tests.policy.tree import ROOT, roles, text, under


def options(role: str) -> dict[str, dict[str, Any]]:
    return {name: option for entry in specs(role).values() for name, option in (entry.get("options") or {}).items()}


def defaults(role: str) -> dict[str, Any]:
    path = ROOT / "roles" / role / "defaults" / "main.yml"
    return (yaml.safe_load(path.read_text(encoding="utf8")) or {}) if path.exists() else {}


def test_there_are_roles() -> None:
    assert roles()


@pytest.mark.parametrize("role", roles())
def test_defaults_are_the_specs_defaults(role: str) -> None:
    assert defaults(role) == {name: option["default"] for name, option in options(role).items() if "default" in option}


@pytest.mark.parametrize("role", roles())
def test_every_option_is_typed_described_and_required_or_defaulted(role: str) -> None:
    wrong = [
        name
        for name, option in options(role).items()
        if not option.get("type") or not option.get("description") or bool(option.get("required")) == ("default" in option)
    ]
    assert wrong == []
    assert [name for name, option in options(role).items() if option["type"] == "list" and "elements" not in option] == []


@pytest.mark.parametrize("role", roles())
def test_variables_carry_the_roles_name(role: str) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", roles())
def test_no_variable_is_used_that_nobody_declared(role: str) -> None:
    """A typo in a variable's name is the commonest bug of a role."""
    files = [name for name in under(f"roles/{role}/") if name.endswith((".yml", ".j2")) and "/meta/" not in name]
    pages = "\n".join(text(name) for name in files)
    used = set(re.findall(rf"(?<![\w.])((?:__)?{role}_[a-z0-9_]+)(?=\W)", pages))
    set_here = set(re.findall(rf"^\s*(?:- )?((?:__)?{role}_[a-z0-9_]+):", pages, re.MULTILINE))
    set_here |= set(re.findall(rf"(?:register|loop_var|index_var): ((?:__)?{role}_[a-z0-9_]+)", pages))
    modules = {name.rpartition("/")[2].partition(".")[0] for name in under("plugins/modules/", "plugins/action/")}
    files_named = {name.rpartition("/")[2].rpartition(".")[0] for name in under(f"roles/{role}/")}
    facts = set(re.findall(rf"[\"']({role}_[a-z0-9_]+)[\"']", "\n".join(text(name) for name in under("plugins/", suffix=".py"))))
    assert used - set_here - facts - set(options(role)) - modules - files_named - set(roles()) == set()


@pytest.mark.parametrize("role", roles())
def test_a_role_does_not_decide_to_reboot(role: str) -> None:
    calls = r"ansible\.builtin\.reboot|reboot_in_window|systemctl[ ,'\"]+reboot|shutdown +-r"
    assert [name for name in under(f"roles/{role}/tasks/", f"roles/{role}/handlers/") if re.search(calls, text(name))] == []
