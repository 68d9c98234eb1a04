import pytest

from osmo.cli.main import BAD_INPUT, run


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
