"""Prose that is executed: links lead somewhere, commands and targets that are named exist, every change is told."""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import Any

import pytest
import typer.core

from orchestrator.entrypoints.cli._lazy import load
from orchestrator.entrypoints.cli._options import SHARED
from orchestrator.entrypoints.cli._table import COMMANDS
from tests.policy.tree import ROOT, text, tracked, under

PAGES = [name for name in tracked() if name.endswith(".md") and not name.startswith("changes/")]
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|`|\$ |&& )deskside ([^`\n|#…]+)", re.MULTILINE)
TARGET = re.compile(r"(?:^ *|`|\$ |&& )make ([a-z][a-z-]+)", re.MULTILINE)
KINDS = {"feature", "bugfix", "doc", "removal", "misc"}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    broken = []
    for target in (a or b for a, b in LINK.findall(text(page))):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        aim = (ROOT / page).parent / path if path else ROOT / page
        if not aim.exists() or (anchor and anchor not in headings(aim.read_text(encoding="utf8"))):
            broken.append(target)
    assert broken == []


def headings(page: str) -> set[str]:
    """Anchors the way GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
        for line in page.splitlines()
        if line.startswith("#")
    }


@cache
def command(name: str) -> Any:
    return load(name)


def wrong_call(call: str) -> str:
    """What is wrong with a call as a page shows it; empty when it would be understood."""
    try:
        words = shlex.split(call.strip().rstrip(".,;:)"))
    except ValueError:
        return "cannot be split into words"
    shared = {f"--{name}" for name in SHARED}
    while words and words[0].startswith("--"):
        words = words[2:] if words[0] in shared - {"--json"} else words[1:]
    if not words or not re.fullmatch(r"[a-z][a-z-]*(\|[a-z-]+)*", words[0]):
        return ""
    if words[0] not in COMMANDS:
        return f"no command {words[0]}"
    found, rest = command(words[0]), words[1:]
    if isinstance(found, typer.core.TyperGroup) and rest and re.fullmatch(r"[a-z-]+", rest[0]):
        if rest[0] not in found.commands:
            return f"no command {words[0]} {rest[0]}"
        found, rest = found.commands[rest[0]], rest[1:]
    if getattr(found, "context_settings", {}).get("ignore_unknown_options"):
        return ""
    known = {option for param in found.params for option in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
    unknown = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known and word != "--"]
    return f"no option {', '.join(unknown)}" if unknown else ""


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_shown_exist(page: str) -> None:
    if page == "docs/reference/cli.md":
        return
    assert [f"deskside {call}: {why}" for call in COMMAND.findall(text(page)) if (why := wrong_call(call))] == []


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("no-such-thing", "no command no-such-thing"),
        ("maintenance no-such-thing", "no command maintenance no-such-thing"),
        ("plan patch-night --no-such", "no option --no-such"),
        ("plan patch-night --json", ""),
        ("--office x plan patch-night", ""),
    ],
)
def test_a_wrong_call_is_seen(call: str, why: str) -> None:
    assert wrong_call(call) == why


def test_make_targets_that_are_shown_exist() -> None:
    makefiles = "\n".join(text(name) for name in ("Makefile", *under("tests/make/", suffix=".mk")))
    targets = {name for line in re.findall(r"^([a-z][a-z -]*):(?!=)", makefiles, re.MULTILINE) for name in line.split()}
    assert {(page, name) for page in PAGES for name in TARGET.findall(text(page)) if name not in targets} == set()


def test_changes_are_told_in_one_form() -> None:
    names = [name for name in under("changes/") if not name.endswith(".gitignore")]
    assert names, "a change brings its fragment changes/<name>.<kind>.md"
    assert [name for name in names if name.removeprefix("changes/").split(".")[1:] not in [[kind, "md"] for kind in KINDS]] == []
    assert [name for name in names if not text(name).strip()] == []


def test_pages_stand_in_one_of_four_kinds() -> None:
    kinds = ("docs/tutorial/", "docs/how-to/", "docs/reference/", "docs/explanation/", "docs/decisions/", "docs/pictures/")
    assert [name for name in under("docs/") if not name.startswith(kinds)] == []
