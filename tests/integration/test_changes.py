"""Being woken by files and processes: the kernel's own events."""

import subprocess
import sys
from pathlib import Path

import pytest

from osmo.rundir import records
from osmo.rundir.changes import Changes

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells")


@linux
def test_a_record_that_appears_in_a_folder_wakes(tmp_path: Path) -> None:
    changes = Changes(folders=[tmp_path])
    assert not changes.wait(0)
    records.write(tmp_path / "cancel.json", {})
    assert changes.wait()
    assert not changes.wait(0)  # said once


@linux
def test_what_is_written_to_a_file_wakes_and_so_does_its_end_being_cut(tmp_path: Path) -> None:
    (tmp_path / "output").write_bytes(b"before")
    changes = Changes(files=[tmp_path / "output"])
    assert not changes.wait(0)
    with (tmp_path / "output").open("ab", buffering=0) as file:
        file.write(b"more")
        assert changes.wait()
        file.truncate(0)
    assert changes.wait()


@linux
def test_the_end_of_a_process_wakes(tmp_path: Path) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        changes = Changes(pids=[process.pid])
        assert not changes.wait(0)
        assert process.stdin is not None
        process.stdin.close()
        assert changes.wait()
        assert not changes.wait(0)  # said once


def test_who_waits_can_be_woken_and_not_only_while_waiting(tmp_path: Path) -> None:
    changes = Changes(folders=[tmp_path])
    changes.wake()
    assert changes.wait()


@pytest.mark.parametrize("folder", ["missing", ""])
def test_where_nobody_tells_a_wait_is_short(tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not folder:
        monkeypatch.setattr("ctypes.CDLL", lambda *_args, **_options: object())  # macOS's, for one
    changes = Changes(folders=[tmp_path / folder])
    assert changes.at_most_s < 1
    assert not changes.wait()
