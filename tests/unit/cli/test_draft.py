import errno
import fcntl
import os
from pathlib import Path

import pytest

from osmo.cli.draft import one_at_a_time
from osmo.rundir.home import Home


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_stops_no_submit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_locks(*_args: object) -> None:
        raise OSError(number, os.strerror(number))

    home = Home(tmp_path)
    home.prepare()
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with one_at_a_time(home):
        pass
