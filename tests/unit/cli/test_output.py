import json

import pytest

from osmo.cli.output import files_of, print_json, print_table, span


@pytest.mark.parametrize(
    ("seconds", "want"),
    [
        (0.4, "0 s"),
        (40, "40 s"),
        (59.6, "1 m"),
        (90, "1 m 30 s"),
        (720, "12 m"),
        (750, "12 m"),
        (3600, "1 h"),
        (11_100, "3 h 5 m"),
        (86_400, "1 d"),
        (187_200, "2 d 4 h"),
    ],
)
def test_a_span_is_said_in_its_two_largest_units(seconds: float, want: str) -> None:
    assert span(seconds) == want


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


def test_json_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1]})
    assert json.loads(capsys.readouterr().out) == {"a": [1]}
