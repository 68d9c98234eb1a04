"""`osmo workflow logs --error`: the end of what failed."""

import sys
from contextlib import suppress

from osmo.cli.main import OK
from osmo.cli.output import plain
from osmo.cli.view import attempt_of, task_named, view
from osmo.logs.read import LogReader, skip_to_last
from osmo.rundir import records
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.states import State

_LAST = 100  # lines, as OSMO shows


def show(run: RunDir, task: str | None, attempt: int | None) -> int:
    """The last lines of each task that failed, or of the one that is named, and what its agent complained of.

    attempt: which; the newest of each if None.
    """
    seen = view(run)
    for one in seen.tasks if task is None else (task_named(seen, task),):
        folder = one.attempt if attempt is None else attempt_of(run, one.name, attempt)
        if task is not None or _failed(folder):
            _show(folder)
    return OK


def _failed(attempt: AttemptDir) -> bool:
    return State((records.read(attempt.status) or {}).get("state", State.SUBMITTING)).failed


def _show(attempt: AttemptDir) -> None:
    for line in skip_to_last([LogReader(attempt.log)], _LAST):
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
    with suppress(FileNotFoundError):
        for complaint in attempt.agent_errors.read_text(errors="replace").splitlines()[-_LAST:]:
            print(f"{attempt.agent_errors}: {plain(complaint)}")
