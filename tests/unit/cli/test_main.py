import re

import pytest

from osmo.cli.main import BAD_INPUT, OK, run


def test_an_error_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["checkpoint", "show", "nonsense\x1b[2J"]) == BAD_INPUT
    said = capsys.readouterr().err
    assert r"nonsense\x1b[2J" in said
    assert "\x1b" not in said


def test_a_secret_in_a_url_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["checkpoint", "list", "s3://KEY:hidden@bucket/x"]) == BAD_INPUT
    assert "hidden" not in capsys.readouterr().err


def test_a_destination_that_is_empty_is_not_the_folder_one_is_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["checkpoint", "restore", "file:///nowhere", ""]) == BAD_INPUT
    assert "DEST is empty" in capsys.readouterr().err


def test_the_version_is_told_however_one_asks(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["--version"])
    assert ended.value.code == OK
    option = capsys.readouterr().out
    assert run(["version"]) == OK
    assert option == capsys.readouterr().out
    assert re.fullmatch(r"osmo \d+\.\d+\.\d+\n", option)


def test_help_begins_with_the_two_ways_to_use_osmo(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["--help"])
    said = capsys.readouterr().out
    assert "osmo workflow submit train.yaml --follow" in said
    assert re.search(r"osmo checkpoint run --path \S+ --url \S+ --frequency \S+ -- python train.py", said)
