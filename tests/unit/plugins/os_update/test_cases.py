"""JSON cases: facts of a device and options in, programs run and what is said out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_engine as engine
from ansible_collections.deskside.workplace.plugins.module_utils import _os_update_model as model

from .scripted import ScriptedApt, ScriptedHost

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path, tmp_path):
    case = json.loads(path.read_text())
    options = model.Options.of({"min_free": {}, **case.get("options", {})})
    host = ScriptedHost(str(tmp_path), case["facts"], read_only=case.get("check", False))
    apt = ScriptedApt(host, options)
    begun: list[object] = []

    def begin(plan):
        begun.append(plan)
        host.commands.append("<applying>")
        return case.get("earlier_plan")

    try:
        if case.get("check"):
            result = engine.predict(host, apt)
        else:
            update = engine.Update(
                host, apt, begin, resume=case.get("resume", False), sleep=lambda _s: host.commands.append("<wait>")
            )
            result = update.carry_out()
    except model.RefusedUpdateError as refusal:
        result = engine.refused(refusal)
        assert not begun, "refused although something may have been changed"
    assert host.commands == case["commands"]
    said = {key: result[key] for key in case["said"]}
    assert said == case["said"]
    if case.get("check"):
        assert not list(tmp_path.rglob("*")), "check mode wrote something"


def test_there_are_cases():
    assert len(CASES) >= 20
