import errno
import os
from pathlib import Path

import pytest

from osmo.logs.write import LogWriter
from support.clock import FakeClock

STAMP = b"2025/04/22 23:57:13 [train]"


@pytest.fixture
def log(tmp_path: Path) -> LogWriter:
    return LogWriter(tmp_path / "log", "train", 0, FakeClock())


def test_what_the_task_prints_is_kept_byte_for_byte(log: LogWriter, tmp_path: Path) -> None:
    log.of_task([b"\xff\x1b[31m", b"", b"two"])
    assert (tmp_path / "log").read_bytes() == STAMP + b" \xff\x1b[31m\n" + STAMP + b" \n" + STAMP + b" two\n"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("plain ü", "plain ü".encode()),
        ("two\nlines\r\n", b"two lines"),
        ("\x1b[2J", rb"\x1b[2J"),
        (os.fsdecode(b"\xff"), rb"\udcff"),
    ],
)
def test_what_we_say_is_one_harmless_line(log: LogWriter, tmp_path: Path, text: str, want: bytes) -> None:
    log.ours(text)
    assert (tmp_path / "log").read_bytes() == STAMP + b"[osmo] " + want + b"\n"


def test_the_log_is_for_its_owner_only_and_nothing_is_written_for_no_lines(log: LogWriter, tmp_path: Path) -> None:
    log.of_task([])
    assert not (tmp_path / "log").exists()
    log.ours("x")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_lines_that_do_not_fit_on_the_disk_are_dropped_and_counted(
    log: LogWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    left = [40]

    def write(descriptor: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "full")
        count = real(descriptor, data[: left[0]])
        left[0] -= count
        return count

    monkeypatch.setattr(os, "write", write)
    log.of_task([b"a" * 50, b"b"])
    log.of_task([b"c"])
    assert log.dropped == 3
    left[0] = 10**6
    log.of_task([b"d"])
    cut, whole = (tmp_path / "log").read_bytes().splitlines()
    assert cut == (STAMP + b" " + b"a" * 50)[:40]
    assert whole == STAMP + b" d"
    assert log.dropped == 3


def test_a_log_that_cannot_be_opened_ends_nothing(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "not there/log", "train", 0, FakeClock())
    log.ours("x")
    assert log.dropped == 1
