"""Real processes in an attempt's directory."""

from pathlib import Path

import pytest

from osmo.rundir.paths import AttemptDir, RunDir


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptDir:
    place = RunDir(tmp_path / "run-1").attempt("main", 0)
    place.path.mkdir(parents=True)
    return place
