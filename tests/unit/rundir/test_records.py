import errno
import os
import stat
from pathlib import Path

import pytest

from osmo.errors import RunDirectoryError
from osmo.rundir import records


def test_a_record_comes_back_as_it_was_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    for record in ({"a": [1, "ü", None]}, {"b": os.fsdecode(b"\xff")}):
        records.write(path, record)
        assert records.read(path) == record
    assert os.listdir(tmp_path) == ["one.json"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_record_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert records.read(tmp_path / "nothing.json") is None
    assert records.read(tmp_path / "file/under.json") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff"])
def test_what_is_no_record_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "one.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunDirectoryError, match=r"one\.json: not a record of osmo"):
        records.read(tmp_path / "one.json")


@pytest.mark.parametrize(("number", "fine"), [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False)])
def test_a_file_system_that_cannot_sync_a_folder_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fine: bool
) -> None:
    sync = os.fsync

    def network(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", network)
    if fine:
        records.write(tmp_path / "one.json", {"a": 1})
    else:
        with pytest.raises(OSError, match="Input/output"):
            records.write(tmp_path / "one.json", {"a": 1})
    assert records.read(tmp_path / "one.json") == {"a": 1}


def test_a_write_that_fails_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.json"
    records.write(path, {"a": 1})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        records.write(path, {"a": 2})
    assert records.read(path) == {"a": 1}
    assert os.listdir(tmp_path) == ["one.json"]
