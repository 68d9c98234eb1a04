import pytest

from osmo.cli.main import BAD_INPUT, run


def test_an_error_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["checkpoint", "show", "nonsense\x1b[2J"]) == BAD_INPUT
    said = capsys.readouterr().err
    assert r"nonsense\x1b[2J" in said
    assert "\x1b" not in said
