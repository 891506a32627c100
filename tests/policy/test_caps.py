"""Size and names: caps as lint, not taste."""

from __future__ import annotations

import ast
import re
import statistics

import pytest

from tests.policy.tree import text, under

MODULE, FUNCTION, FUNCTION_MEDIAN = 400, 50, 12
TASKS, PLAYBOOK, DEFAULTS = 120, 60, 80
PYTHON = [name for name in under("orchestrator/", "plugins/", "tests/", suffix=".py") if "/guest/" not in name]
VAGUE = re.compile(r"(^|[/_])(utils?|helpers?|manager|misc|common_functions)(\.py|/|_)")


def lines(name: str) -> int:
    return text(name).count("\n")


def functions(name: str) -> list[tuple[str, int]]:
    tree = ast.parse(text(name))
    return [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_no_module_is_longer_than_the_cap() -> None:
    assert {name: lines(name) for name in PYTHON if lines(name) > MODULE} == {}


def test_no_function_is_longer_than_the_cap() -> None:
    assert [(name, *found) for name in PYTHON for found in functions(name) if found[1] > FUNCTION] == []


def test_functions_are_small_as_a_rule() -> None:
    sizes = [size for name in under("orchestrator/", suffix=".py") for _, size in functions(name)]
    assert statistics.median(sizes) <= FUNCTION_MEDIAN


@pytest.mark.parametrize(
    ("pattern", "cap"),
    [
        (r"^roles/[^/]+/(tasks|handlers)/", TASKS),
        (r"^playbooks/(?!.*\.meta\.yml)", PLAYBOOK),
        (r"^roles/[^/]+/defaults/", DEFAULTS),
    ],
)
def test_yaml_stays_short(pattern: str, cap: int) -> None:
    assert {
        name: lines(name) for name in under("roles/", "playbooks/", suffix=".yml") if re.match(pattern, name) and lines(name) > cap
    } == {}


def test_no_room_is_called_by_nothing() -> None:
    names = [
        name
        for name in under("orchestrator/", "plugins/", "tests/")
        if not name.startswith(("plugins/module_utils/", "plugins/plugin_utils/"))
    ]
    names += [name.rpartition("/")[2] for name in under("plugins/module_utils/", "plugins/plugin_utils/")]
    assert [name for name in names if VAGUE.search(name)] == []


def test_contributing_is_one_page() -> None:
    assert lines("CONTRIBUTING.md") <= 60
