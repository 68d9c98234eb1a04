import os
from pathlib import Path

import pytest

from osmo.errors import UsageError
from osmo.rundir.files import Made, claim, digest, may_make
from osmo.rundir.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def ask(home: Home, path: Path, contents: bytes = b"new", *, live: bool = False) -> bool:
    return may_make(home, str(path), contents, "train", lambda run_id, task: live)


@pytest.mark.parametrize(
    ("found", "made", "want"),
    [
        (None, None, False),
        (b"new", None, False),
        (b"old", b"old", True),
        (None, b"old", False),
        (b"new", b"old", False),
    ],
)
def test_only_a_file_of_ours_is_replaced(
    home: Home, tmp_path: Path, found: bytes | None, made: bytes | None, want: bool
) -> None:
    path = tmp_path / "run.py"
    if found is not None:
        path.write_bytes(found)
    if made is not None:
        claim(home, Made(str(path), digest(made), "train-1", "train"))
    assert ask(home, path) == want


@pytest.mark.parametrize("made", [None, b"ours, before a person changed it"])
def test_a_file_that_somebody_else_made_stays(home: Home, tmp_path: Path, made: bytes | None) -> None:
    path = tmp_path / "run.py"
    path.write_bytes(b"a person's")
    if made is not None:
        claim(home, Made(str(path), digest(made), "train-1", "train"))
    with pytest.raises(UsageError, match="osmo did not make it"):
        ask(home, path)


def test_a_file_of_a_running_task_is_refused_and_both_are_named(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "run.py"
    claim(home, Made(str(path), digest(b"x"), "eval-3", "score"))
    with pytest.raises(UsageError, match=r"of task train is in use by task score of eval-3"):
        ask(home, path, live=True)
    assert not ask(home, path, live=False)


def test_a_pipe_or_folder_in_the_way_is_said_and_not_waited_for(home: Home, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(UsageError, match="no regular file"):
            ask(home, path)
