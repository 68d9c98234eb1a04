import os
from pathlib import Path

import pytest

from osmo.errors import RunDirectoryError, RunNotFound
from osmo.rundir import records
from osmo.rundir.home import RUN_ID, Home
from osmo.rundir.paths import RunDir


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("train-1", True),
        ("a-b_c-12", True),
        ("a-1-2", True),
        ("train", False),
        ("train-0", False),
        ("train-01", False),
        ("train_-1", False),
        ("../train-1", False),
        ("1-1", False),
        ("train-1\n", False),
    ],
)
def test_a_run_id_is_a_name_and_a_number(text: str, good: bool) -> None:
    assert (RUN_ID.fullmatch(text) is not None) == good


def test_ids_count_up_and_are_never_used_again(home: Home) -> None:
    assert [home.new_run("train").id, home.new_run("train").id, home.new_run("other").id] == [
        "train-1",
        "train-2",
        "other-1",
    ]
    (home.workflows / "train-2").rmdir()
    assert home.new_run("train").id == "train-3"


def test_a_stray_file_among_the_numbers_does_no_harm(home: Home) -> None:
    home.new_run("train")
    (home.numbers("train") / ".nfs0001").touch()
    assert home.new_run("train").id == "train-2"


def test_a_run_is_found_once_it_was_written(home: Home) -> None:
    run = home.new_run("train")
    with pytest.raises(RunNotFound):
        home.run("train-1")
    records.write(run.run, {})
    assert home.run("train-1") == run
    with pytest.raises(RunNotFound):
        home.run("../workflows/train-1")


def test_only_runs_are_listed(home: Home, tmp_path: Path) -> None:
    home.new_run("train")
    (home.workflows / "notes").mkdir()
    assert [run.id for run in home.runs()] == ["train-1"]
    assert list(Home(tmp_path / "nothing").runs()) == []


def submitted(home: Home, name: str, at: int, **record: str) -> RunDir:
    run = home.new_run(name)
    records.write(run.run, record)
    os.utime(run.run, (at, at))
    return run


def test_runs_come_as_they_were_submitted(home: Home) -> None:
    for name, at in (("b", 30), ("a", 10), ("b", 20)):
        submitted(home, name, at)
    home.new_run("unfinished")
    assert [run.id for run in home.newest_first()] == ["b-1", "b-2", "a-1"]
    assert [run.id for run in home.newest_first("a-")] == ["a-1"]


def test_a_run_that_says_how_it_ended_is_not_live(home: Home) -> None:
    live, over = submitted(home, "a", 1), submitted(home, "a", 2)
    home.new_run("unfinished")
    records.write(over.ended, {"state": "COMPLETED"})
    assert home.live() == [live]


def test_a_run_of_another_user_is_refused_and_told(home: Home) -> None:
    mine, theirs = submitted(home, "mine", 1), submitted(home, "theirs", 2)
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    os.chown(theirs.path, 12345, 12345)
    with pytest.raises(RunDirectoryError, match=r"theirs-1 belongs to another user \(uid 12345\)"):
        home.run("theirs-1")
    told: list[str] = []
    assert list(home.runs()) == list(home.newest_first("", told.append)) == home.live() == [mine]
    assert told == ["theirs-1"]


def test_everything_is_for_its_owner_only(home: Home) -> None:
    run = home.new_run("train")
    for path in (home.path, home.workflows, run.path):
        assert path.stat().st_mode & 0o777 == 0o700
    home.path.chmod(0o755)
    home.check_owner()
    assert home.path.stat().st_mode & 0o777 == 0o700


def test_a_directory_of_another_user_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: home.path.stat().st_uid + 1)
    with pytest.raises(RunDirectoryError, match="belongs to another user"):
        home.prepare()


def test_a_home_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirectoryError, match="cannot keep runs here"):
        Home(tmp_path / "file/home").prepare()


def test_attempts_come_oldest_first(home: Home) -> None:
    run = home.new_run("train")
    assert run.attempts("a") == []
    for number in (10, 2, 0):
        run.attempt("a", number).path.mkdir(parents=True)
    (run.path / "tasks/a/notes").mkdir()
    assert [attempt.path.name for attempt in run.attempts("a")] == ["0", "2", "10"]
