"""`deskside notices preview` on the example office: the real command, the real inventory, nothing sent."""

from __future__ import annotations

import email
import email.policy
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.mail import readers

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(ROOT / "inventory" / "example", tmp_path_factory.mktemp("office") / "example")


def deskside(office: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator.entrypoints.cli", *arguments, "--office", str(office)]
    if "--state" not in arguments:
        command += ["--state", str(office.parent / "state")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_every_person_with_a_device_is_shown_one_invitation_and_it_can_be_opened(office):
    maildir = office.parent / "mails"
    done = deskside(office, "notices", "preview", "patch-night", "--json", "--maildir", str(maildir))
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    invitations = [one for one in shown if one["kind"] == "invitation"]
    people = yaml.safe_load((office / "people.yml").read_text())
    invited = [one["person"] for one in invitations]
    assert invited
    assert len(set(invited)) == len(invited)
    assert all(people[one["person"]]["mail"] == one["address"] for one in invitations)
    assert {one["state"] for one in shown} == {""}
    read = readers.agree([one["calendar"].encode() for one in invitations])
    assert [found["attendee"] for found in read] == [f"mailto:{one['address']}" for one in invitations]
    files = sorted(maildir.glob("*/new/*"))
    ids = {email.message_from_bytes(file.read_bytes(), policy=email.policy.default)["Message-ID"] for file in files}
    assert ids == {f"<{one['message_id']}>" for one in shown}


def test_one_person_is_shown_as_text(office):
    done = deskside(office, "notices", "preview", "patch-night", "--person", "ada")
    assert done.returncode == 0, done.stderr
    assert "To: Ada Lovelace <ada@example.org>" in done.stdout
    assert "Subject: Maintenance of your computer ws-ada: " in done.stdout
    assert done.stdout.rstrip().endswith("to 1 person; nothing was sent.")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("patch-night", "--person", "adda"), 13, 'Did you mean "ada"?'),
        (("patch-nite",), 13, "patch-nite"),
        (("patch-night", "--maildir", "/proc/mails"), 19, "--maildir /proc/mails"),
    ],
)
def test_what_is_wrong_is_named(office, arguments, code, words, tmp_path):
    done = deskside(office, "notices", "preview", *arguments, "--state", str(tmp_path))
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
