import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from osmo.errors import RunDirectoryError, RunNotFound
from osmo.rundir import records
from osmo.rundir.discard import discard, size, sweep
from osmo.rundir.home import Home
from osmo.rundir.paths import RunDir

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def made(home: Home) -> RunDir:
    run = home.new_run("train")
    records.write(run.run, {})
    run.attempt("a", 0).left_output.mkdir(parents=True)
    (run.attempt("a", 0).left_output / "model").write_bytes(bytes(100_000))
    return run


def test_a_run_is_gone_and_its_id_stays_taken(home: Home) -> None:
    run = made(home)
    assert size(run) >= 100_000
    discard(home, run)
    assert list(home.workflows.iterdir()) == []
    with pytest.raises(RunNotFound):
        home.run(run.id)
    assert home.new_run("train").id == "train-2"


def test_what_an_interrupted_discard_left_is_swept(home: Home) -> None:
    run = made(home)
    run.path.rename(home.workflows / ".train-1.deleted")
    assert list(home.runs()) == []
    (home.workflows / ".mine").mkdir()
    sweep(home, NOW)
    assert [path.name for path in home.workflows.iterdir()] == [".mine"]
    sweep(Home(home.path / "nothing"), NOW)


def test_a_link_to_a_run_elsewhere_is_left_alone(home: Home, tmp_path: Path) -> None:
    run = made(home)
    run.path.rename(tmp_path / "elsewhere")
    run.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunDirectoryError, match="symbolic link"):
        discard(home, run)
    assert run.run.exists()


def test_what_a_submit_left_that_was_killed_is_swept_a_day_later(home: Home) -> None:
    run = made(home)
    half = home.new_run("train")
    (half.path / "tasks").mkdir()
    fresh = home.new_run("train")
    (home.workflows / "mine").mkdir()
    (home.workflows / "link-1").symlink_to(half.path)
    for path in home.workflows.iterdir():
        os.utime(path, (NOW.timestamp() - 86_401,) * 2)
    os.utime(fresh.path, (NOW.timestamp() - 86_399,) * 2)
    sweep(home, NOW)
    assert {path.name for path in home.workflows.iterdir()} == {run.id, fresh.id, "mine", "link-1"}
