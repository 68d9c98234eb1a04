from pathlib import Path

import pytest

from osmo.cli.settings import Settings
from osmo.errors import UsageError
from osmo.store.profiles import config_directory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(file: Path) -> None:
    assert (Settings({}, file).seconds("grace"), Settings({}, file).values["grace"].source) == (25.0, "default")
    file.write_text('grace = "1m"\n')
    in_file = Settings({}, file)
    assert (in_file.seconds("grace"), in_file.values["grace"].source) == (60.0, str(file))
    both = Settings({"OSMO_GRACE": "5s"}, file)
    assert (both.seconds("grace"), both.values["grace"].source) == (5.0, "environment (OSMO_GRACE)")


def test_a_number_in_the_file_is_seconds(file: Path) -> None:
    file.write_text("settle = 3\n")
    assert Settings({}, file).seconds("settle") == 3.0


@pytest.mark.parametrize(
    ("text", "words"),
    [('grce = "1m"', "unknown setting 'grce'"), ("grace = ", "settings.toml"), ("\xff", "settings.toml")],
)
def test_a_file_that_makes_no_sense_is_said(file: Path, text: str, words: str) -> None:
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=words):
        Settings({}, file)


def test_what_is_no_duration_is_said_with_where_it_was_written(file: Path) -> None:
    with pytest.raises(UsageError, match=r"OSMO_SETTLE.*settle"):
        Settings({"OSMO_SETTLE": "soon"}, file).seconds("settle")


@pytest.mark.parametrize(
    ("environ", "want"),
    [
        ({"HOME": "/h"}, "/h/.local/share/osmo"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/d"}, "/d/osmo"),
        ({"HOME": "/h", "XDG_DATA_HOME": "/d", "OSMO_HOME": "/o"}, "/o"),
        ({"HOME": "/h", "OSMO_HOME": ""}, "/h/.local/share/osmo"),
    ],
)
def test_where_runs_are_kept(file: Path, environ: dict[str, str], want: str) -> None:
    assert Settings(environ, file).home == Path(want)


@pytest.mark.parametrize(
    ("environ", "want"),
    [
        ({"HOME": "/h"}, "/h/.config/osmo"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}, "/c/osmo"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/c", "OSMO_CONFIG_FILE_DIR": "/o"}, "/o"),
    ],
)
def test_where_the_settings_file_is(environ: dict[str, str], want: str) -> None:
    assert config_directory(environ) == Path(want)
