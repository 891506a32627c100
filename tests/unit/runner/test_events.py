"""Lines of the callback → what each host did."""

from __future__ import annotations

import json

import pytest

from orchestrator.adapters.runner.events import StreamError, Tally, explain


def line(kind, host="ws-1", *, action="ansible.builtin.command", **res):
    return json.dumps({"e": kind, "t": 1.5, "host": host, "task": "do it", "uuid": "u", "action": action, "res": res})


def stats(*hosts, **counts):
    zero = {"ok": 0, "failures": 0, "unreachable": 0, "changed": 0, "skipped": 0, "rescued": 0, "ignored": 0}
    return json.dumps({"e": "stats", "t": 2.0, "hosts": dict.fromkeys(hosts, zero | counts)})


def tally(*lines):
    events = []
    found = Tally(events.append)
    for text in lines:
        found.feed(text)
    return found, events


def test_a_stream_is_complete_only_when_stats_is_its_last_line():
    assert tally(line("ok"), stats("ws-1", ok=1))[0].complete
    assert not tally(line("ok"))[0].complete
    assert not tally(stats("ws-1"), line("ok"))[0].complete


def test_every_host_of_an_incomplete_run_is_not_ok():
    found, _ = tally(line("ok", changed=True))
    results = found.results(("ws-1", "ws-2"), "killed")
    assert [host.ok for host in results.values()] == [False, False]
    assert results["ws-2"].reason == "killed"
    assert results["ws-1"].touched


def test_a_change_is_a_changed_event_and_a_changed_host():
    found, events = tally(line("ok", changed=True), stats("ws-1", ok=1, changed=1))
    assert [(event.kind, event.host, event.task, event.at) for event in events] == [("changed", "ws-1", "do it", 1.5)]
    assert (found.results(("ws-1",))["ws-1"].ok, found.results(("ws-1",))["ws-1"].changed) == (True, True)


def test_a_rescued_failure_is_no_failure():
    found, _ = tally(line("failed", msg="boom"), stats("ws-1", ok=1, rescued=1))
    host = found.results(("ws-1",))["ws-1"]
    assert (host.ok, host.reason) == (True, "")


def test_an_ignored_failure_is_no_failure():
    found, _ = tally(line("ignored", msg="boom"), stats("ws-1", ok=1, ignored=1))
    assert found.results(("ws-1",))["ws-1"].ok


def test_a_host_that_no_play_names_is_not_ok_and_says_so():
    found, _ = tally(stats())
    host = found.results(("ws-1",))["ws-1"]
    assert (host.ok, host.reason) == (False, "no play of this playbook names this device")


def test_the_deskside_dicts_of_one_host_are_merged_key_by_key():
    found, _ = tally(
        line("ok", deskside={"state": "done", "packages": [1]}),
        line("ok", deskside={"reboot_required": True, "state": "nothing"}),
        line("ok", results=[{"deskside": {"held": ["a"]}}, {"deskside": {"held": ["b"]}}]),
        stats("ws-1", ok=3),
    )
    assert found.results(("ws-1",))["ws-1"].data == {"state": "nothing", "packages": [1], "reboot_required": True, "held": ["b"]}


@pytest.mark.parametrize(
    ("action", "kind", "msg", "touched"),
    [
        ("ansible.builtin.command", "ok", "", True),
        ("ansible.builtin.debug", "ok", "", False),
        ("ansible.builtin.setup", "ok", "", False),
        ("deskside.workplace.os_update", "failed", "", True),
        ("ansible.builtin.command", "skipped", "", False),
        ("ansible.builtin.command", "unreachable", "ssh: connect to host 10.0.0.1 port 22: Connection refused", False),
        ("ansible.builtin.command", "unreachable", "Host key verification failed.", False),
        ("ansible.builtin.command", "unreachable", "root@ws: Permission denied (publickey).", False),
        ("ansible.builtin.command", "unreachable", "kex_exchange_identification: Connection closed by remote host", False),
        ("ansible.builtin.command", "unreachable", "Shared connection to ws-1 closed.", True),
        ("ansible.builtin.command", "unreachable", "Timeout, server ws-1 not responding.", True),
        ("ansible.builtin.command", "unreachable", "something never seen before", True),
    ],
)
def test_a_host_counts_as_touched_unless_it_is_sure_that_nothing_reached_it(action, kind, msg, touched):
    found, _ = tally(line(kind, action=action, msg=msg), stats("ws-1"))
    assert found.results(("ws-1",))["ws-1"].touched is touched


def test_what_was_touched_before_the_connection_was_lost_stays_touched():
    found, _ = tally(line("ok", changed=True), line("unreachable", msg="No route to host"), stats("ws-1", ok=1, unreachable=1))
    host = found.results(("ws-1",))["ws-1"]
    assert (host.unreachable, host.touched, host.ok) == (True, True, False)


def test_a_device_whose_guard_says_done_is_adopted_and_not_failed():
    adopted = {"state": "adopted", "reason": "an earlier run", "packages": [{"name": "a"}]}
    found, _ = tally(line("failed", action="deskside.workplace.device_guard", msg="x", deskside=adopted), stats("ws-1", failures=1))
    host = found.results(("ws-1",))["ws-1"]
    assert (host.ok, host.changed, host.reason, host.data) == (True, False, "an earlier run", adopted)


@pytest.mark.parametrize("state", ["refused", "failed"])
def test_a_device_whose_guard_refuses_has_failed(state):
    told = {"state": state, "reason": "a newer worker (fence 3) has taken over"}
    found, _ = tally(line("failed", action="deskside.workplace.device_guard", msg="x", deskside=told), stats("ws-1", failures=1))
    host = found.results(("ws-1",))["ws-1"]
    assert (host.ok, host.reason) == (False, told["reason"])


def test_only_the_guard_module_can_turn_a_failure_into_an_adoption():
    found, _ = tally(line("failed", action="some.other.thing", msg="x", deskside={"state": "done"}), stats("ws-1", failures=1))
    assert not found.results(("ws-1",))["ws-1"].ok


@pytest.mark.parametrize(
    ("result", "reason", "lines"),
    [
        ({"msg": "non-zero return code", "stderr": "a\nb\n"}, "non-zero return code", ("a", "b")),
        ({"msg": "x", "deskside": {"reason": "disk full", "lines": ["l"]}}, "disk full", ("l",)),
        ({"censored": True, "msg": "secret"}, "failed; the task hides its output (no_log)", ()),
        (
            {
                "msg": "One or more items failed",
                "results": [{"failed": False}, {"failed": True, "msg": "no such user", "stderr": "e"}],
            },
            "no such user",
            ("e",),
        ),
        ({}, "failed without a message", ()),
        ({"msg": "many\n  words"}, "many words", ()),
    ],
)
def test_a_failure_is_explained_in_its_own_words(result, reason, lines):
    assert explain(result) == (reason, lines)


def test_only_the_last_twenty_lines_are_kept():
    assert explain({"stderr": "\n".join(map(str, range(50)))})[1] == tuple(map(str, range(30, 50)))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"e":"ok"}', "3"])
def test_a_line_that_is_no_event_is_an_error(text):
    with pytest.raises(StreamError):
        tally(text)


def test_memory_does_not_grow_with_events():
    found, _ = tally()
    found._on_event = lambda _event: None
    for _ in range(2000):
        found.feed(line("ok", changed=True, stdout="x" * 100))
    assert len(found._hosts) == 1
    assert found._hosts["ws-1"].data == {}
