"""The one document from which page, PDF, CSV and checkers take what happened."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.application.report_document import build, changes
from orchestrator.application.report_words import headline
from orchestrator.domain.notice import NoticeKind, NoticeState
from orchestrator.domain.outcome import DeviceState, Outcome, RolloutState
from tests.unit.report import night

PLAN = night.plan()


def document(**parts):
    given = {
        "plan": PLAN,
        "row": night.occurrence_row(),
        "runs": night.runs(),
        "gates": night.gates(),
        "rows": night.outbox(PLAN),
        "log": night.log(),
    } | parts
    return build(given["plan"], given["row"], given["runs"], given["gates"], given["rows"], given["log"], made_at=night.at(600))


def device(name: str, **parts):
    return next(row for row in document(**parts)["devices"] if row["device"] == name)


def test_it_is_json_and_stays_the_same():
    first, second = document(), document()
    assert json.loads(json.dumps(first)) == first == second


@pytest.mark.parametrize(
    ("outcomes", "state", "sentence"),
    [
        ([Outcome.CHANGED] * 38 + [Outcome.FAILED] + [Outcome.NOT_REACHED] * 2, "finished", "38 of 41 devices are up to date; 1 failed; 2 were not reached"),
        ([Outcome.OK] * 3, "finished", "All 3 devices are up to date"),
        ([Outcome.OK], "finished", "The one device is up to date"),
        ([Outcome.FAILED], "finished", "The one device is not up to date; 1 failed"),
        ([Outcome.OK, Outcome.ABSENT], "cancelled", "Cancelled: 1 of 2 devices is up to date; 1 did not answer"),
        ([Outcome.ROLLED_BACK, Outcome.OK], "stopped", "Stopped by a red gate: 1 of 2 devices is up to date; 1 failed and was put back"),
        ([Outcome.UNKNOWN, Outcome.REBOOT_PENDING, Outcome.DEFERRED, Outcome.SKIPPED], "finished",
         "0 of 4 devices are up to date; 1 is uncertain; 1 waits for its restart; 1 was postponed; 1 was skipped"),
        ([Outcome.NOT_REACHED] * 5, "missed", "Missed: the window closed before anything began; none of 5 devices was touched"),
        ([], "finished", "No device was planned"),
    ],
)  # fmt: skip
def test_the_headline_says_it_in_one_sentence(outcomes, state, sentence):
    assert headline(outcomes, RolloutState(state)) == sentence


@given(st.lists(st.sampled_from(Outcome), min_size=1, max_size=60))
def test_the_numbers_of_the_headline_add_up(outcomes):
    words = headline(outcomes, RolloutState.FINISHED)
    good = sum(outcome.good for outcome in outcomes)
    rest = sum(int(part.split()[0]) for part in words.split("; ")[1:])
    assert good + rest == len(outcomes)
    assert str(len(outcomes)) in words or len(outcomes) == 1


def test_failures_come_first_with_reason_lines_and_what_is_next():
    found = document()
    assert [row["device"] for row in found["failures"]] == ["ws-edsger", "ws-205"]
    failed = found["failures"][0]
    assert "post-installation script failed" in failed["reason"]
    assert failed["lines"] == list(night.FAILED_LINES)
    assert "planned again" in failed["next"]
    assert found["failures"][1]["restart_needed"] == ["linux-image-6.1.0-41-amd64"]


def test_changes_are_exactly_what_the_devices_reported():
    expected = {(run.device, row["name"], row["from"], row["to"]) for run in night.runs() for row in run.detail.get("packages", ())}
    found = document()["changes"]
    assert {(row["device"], row["package"], row["from"], row["to"]) for row in found} == expected
    assert len(found) == len(expected)
    assert all(set(row) == {"device", "package", "from", "to"} for row in found)


def test_a_step_reported_twice_counts_once():
    [run] = [run for run in night.runs() if run.device == "ws-linus"]
    twice = replace(run, detail={**run.detail, "packages": [*run.detail["packages"], *run.detail["packages"]]})
    assert changes([twice]) == changes([run])
    assert len(changes([run])) == 8


def test_a_detail_of_another_shape_does_not_stop_the_report():
    odd = {"packages": ["x", {"name": None}], "pending": "no", "services": 3, "rebooted": True, "reboot_reasons": None}
    runs = [replace(run, detail=odd) if run.device == "ws-ada" else run for run in night.runs()]
    row = device("ws-ada", runs=runs)
    assert row["changes"] == [{"package": "", "from": "", "to": "", "class": "", "undo": ""}]
    assert (row["services"], row["pending"], row["restart"]) == ([], [], None)


def test_a_restart_is_told_with_its_time_or_at_least_that_it_happened():
    assert device("ws-ada")["restart"] == {"at": "2026-12-09T21:05:06+00:00", "seconds": 48.0}
    runs = [
        replace(run, detail={"rebooted": {"before": "a", "after": "b"}}) if run.device == "ws-ada" else run for run in night.runs()
    ]
    assert device("ws-ada", runs=runs)["restart"] == {"at": None, "seconds": None}
    assert device("ws-linus")["restart"] is None


def test_a_device_nobody_settled_is_unknown_never_good():
    runs = [replace(run, outcome=None, state=DeviceState.RUNNING) if run.device == "ws-ada" else run for run in night.runs()]
    found = document(runs=runs)
    assert device("ws-ada", runs=runs)["outcome"] == "unknown"
    assert found["counts"]["unknown"] == 1
    assert found["failures"][1]["device"] == "ws-ada"


def test_a_device_without_a_record_is_not_reached():
    runs = [run for run in night.runs() if run.device != "ws-ada"]
    row = device("ws-ada", runs=runs)
    assert (row["outcome"], row["reason"]) == ("not-reached", "there is no record of it")
    assert "ws-ada was planned, and there is no record of it." in document(runs=runs)["differences"]


def test_a_device_the_plan_does_not_name_is_told():
    runs = [*night.runs(), night.run("ws-stranger", "broad", 1, 2, Outcome.CHANGED)]
    found = document(runs=runs)
    assert found["counts"]["planned"] == 42
    assert "ws-stranger was worked on, and the plan does not name it." in found["differences"]


def test_every_device_stands_in_the_list_of_its_outcome():
    found = document()
    assert [row["device"] for row in found["absent"]] == ["ws-old-3"]
    assert [row["device"] for row in found["not_reached"]] == ["fs-2", "mail-1"]
    assert [row["device"] for row in found["reboot_pending"]] == ["ws-205"]
    assert [row["rule"] for row in found["left_out"]] == ["deferred", "nobody-owns"]
    assert found["counts"]["planned"] == 41 == len(found["devices"])


def test_rings_have_their_bars_and_gates():
    rings = {ring["name"]: ring for ring in document()["rings"]}
    assert rings["canary"]["started_at"] == "2026-12-09T21:00:12+00:00"
    assert rings["canary"]["gate"]["asks"] == "100 % ok, soak 20 min, http http://intranet/health"
    assert rings["early"]["gate"]["asks"] == "95 % ok, at most 2 failed, soak 10 min"
    assert (
        rings["last"]["gate"] | {"verdict": "red", "reason": "3 of 5 devices are done, 100 % were asked for"}
        == rings["last"]["gate"]
    )
    assert [bar["device"] for bar in rings["early"]["bars"]] == ["ws-old-3", "ws-alan", "ws-grace", "ws-new-7"]
    assert rings["early"]["bars"][0]["started_at"] is None


def test_what_differed_from_the_plan_is_said():
    assert document()["differences"] == [
        "dc-2 took 24 minutes; predicted were at most 11 minutes.",
        "It ended 00:11; predicted was 23:50.",
    ]
    late = [
        replace(run, started_at=run.started_at + timedelta(minutes=12)) if run.ring == "canary" else run for run in night.runs()
    ]
    assert "Ring canary began 22:12; predicted was 22:00." in document(runs=late)["differences"]
    never = [run if run.ring != "last" else replace(run, started_at=None) for run in night.runs()]
    assert "Ring last was not begun." in document(runs=never)["differences"]
    taken = [replace(run, outcome=Outcome.SKIPPED, reason="by grace") if run.device == "ws-ada" else run for run in night.runs()]
    assert "ws-ada was planned and then skipped: by grace." in document(runs=taken)["differences"]


def test_doubtful_messages_are_rows():
    found = {(row["person"], row["kind"], row["key"]): row["ambiguous"] for row in document()["ambiguous"]}
    assert found == {
        ("alan", "reminder", "before_leaving"): "unknown",
        ("linus", "closing", ""): "repeated",
        ("tim", "invitation", ""): "missing",
        ("tim", "closing", ""): "missing",
    }


def test_a_closing_that_never_left_is_missing():
    rows = [
        replace(row, state=NoticeState.SENDING, sent_at=None) if row.notice.person == "ada" else row for row in night.outbox(PLAN)
    ]
    found = {(row["person"], row["kind"]) for row in document(rows=rows)["ambiguous"] if row["ambiguous"] == "missing"}
    assert {("ada", "invitation"), ("ada", "closing")} <= found
    assert ("ada", "reminder") not in found


def test_somebody_without_a_row_is_missing():
    rows = [row for row in night.outbox(PLAN) if row.notice.person != "grace"]
    found = {(row["person"], row["kind"]): row["detail"] for row in document(rows=rows)["ambiguous"]}
    assert found[("grace", "invitation")] == found[("grace", "closing")] == "was never put into the outbox"


def test_before_the_closing_nothing_is_missing_and_without_a_channel_neither():
    rows = [row for row in night.outbox(PLAN) if row.notice.kind is not NoticeKind.CLOSING]
    assert not [row for row in document(rows=rows)["ambiguous"] if row["kind"] == "closing"]
    assert document(rows=[])["ambiguous"] == []


def test_who_could_not_be_told_is_named_with_the_reason():
    found = [(row["person"], row["kind"]) for row in document()["not_told"]]
    assert found == [("kiosk", ""), ("tim", "invitation"), ("tim", "reminder"), ("tim", "closing")]
    assert "550 5.1.1" in document()["not_told"][1]["why"]


def test_only_what_a_lead_wants_to_read_is_on_the_record_in_order():
    found = document(log=list(reversed(night.log())))["log"]
    assert [entry["kind"] for entry in found] == ["wake", "pause", "resume"]


def test_an_emergency_names_its_reason():
    plan = replace(PLAN, occurrence=night.occurrence(emergency_reason="CVE-2026-1234"))
    assert document(plan=plan)["occurrence"]["emergency"] == "CVE-2026-1234"


def test_the_plan_is_signed():
    found = document()["plan"]
    assert (found["hash"], found["tzdata"], found["work"][0]["playbook"]) == ("7f3a9c41d2e8", "2026b", "apply_os_updates")
    assert (found["added"], found["removed"]) == (["ws-new-7"], ["ws-retired-2"])


def test_every_key_stands_in_the_reference():
    page = (Path(__file__).parents[3] / "docs" / "reference" / "report.md").read_text()
    found = document()
    nested = (
        found,
        found["occurrence"],
        found["rings"][0],
        found["rings"][0]["gate"],
        found["rings"][0]["bars"][0],
        found["devices"][0],
    )
    more = (found["people"][0], found["not_told"][0], found["ambiguous"][0], found["left_out"][0], found["log"][0], found["plan"])
    words = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`]*)`", page))))
    assert {key for part in (*nested, *more) for key in part} <= words
