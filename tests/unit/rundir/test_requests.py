import os
from pathlib import Path

from osmo.rundir import requests
from osmo.rundir.paths import AttemptDir
from osmo.rundir.requests import Request, ask, read, remove, waiting


def test_what_is_asked_for_waits_until_it_is_removed(tmp_path: Path) -> None:
    attempt = AttemptDir(tmp_path)
    assert waiting(attempt) == []
    first, second = ask(attempt, at_rest=True), ask(attempt, at_rest=False)
    assert sorted(waiting(attempt)) == sorted([first, second])
    assert read(attempt, first) == Request(first, at_rest=True)
    assert read(attempt, second) == Request(second, at_rest=False)
    remove(attempt, first)
    remove(attempt, first)
    assert waiting(attempt) == [second]


def test_what_is_not_whole_yet_is_not_seen_and_what_cannot_be_read_asks_for_little(tmp_path: Path) -> None:
    attempt = AttemptDir(tmp_path)
    ask(attempt, at_rest=True)
    (attempt.requests / ".x.json.12.ab").write_bytes(b"{")
    (attempt.requests / "broken.json").write_bytes(b"{")
    assert ".x" not in waiting(attempt)
    assert len(waiting(attempt)) == 2
    assert read(attempt, "broken") == Request("broken", at_rest=False)


def test_the_folder_of_requests_is_for_its_owner_only(tmp_path: Path) -> None:
    requests.ask(AttemptDir(tmp_path), at_rest=False)
    assert os.stat(tmp_path / "requests").st_mode & 0o777 == 0o700
