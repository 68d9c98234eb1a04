from pathlib import Path

import pytest

from osmo.cli.before import limits
from osmo.cli.settings import Settings
from osmo.errors import UsageError


@pytest.mark.parametrize(
    ("text", "want"),
    [("", ()), ("*.csv", ("*.csv",)), ("*.csv *.txt", ("*.csv", "*.txt")), (" *.csv, steps? ,", ("*.csv", "steps?"))],
)
def test_patterns_of_further_live_files_are_separated_by_spaces_or_commas(
    tmp_path: Path, text: str, want: tuple[str, ...]
) -> None:
    assert limits(Settings({"OSMO_LIVE": text}, tmp_path / "none")).live == want


def test_a_pattern_with_a_slash_is_refused_for_it_could_not_match(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"OSMO_LIVE.*'logs/\*\.csv' has a slash"):
        limits(Settings({"OSMO_LIVE": "logs/*.csv"}, tmp_path / "none"))
