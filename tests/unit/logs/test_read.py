from pathlib import Path

import pytest

from osmo.logs.read import LogReader, merged, skip_to_last


def write(path: Path, *lines: str) -> LogReader:
    path.write_bytes("".join(lines).encode())
    return LogReader(path)


def at(second: int, text: str) -> str:
    return f"2025/04/22 23:57:{second:02} {text}\n"


def test_a_reader_goes_on_where_it_ended_and_waits_for_whole_lines(tmp_path: Path) -> None:
    reader = write(tmp_path / "log", "one\ntw")
    assert list(reader.lines()) == [b"one\n"]
    with (tmp_path / "log").open("ab") as file:
        file.write(b"o\nthree\n")
    assert list(reader.lines()) == [b"two\n", b"three\n"]
    assert list(reader.lines()) == []


def test_a_log_that_is_not_there_yet_has_no_lines(tmp_path: Path) -> None:
    reader = LogReader(tmp_path / "log")
    assert list(reader.lines()) == []
    (tmp_path / "log").write_text("one\n")
    assert list(reader.lines()) == [b"one\n"]


def test_a_line_longer_than_a_chunk_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osmo.logs.read._CHUNK", 3)
    assert list(write(tmp_path / "log", "0123456789\nab\n").lines()) == [b"0123456789\n", b"ab\n"]


def test_logs_are_merged_by_time_and_each_stays_in_its_order(tmp_path: Path) -> None:
    one = write(tmp_path / "1", at(1, "z"), at(1, "a"), at(4, "x"))
    two = write(tmp_path / "2", at(0, "y"), at(3, "w"))
    assert [line[20:].decode().strip() for line in merged([one, two])] == ["y", "z", "a", "w", "x"]


@pytest.mark.parametrize(("count", "want"), [(0, []), (1, ["5"]), (2, ["4", "5"]), (99, ["1", "2", "3", "4", "5"])])
def test_the_last_lines_of_all_logs_together(tmp_path: Path, count: int, want: list[str]) -> None:
    one = write(tmp_path / "1", at(1, "1"), at(3, "3"), at(5, "5"))
    two = write(tmp_path / "2", at(2, "2"), at(4, "4"))
    assert [line[20:].decode().strip() for line in skip_to_last([one, two], count)] == want
    assert list(merged([one, two])) == []


def test_the_last_lines_of_a_very_long_log(tmp_path: Path) -> None:
    reader = write(tmp_path / "log", *(f"{number}\n" for number in range(5000)))
    assert skip_to_last([reader], 3) == [b"4997\n", b"4998\n", b"4999\n"]
