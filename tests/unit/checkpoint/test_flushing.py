import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from osmo.checkpoint import flushing


def made(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"file-{number}" for number in range(count)]
    for path in paths:
        path.write_bytes(b"data")
    return paths


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    monkeypatch.setattr("os.fsync", found.append)
    return found


def test_few_files_are_flushed_one_by_one(tmp_path: Path, flushed: list[int]) -> None:
    flushing.files(made(tmp_path, 3), tmp_path)
    assert len(flushed) == 3


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    def be(system: str, release: str) -> None:
        monkeypatch.setattr("os.uname", lambda: os.uname_result((system, "here", release, "#1", "x86_64")))

    return be


@pytest.mark.skipif(sys.platform != "linux", reason="no syncfs here")
def test_many_files_are_flushed_with_their_file_system(
    tmp_path: Path, flushed: list[int], kernel: Callable[[str, str], None]
) -> None:
    kernel("Linux", "5.8.0-generic")
    flushing.files(made(tmp_path, 100), tmp_path)
    assert not flushed


@pytest.mark.parametrize(("system", "release"), [("Linux", "5.4.0-150-generic"), ("Darwin", "24.1.0")])
def test_where_a_file_system_does_not_say_that_its_disk_failed_each_file_is_asked(
    tmp_path: Path, flushed: list[int], kernel: Callable[[str, str], None], system: str, release: str
) -> None:
    kernel(system, release)
    flushing.files(made(tmp_path, 100), tmp_path)
    assert len(flushed) == 100


@pytest.mark.skipif(sys.platform != "linux", reason="no sync_file_range here")
def test_the_disk_begins_before_all_is_there(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with (tmp_path / "file").open("wb", buffering=0) as file, open(reading), open(writing, "w"):
        file.write(b"some")
        assert flushing.begin(file.fileno(), 0, 4)
        file.write(b"more")
        assert not flushing.begin(writing, 0, 4)
    assert (tmp_path / "file").read_bytes() == b"somemore"
