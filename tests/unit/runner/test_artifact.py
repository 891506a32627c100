"""What a run leaves on disk."""

from __future__ import annotations

import json

import pytest

from orchestrator.adapters.runner.artifact import EVENTS, EventFile, Scrubber, new_artifact, read_events, secrets_in, slug, strip


def test_a_job_that_is_run_again_gets_an_artifact_of_its_own(tmp_path):
    paths = [new_artifact(tmp_path, "night/2026-12-09/r1/b1") for _ in range(3)]
    assert [path.name for path in paths] == ["night_2026-12-09_r1_b1", "night_2026-12-09_r1_b1.2", "night_2026-12-09_r1_b1.3"]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o700}


@pytest.mark.parametrize(("job", "name"), [("../../etc", "_.._etc"), ("..", "_"), ("a b", "a_b")])
def test_a_job_id_never_leaves_the_artifact_directory(job, name):
    assert slug(job) == name


def test_secrets_are_found_by_the_names_they_stand_under():
    variables = {
        "admin_password": "one-secret",
        "users": [{"name": "ada", "api_key": "two-secret"}],
        "vault_token": {"deep": ["three-secret"]},
        "passwordless": "no-secret",
        "pin_password": "12",
        "monkey": "banana",
    }
    assert secrets_in(variables) == {"one-secret", "two-secret", "three-secret"}


def test_a_secret_is_taken_out_also_as_it_looks_inside_json():
    secret = 'pa"ss\\word\nü'
    line = json.dumps({"stdout": f"<{secret}>"})
    assert json.loads(Scrubber([secret])(line)) == {"stdout": "<[hidden]>"}
    assert secret not in Scrubber([secret])(f"plain {secret}")


def test_the_longer_secret_goes_first_when_one_holds_the_other():
    assert Scrubber(["abcd", "abcdef"])("abcdef") == "[hidden]"


def test_events_can_be_read_after_the_writer_was_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator.adapters.runner.artifact.FLUSH_SECONDS", -1.0)
    file = EventFile(tmp_path / EVENTS)
    for number in range(100):
        file.write(json.dumps({"n": number}))
    file._raw.close()
    assert len(list(read_events(tmp_path))) >= 99, "no end mark was written, and still"


def test_event_files_of_ansible_runner_are_an_error_because_the_run_took_another_way(tmp_path):
    (tmp_path / "job_events").mkdir()
    strip(tmp_path)
    assert not (tmp_path / "job_events").exists()
    (tmp_path / "job_events").mkdir()
    (tmp_path / "job_events" / "1.json").touch()
    with pytest.raises(RuntimeError, match="1 event files"):
        strip(tmp_path)


def test_the_file_with_the_environment_does_not_stay(tmp_path):
    (tmp_path / "command").write_text("{}")
    strip(tmp_path)
    assert list(tmp_path.iterdir()) == []
