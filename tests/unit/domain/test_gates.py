"""The gate between rings (window contract 8): doubt is red."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.gates import judge
from orchestrator.domain.outcome import Outcome
from orchestrator.domain.verdict import Allow, Deny
from orchestrator.domain.window import Gate, HealthProbe

LETTERS = {
    "o": Outcome.OK,
    "c": Outcome.CHANGED,
    "f": Outcome.FAILED,
    "a": Outcome.ABSENT,
    "r": Outcome.REBOOT_PENDING,
    "b": Outcome.ROLLED_BACK,
    "s": Outcome.SKIPPED,
    "d": Outcome.DEFERRED,
    "n": Outcome.NOT_REACHED,
    "u": Outcome.UNKNOWN,
}
INTRANET = HealthProbe(kind="http", target="http://intranet/health")


def ring(letters):
    return {f"ws-{number}": LETTERS[letter] for number, letter in enumerate(letters)}


def verdict(letters, answers=None, **gate):
    return judge(Gate(**gate), ring(letters), answers or {})


def test_every_outcome_has_a_letter_here():
    assert set(LETTERS.values()) == set(Outcome)


@pytest.mark.parametrize(
    ("letters", "gate"),
    [
        pytest.param("oc", {}, id="all good"),
        pytest.param("oooa", {}, id="an absent device is outside the share"),
        pytest.param("oa", {}, id="half of them present is enough"),
        pytest.param("osd", {}, id="skipped and deferred devices do not count at all"),
        pytest.param("ooooooooof", {"ok": Fraction(9, 10)}, id="exactly the share"),
        pytest.param("oofff", {"ok": Fraction(0), "failed_at_most": 3}, id="exactly as many failures as allowed"),
        pytest.param("oaaaaaaaaa", {"present_at_least": Fraction(0)}, id="a canary ring needs one device"),
        pytest.param("on", {}, id="half of them not reached"),
    ],
)
def test_a_gate_opens(letters, gate):
    assert verdict(letters, **gate) == Allow()


@pytest.mark.parametrize(
    ("letters", "gate", "rule", "reason"),
    [
        ("", {}, "empty-ring", "the ring is empty: that proves nothing"),
        ("ssd", {}, "empty-ring", "all 3 devices of the ring were skipped or deferred: that proves nothing"),
        ("aa", {"present_at_least": Fraction(0)}, "too-few-present", "only 0 of 2 devices were there and done, 1 are needed"),
        ("oaa", {}, "too-few-present", "only 1 of 3 devices were there and done, 2 are needed"),
        ("onn", {}, "too-few-present", "only 1 of 3 devices were there and done, 2 are needed"),
        ("oof", {}, "share-too-low", "2 of 3 present devices are ok, 100 % are needed (failed: ws-2)"),
        ("oou", {}, "share-too-low", "2 of 3 present devices are ok, 100 % are needed (failed: ws-2)"),
        ("oor", {}, "share-too-low", "2 of 3 present devices are ok, 100 % are needed (failed: ws-2)"),
        ("oob", {}, "share-too-low", "2 of 3 present devices are ok, 100 % are needed (failed: ws-2)"),
        (
            "of",
            {"ok": Fraction(999, 1000)},
            "share-too-low",
            "1 of 2 present devices are ok, 99.9 % are needed (failed: ws-1)",
        ),
        ("ooff", {"ok": Fraction(0), "failed_at_most": 1}, "too-many-failed", "2 devices failed (ws-2, ws-3), at most 1 may"),
        (
            "fffff",
            {"failed_at_most": 0, "ok": Fraction(0)},
            "too-many-failed",
            "5 devices failed (ws-0, ws-1, ws-2, ws-3, ws-4), at most 0 may",
        ),
        (
            "ffffff",
            {"failed_at_most": 0, "ok": Fraction(0)},
            "too-many-failed",
            "6 devices failed (ws-0, ws-1, ws-2, ws-3, ws-4 and 1 more), at most 0 may",
        ),
        (
            "fffffff",
            {"failed_at_most": 0, "ok": Fraction(0)},
            "too-many-failed",
            "7 devices failed (ws-0, ws-1, ws-2, ws-3, ws-4 and 2 more), at most 0 may",
        ),
    ],
)
def test_a_gate_stays_shut_and_says_the_numbers(letters, gate, rule, reason):
    assert verdict(letters, **gate) == Deny(rule=rule, reason=reason)


def test_all_reasons_are_given_at_once():
    found = verdict("faaa", {"http http://intranet/health": "answered 503"}, failed_at_most=0, probes=(INTRANET,))
    assert isinstance(found, Deny)
    assert found.rule == "too-few-present"
    assert found.reason.split("; ") == [
        "only 1 of 4 devices were there and done, 2 are needed",
        "1 devices failed (ws-0), at most 0 may",
        "0 of 1 present devices are ok, 100 % are needed (failed: ws-0)",
        "http http://intranet/health: answered 503",
    ]


@pytest.mark.parametrize(
    ("answers", "rule"),
    [
        pytest.param({"http http://intranet/health": ""}, None, id="healthy"),
        pytest.param({"http http://intranet/health on ws-0": ""}, None, id="healthy as a device sees it"),
        pytest.param({"http http://intranet/health": "answered 503"}, "probe-red", id="not healthy"),
        pytest.param({}, "probe-unanswered", id="not asked"),
        pytest.param({"http http://intranet/health2": ""}, "probe-unanswered", id="another one was asked"),
    ],
)
def test_every_health_probe_must_be_answered_and_healthy(answers, rule):
    found = verdict("o", answers, probes=(INTRANET,))
    assert (found.rule if isinstance(found, Deny) else None) == rule


RINGS = st.text("".join(LETTERS), max_size=12)
GATES = st.fixed_dictionaries(
    {
        "ok": st.fractions(0, 1),
        "failed_at_most": st.none() | st.integers(0, 5),
        "present_at_least": st.fractions(0, 1),
    }
)


@given(letters=RINGS, gate=GATES, data=st.data())
def test_a_device_that_does_better_never_shuts_an_open_gate(letters, gate, data):
    if not letters or isinstance(verdict(letters, **gate), Deny):
        return
    place = data.draw(st.integers(0, len(letters) - 1))
    assert verdict(f"{letters[:place]}o{letters[place + 1 :]}", **gate) == Allow()


@given(letters=RINGS, gate=GATES, extra=st.sampled_from("fubr"))
def test_a_failure_more_never_opens_a_shut_share(letters, gate, extra):
    shut = isinstance(verdict(letters, **gate | {"present_at_least": Fraction(0)}), Deny)
    judged = set(letters) & set("ocfrbu")
    if shut and judged:
        assert isinstance(verdict(letters + extra, **gate | {"present_at_least": Fraction(0)}), Deny)


@given(letters=RINGS, gate=GATES)
def test_no_gate_opens_without_one_device_that_was_there(letters, gate):
    if not set(letters) & set("ocfrbu"):
        assert isinstance(verdict(letters, **gate), Deny)


@given(letters=RINGS, gate=GATES)
def test_skipped_and_deferred_devices_change_nothing(letters, gate):
    without = letters.replace("s", "").replace("d", "")
    if without:
        assert isinstance(verdict(letters, **gate), Allow) is isinstance(verdict(without, **gate), Allow)
