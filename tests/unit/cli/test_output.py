import json
import sys

import pytest

from osmo.cli.output import files_of, print_facts, print_json, print_table, print_text


@pytest.mark.parametrize(("count", "want"), [(0, "0 files"), (1, "1 file"), (12_345, "12,345 files")])
def test_files_are_counted(count: int, want: str) -> None:
    assert files_of(count) == want


def test_a_table_is_never_cut_and_no_name_can_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "path"], [["a", "x" * 500], ["[red]b", "\x1b[2J\nend"]])
    out = capsys.readouterr().out
    assert "x" * 500 in out
    assert "\x1b" not in out
    assert "[red]b" in out
    assert r"\x1b[2J\nend" in out


def test_a_table_has_no_blanks_at_the_end_of_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "remark"], [["a", "a long one"], ["b", ""]])
    lines = capsys.readouterr().out.split("\n")
    assert [line.split() for line in lines[2:]] == [["a", "a", "long", "one"], ["b"], []]
    assert [line for line in lines if line != line.rstrip()] == []


def test_facts_are_below_each_other_and_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts([("Path", "a\x1b[2J"), ("Checkpoint", "2")])
    assert capsys.readouterr().out == "Path       : a\\x1b[2J\nCheckpoint : 2\n"


def test_json_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1]})
    assert json.loads(capsys.readouterr().out) == {"a": [1]}


def test_a_text_is_printed_as_it_is_but_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    print_text("a\tb\x1b[2J\nä")
    assert capsys.readouterr().out == "a\tb\x1b[2J\nä\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_text("a\tb\x1b[2J\nä\n")
    assert capsys.readouterr().out == "a\tb\\x1b[2J\nä\n"


def test_of_many_rows_those_behind_the_first_thousand_stand_in_the_same_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(["name", "size"], ((f"{number:05}", "1 B") for number in range(1002)))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[-3:]] == [[number, "1", "B"] for number in ("00999", "01000", "01001")]
    assert {line.index("1 B") for line in lines[-3:]} == {lines[2].index("1 B")}


def test_a_row_that_is_wider_than_the_first_thousand_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*(("a", "b") for _ in range(1000)), ("x" * 500, "\x1b[2J")]
    print_table(["name", "path"], rows)
    assert capsys.readouterr().out.splitlines()[-1].split() == ["x" * 500, "\\x1b[2J"]
