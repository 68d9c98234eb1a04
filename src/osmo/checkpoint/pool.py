"""Many files into the store at once, each tried a few times."""

import random
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from osmo.checkpoint.diff import Saved
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.schedule import PAUSES_S
from osmo.checkpoint.tree import Stat
from osmo.checkpoint.upload import Uploader
from osmo.clock import Clock
from osmo.errors import AccessDenied, FileMoved, NoBucket, StoreError, Unavailable, UnknownHost

_NO_USE_GOING_ON = (AccessDenied, NoBucket, Unavailable, UnknownHost)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: in the store, or why not.

    doubtful: a request got no answer, so nobody knows which bytes lie at its key now.
    """

    name: str
    result: Saved | Exception
    doubtful: bool = False

    @property
    def fatal(self) -> StoreError | None:
        """The error that no other file would escape."""
        return self.result if isinstance(self.result, _NO_USE_GOING_ON) else None


class Pool:
    """Sends files for one cycle.

    hurried: whether to begin nothing more. last: this is the last cycle: what moves is waited for a little, then taken
    as it is.
    """

    def __init__(
        self, uploader: Uploader, clock: Clock, at_once: int, *, hurried: Callable[[], bool], last: bool
    ) -> None:
        self._uploader = uploader
        self._clock = clock
        self._at_once = at_once
        self._hurried = hurried
        self._last = last
        self._never = threading.Event()
        self._fatal = False

    def send(self, files: Mapping[str, Stat], known: Mapping[str, Saved], take: Callable[[Outcome], None]) -> None:
        """Send them. `take` gets the outcome of every file that was begun, from any thread. After a fatal one, or in a
        hurry, no other is; those in flight are waited for. known: what is in the store under these names."""
        waiting = iter(files.items())
        lock = threading.Lock()

        def following() -> tuple[str, Stat] | None:
            with lock:
                return None if self._ended() else next(waiting, None)

        def work() -> None:
            try:
                while (file := following()) is not None:
                    name, stat = file
                    outcome = self._insist(name, stat, known[name].record if name in known else None)
                    if outcome.fatal is not None:
                        self._fatal = True
                    take(outcome)
            except BaseException:
                self._fatal = True
                raise

        # A few threads that help themselves: a future for every small file would cost more than its upload.
        at_once = min(self._at_once, len(files))
        with ThreadPoolExecutor(at_once, thread_name_prefix="upload") as threads:
            for worker in [threads.submit(work) for _ in range(at_once)]:
                worker.result()

    def _ended(self) -> bool:
        return self._fatal or self._hurried()

    def _insist(self, name: str, stat: Stat, known: FileRecord | None) -> Outcome:
        """Try a few times over what a moment may mend: a hiccup of the store; after the end, a file that moves."""
        doubtful = False
        for pause_s in (*PAUSES_S, None):
            try:
                return Outcome(name, self._uploader(name, stat, known, last_chance=self._last and pause_s is None))
            except Unavailable as error:
                doubtful, known = True, None  # of what lies there nothing is known any more
                if pause_s is None or self._ended():
                    return Outcome(name, error, doubtful)
                self._clock.wait(self._never, pause_s * (0.5 + random.random()))
            except FileMoved as error:
                if pause_s is None or not self._last:
                    return Outcome(name, error, doubtful)
                self._clock.wait(self._never, pause_s)
                stat = self._look_again(name, stat)
            except (OSError, StoreError) as error:
                return Outcome(name, error, doubtful)
        raise AssertionError("the last try returns")

    def _look_again(self, name: str, stat: Stat) -> Stat:
        now = self._uploader.tree.stat(name) or stat
        self._uploader.meter.expect(now.size - stat.size)
        return now
