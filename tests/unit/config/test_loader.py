"""Fragments, inputs, settings: what a good office directory becomes, and where everything stands."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from orchestrator.application.errors import ConfigurationError, NotFoundError
from orchestrator.config.examine import as_document
from orchestrator.config.office import load_office, read_office
from orchestrator.config.paths import SERVICE_STATE, find_office, find_state
from orchestrator.config.settings import ChannelKind, SecretKind, TlsMode
from orchestrator.config.writing import local_zone
from orchestrator.domain.window import DstPolicy, NobodyOwns, RebootPolicy

SMALLEST = """
maintenance_windows:
  night:
    devices: all
    starts: {rrule: FREQ=DAILY, at: "22:00", since: 2026-01-01}
    zone: Europe/Berlin
    lasts: 1h
    work: [{playbook: apply_os_updates}]
"""
VAULT = "$ANSIBLE_VAULT;1.1;AES256\n          6231\n          3434"


def office(root: Path, maintenance: str, people: str = "", **fragments: str) -> Path:
    (root / "maintenance.yml").write_text(maintenance)
    (root / "hosts.yml").touch()
    if people:
        (root / "people.yml").write_text(people)
    for name, text in fragments.items():
        (root / "maintenance.d").mkdir(exist_ok=True)
        (root / "maintenance.d" / f"{name}.yml").write_text(text)
    return root


def test_what_is_not_said_has_the_documented_default(tmp_path: Path) -> None:
    loaded = load_office(office(tmp_path, SMALLEST))
    window = loaded.windows["night"]
    assert (window.title, window.cutoff, window.devices_at_most, window.wake) == ("night", timedelta(0), None, False)
    assert [(ring.name, ring.rest, ring.gate.ok) for ring in window.rings] == [("all", True, Fraction(1))]
    assert (window.work[0].reboot, window.starts[0].dst) == (RebootPolicy.IF_NEEDED, DstPolicy.SHIFT)
    assert (window.people.invite, window.people.nobody_owns) == (timedelta(days=3), NobodyOwns.HOLD)
    assert (loaded.reboot_reserve, loaded.wake_wait) == (timedelta(minutes=15), timedelta(minutes=5))
    assert (loaded.people, loaded.channels, loaded.freezes, loaded.disabled) == ({}, {}, (), ())
    assert loaded.sources == (str(tmp_path / "hosts.yml"),)
    assert loaded.facts.channel == ""


def test_every_value_arrives_typed(tmp_path: Path) -> None:
    text = SMALLEST.replace(
        "    lasts: 1h\n",
        '    lasts: 1h30m\n    cutoff: 90s\n    one_at_a_time: [a]\n    stay_up: {a: 2, b: 75%}\n    report: {to: [x@example.org], at: "07:00"}\n'
        "    people: {invite: never, remind: [2d, before_leaving]}\n    rings: [{name: some, share: 12.5%}, {name: rest, rest: true}]\n",
    )
    mail = 'channels: {mail: {smtp: "smtp+starttls://us%40er@mail.example.org", from: "IT <it@example.org>", password: {file: pw}, ca: ca.pem}}\n'
    window = load_office(office(tmp_path, text + mail)).windows["night"]
    assert (window.lasts, window.cutoff) == (timedelta(minutes=90), timedelta(seconds=90))
    assert window.stay_up == {"a": 2, "b": Fraction(3, 4)}
    assert window.rings[0].share == Fraction(1, 8)
    assert (window.report.at, window.people.invite, window.people.before_leaving) == (time(7), None, True)
    assert window.people.remind == (timedelta(days=2),)
    channel = load_office(tmp_path).channels["mail"]
    assert (channel.kind, channel.tls, channel.host, channel.port) == (ChannelKind.SMTP, TlsMode.STARTTLS, "mail.example.org", 587)
    assert (channel.user, channel.sender, channel.sender_name, channel.ca) == ("us@er", "it@example.org", "IT", tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("url", "port", "user"),
    [("smtps://h", 465, "it@example.org"), ("smtps://u@h:4650", 4650, "u"), ("smtp+starttls://h", 587, "it@example.org")],
)
def test_the_mail_account_is_the_sender_unless_the_url_says_otherwise(tmp_path: Path, url: str, port: int, user: str) -> None:
    text = f'channels: {{mail: {{smtp: "{url}", from: it@example.org, password: {{env: P}}}}}}\n'
    channel = load_office(office(tmp_path, text)).channels["mail"]
    assert (channel.port, channel.user) == (port, user)


def test_unencrypted_mail_is_for_this_machine_only(tmp_path: Path) -> None:
    for host in ("127.0.0.1:2525", "localhost", "[::1]"):
        text = f'channels: {{mail: {{smtp: "smtp://{host}", from: it@example.org}}}}\n'
        assert load_office(office(tmp_path, text)).channels["mail"].tls is TlsMode.PLAIN


def test_every_window_ring_and_step_knows_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    window = load_office(office(tmp_path, SMALLEST)).windows["night"]
    assert str(window.source) == "maintenance.yml:3"
    assert str(window.work[0].source) == "maintenance.yml:8"


def test_fragments_are_added_to_the_main_file_with_their_own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    more = SMALLEST.replace("night:", "day:") + "freezes: [{title: B, from: 2026-02-01, to: 2026-02-02}]\n"
    main_file = SMALLEST + "freezes: [{title: A, from: 2026-01-01, to: 2026-01-02}]\n"
    loaded = load_office(office(tmp_path, main_file, a=more, b="freezes: [{title: C, from: 2026-03-01, to: 2026-03-02}]\n"))
    assert list(loaded.windows) == ["night", "day"]
    assert [freeze.title for freeze in loaded.freezes] == ["A", "B", "C"]
    assert str(loaded.windows["day"].source) == "maintenance.d/a.yml:3"
    assert str(loaded.freezes[2].source) == "maintenance.d/b.yml:1"


def test_one_bad_rule_disables_only_itself_and_loudly(tmp_path: Path) -> None:
    two = SMALLEST.replace(
        'starts: {rrule: FREQ=DAILY, at: "22:00", since: 2026-01-01}',
        'starts: [{rrule: FREQ=DAILY, at: "22:00", since: 2026-01-01}, {rrule: FREQ=OFTEN, at: "22:00", since: 2026-01-01}]',
    )
    loaded = load_office(office(tmp_path, two, b=SMALLEST.replace("night:", "other:").replace("FREQ=DAILY", "FREQ=NEVER")))
    assert list(loaded.windows) == ["night"]
    assert [rule.rrule for rule in loaded.windows["night"].starts] == ["FREQ=DAILY"]
    assert [problem.thing for problem in loaded.disabled] == [
        "maintenance_windows.night.starts[1].rrule",
        "maintenance_windows.other.starts.rrule",
    ]
    assert all("switched off" in problem.message for problem in loaded.disabled)


def test_aliases_and_merge_keys_are_ordinary_yaml(tmp_path: Path) -> None:
    text = SMALLEST.replace("  night:\n", "  night: &base\n") + "  noon:\n    <<: *base\n    lasts: 2h\n"
    windows = load_office(office(tmp_path, text)).windows
    assert (windows["noon"].lasts, windows["noon"].devices) == (timedelta(hours=2), "all")


def test_an_alias_inside_itself_is_refused_and_ends(tmp_path: Path) -> None:
    reading = read_office(office(tmp_path, "freezes: &a\n  - *a\n"))
    assert any("alias" in problem.message for problem in reading.problems)
    layers = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 8))
    reading = read_office(office(tmp_path, f"x0: &x0 [a]\n{layers}"))
    assert any("multiply" in problem.message for problem in reading.problems)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    office(tmp_path, SMALLEST)
    (tmp_path / "people.yml").write_bytes(b"a: \xff\n")
    assert [problem.message for problem in read_office(tmp_path).problems] == ["is not UTF-8 text (byte 3): save it as UTF-8"]


def test_people_are_by_slug_with_their_hours(tmp_path: Path) -> None:
    people = 'ada: {name: Ada, zone: Europe/London, hours: "08:30-12:00 mon,wed-fri"}\nbob: {name: Bob, mail: b@example.org, zone: UTC}\n'
    loaded = load_office(office(tmp_path, SMALLEST, people)).people
    assert (loaded["ada"].mail, loaded["ada"].hours.start, loaded["ada"].hours.days) == (None, time(8, 30), frozenset({0, 2, 3, 4}))
    assert loaded["bob"].hours.days == frozenset(range(5))


def test_all_errors_of_all_files_come_at_once(tmp_path: Path) -> None:
    root = office(
        tmp_path, SMALLEST.replace("lasts: 1h", "lasts: soon"), "ada: {name: 3, zone: Mars}\n", x="freezes: [{title: a}]\n"
    )
    with pytest.raises(ConfigurationError) as refused:
        load_office(root)
    assert [problem.thing for problem in refused.value.problems] == [
        "maintenance_windows.night.lasts",
        "freezes[0].from",
        "freezes[0].to",
        "ada.name",
        "ada.zone",
    ]
    assert refused.value.message.endswith("5 errors; nothing was changed.")


# -- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kind", "reference"),
    [
        ("{env: NAME}", SecretKind.ENV, "NAME"),
        ("{file: secrets/mail}", SecretKind.FILE, "secrets/mail"),
        (f"!vault |\n          {VAULT}\n", SecretKind.VAULT, "$ANSIBLE_VAULT;1.1;AES256\n6231\n3434\n"),
    ],
)
def test_a_secret_is_a_reference_that_never_shows_itself(tmp_path: Path, written: str, kind: SecretKind, reference: str) -> None:
    text = f"channels:\n  mail:\n    smtp: smtps://u@h\n    from: it@example.org\n    password: {written}\n"
    loaded = load_office(office(tmp_path, text))
    secret = loaded.channels["mail"].password
    assert secret is not None
    assert (secret.kind, secret.reference, secret.source.line) == (kind, reference, 5)
    for shown in (repr(loaded), str(secret), repr(secret), str(as_document(loaded))):
        assert reference.strip() not in shown
        assert "***" in shown


@pytest.mark.parametrize("written", ["hunter2", "{env: hunter2, file: b}", "!vault hunter2", "[hunter2]", "{key: hunter2}"])
def test_a_secret_in_plain_text_is_refused_without_showing_it(tmp_path: Path, written: str) -> None:
    text = f"channels: {{mail: {{smtp: smtps://u@h, from: it@example.org, password: {written}}}}}\n"
    with pytest.raises(ConfigurationError) as refused:
        load_office(office(tmp_path, text))
    assert "hunter2" not in refused.value.message
    assert "hunter2" not in repr(refused.value.problems)


# -- directories -----------------------------------------------------------------------------------------------------


def test_the_office_is_the_named_one_then_the_variable_then_the_nearest_parent(tmp_path: Path) -> None:
    one, two, deep = tmp_path / "one", tmp_path / "two", tmp_path / "one" / "a" / "b"
    for folder in (one, two, deep):
        folder.mkdir(parents=True, exist_ok=True)
    for folder in (one, two):
        (folder / "maintenance.yml").touch()
    assert find_office(None, {}, deep) == one
    assert find_office(None, {"DESKSIDE_OFFICE": str(two)}, deep) == two
    assert find_office(one, {"DESKSIDE_OFFICE": str(two)}, tmp_path) == one
    assert find_office(Path("two"), {}, tmp_path) == two
    with pytest.raises(NotFoundError, match="deskside init"):
        find_office(None, {}, tmp_path)
    with pytest.raises(NotFoundError, match=r"DESKSIDE_OFFICE .* is not a directory"):
        find_office(None, {"DESKSIDE_OFFICE": "nowhere"}, tmp_path)


def test_the_state_is_the_named_one_then_the_variable_then_the_standard_place(tmp_path: Path) -> None:
    home, env = tmp_path / "home", {"XDG_STATE_HOME": str(tmp_path / "state")}
    assert find_state(tmp_path, {"DESKSIDE_STATE": "/x"}, uid=0, home=home) == tmp_path
    assert find_state(None, {"DESKSIDE_STATE": "/x"}, uid=0, home=home) == Path("/x")
    assert find_state(None, {}, uid=0, home=home) == SERVICE_STATE
    if not SERVICE_STATE.exists():
        assert find_state(None, env, uid=1000, home=home) == tmp_path / "state" / "deskside"
        assert find_state(None, {"XDG_STATE_HOME": "relative"}, uid=1000, home=home) == home / ".local/state/deskside"


def test_inventory_sources_come_from_the_file_then_ansible_cfg_then_the_usual_name(tmp_path: Path) -> None:
    root = office(tmp_path, SMALLEST)
    (tmp_path / "mine.ini").touch()
    (tmp_path / "ansible.cfg").write_text("[defaults]\ninventory = mine.ini, a,b  ; comment\n")
    assert load_office(root).sources[0] == str(tmp_path / "mine.ini")
    office(tmp_path, "inventory: [hosts.yml, 'box1,box2']\n" + SMALLEST)
    assert load_office(root).sources == (str(tmp_path / "hosts.yml"), "box1,box2")


def test_the_zone_of_this_machine_is_found_or_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    assert local_zone(tmp_path) == "UTC"
    (tmp_path / "timezone").write_text("Europe/Vienna\n")
    assert local_zone(tmp_path) == "Europe/Vienna"
    (tmp_path / "localtime").symlink_to("/usr/share/zoneinfo/America/New_York")
    assert local_zone(tmp_path) == "America/New_York"
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    assert local_zone(tmp_path) == "Asia/Kolkata"
    monkeypatch.setenv("TZ", "CET-1CEST")
    assert local_zone(tmp_path) == "America/New_York"


def test_the_example_office_means_what_its_comments_say() -> None:
    from orchestrator.domain.occurrences import next_opening

    facts = load_office(Path(__file__).parents[3] / "inventory" / "example").facts
    window = facts.windows["patch-night"]
    assert [ring.name for ring in window.rings] == ["canary", "early", "broad", "last"]
    opening = next_opening(window, facts.zones, facts.freezes, datetime(2026, 11, 22, tzinfo=UTC))
    assert opening is not None
    assert (opening.id, opening.wall) == ("patch-night/2026-12-09", "Wed 9 Dec 2026 22:00 Europe/Berlin")
    assert facts.freezes[0].first == date(2026, 12, 23)
    assert facts.domain == "example.org"


def test_the_canary_needs_one_device_and_the_other_rings_half() -> None:
    office = load_office(Path(__file__).parents[2] / "bad_inputs" / "office")
    assert [ring.gate.present_at_least for ring in office.windows["patch-night"].rings] == [
        Fraction(0),
        Fraction(1, 2),
        Fraction(1, 2),
    ]
