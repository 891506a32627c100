"""What the stream callback lets out."""

from __future__ import annotations

from ansible_collections.deskside.workplace.plugins.plugin_utils._event_stream import HIDDEN, compact, mask, shorten


def test_a_censored_result_says_only_whether_it_changed():
    assert compact({"changed": True, "stdout": "s"}, censored=True) == {"censored": True, "changed": True}
    assert compact({"_ansible_no_log": True, "stdout": "s"}, censored=False) == {"censored": True, "changed": False}
    assert compact({"censored": "the output has been hidden", "changed": False}, censored=False) == {
        "censored": True,
        "changed": False,
    }


def test_what_nobody_reads_is_left_out_and_our_own_dict_passes_whole():
    packages = [{"name": str(number)} for number in range(500)]
    result = {
        "invocation": {},
        "ansible_facts": {},
        "_ansible_x": 1,
        "diff": [],
        "stdout": "x",
        "stdout_lines": ["x"],
        "deskside": {"packages": packages},
    }
    assert compact(result, censored=False) == {"stdout": "x", "deskside": {"packages": packages}}


def test_long_texts_keep_both_ends_and_long_lists_their_beginning():
    text = shorten("a" * 10_000 + "end")
    assert len(text) < 8300
    assert text.endswith("end")
    assert len(shorten(list(range(1000)))) == 50


def test_secrets_are_masked_at_every_depth_and_as_numbers():
    found = mask({"a": ["x hunter2 y", {"hunter2": "hunter2"}], "n": 4711, "b": True}, frozenset({"hunter2", "4711"}))
    assert found == {"a": [f"x {HIDDEN} y", {HIDDEN: HIDDEN}], "n": HIDDEN, "b": True}


def test_a_very_short_secret_is_masked_only_where_it_stands_alone():
    assert mask(["abc", "xabcx"], frozenset({"abc"})) == [HIDDEN, "xabcx"]
