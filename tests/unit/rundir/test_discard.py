from pathlib import Path

import pytest

from osmo.errors import RunDirectoryError, RunNotFound
from osmo.rundir import records
from osmo.rundir.discard import discard, size, sweep
from osmo.rundir.paths import Home, RunDir


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def made(home: Home) -> RunDir:
    run = home.new_run("train")
    records.write(run.run, {})
    run.attempt("a", 0).data.mkdir(parents=True)
    (run.attempt("a", 0).data / "model").write_bytes(bytes(100_000))
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
    sweep(home)
    assert [path.name for path in home.workflows.iterdir()] == [".mine"]
    sweep(Home(home.path / "nothing"))


def test_a_link_to_a_run_elsewhere_is_left_alone(home: Home, tmp_path: Path) -> None:
    run = made(home)
    run.path.rename(tmp_path / "elsewhere")
    run.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunDirectoryError, match="symbolic link"):
        discard(home, run)
    assert run.run.exists()
