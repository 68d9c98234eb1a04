"""Who decides about an attempt is woken when there is something to look at."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from osmo.agent.events import Stirred
from osmo.rundir.changes import Changes
from osmo.rundir.paths import AttemptDir


class Watcher(threading.Thread):
    """Calls `tell` when the command has ended, when somebody wants its end or a checkpoint, and now and then.

    pid: the command's. also: other folders in which somebody may want its end.
    """

    def __init__(self, where: AttemptDir, pid: int, tell: Callable[[Stirred], None], also: Iterable[Path] = ()) -> None:
        super().__init__(name="watcher", daemon=True)
        with suppress(OSError):  # a full disk: then nobody can ask for a checkpoint either
            where.requests.mkdir(mode=0o700, exist_ok=True)
        self._changes = Changes(folders=(where.path, where.requests, *also), pids=(pid,))
        self._tell = tell

    def run(self) -> None:
        while True:
            self._changes.wait()
            self._tell(Stirred())
