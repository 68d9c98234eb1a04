"""Many files into the store at once, each tried a few times."""

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from osmo.checkpoint.cycle import Cycle
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.schedule import PAUSES_S
from osmo.checkpoint.throttle import Throttle
from osmo.checkpoint.tree import Stat
from osmo.checkpoint.turns import Turns
from osmo.checkpoint.upload import Uploader
from osmo.checkpoint.window import OutOfTime
from osmo.clock import Clock
from osmo.errors import AccessDenied, FileMoved, NoBucket, StoreError, Unavailable, UnknownHost

_LOOK_AT_THE_CLOCK_S = 0.1
_NO_USE_GOING_ON = (AccessDenied, NoBucket, Unavailable, UnknownHost)
_THEN_IT_IS_DOWN = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: in the store, or why not.

    doubtful: a request may still be on its way. fatal: the error, if no other file would escape it.
    """

    name: str
    result: Saved | Exception
    doubtful: bool = False
    fatal: StoreError | None = None


class Pool:
    """Sends files for one cycle.

    In the last cycle, what moves is waited for a little, then taken as it is. at_once: the most that are ever sent at
    once; how many are is the throttle's to say.
    """

    def __init__(self, uploader: Uploader, clock: Clock, at_once: int, throttle: Throttle, cycle: Cycle) -> None:
        self._uploader = uploader
        self._clock = clock
        self._at_once = at_once
        self._throttle = throttle
        self._cycle = cycle
        self._never = threading.Event()
        self._lock = threading.Lock()
        self._stored = False
        self._unanswered = 0  # files since the last that was stored
        self._fatal = False

    def send(self, files: Mapping[str, Stat], known: Mapping[str, Saved], take: Callable[[Outcome], None]) -> set[str]:
        """Send them. Returns those that there was no time for.

        `take` gets the outcome of every file that was begun, from any thread. After a fatal one, or in a hurry, no
        other is. Those in flight are waited for, but not beyond the cycle's deadline: what becomes of them then is
        doubtful. known: what is in the store under these names.
        """
        turns = Turns(files, self._uploader.window, self._ended)
        outcomes = _Outcomes(take)

        def work() -> None:
            try:
                while not self._helped_itself(turns, known, outcomes):
                    pass
            except BaseException:
                self._fatal = True
                raise

        # A few threads that help themselves: a future for every small file would cost more than its upload.
        at_once = min(self._at_once, len(files))
        self._throttle.begin()
        threads = ThreadPoolExecutor(at_once, thread_name_prefix="upload")
        workers = [threads.submit(work) for _ in range(at_once)]
        while wait(workers, timeout=_LOOK_AT_THE_CLOCK_S).not_done and not self._cycle.out_of_time():
            pass
        late = self._cycle.out_of_time()
        threads.shutdown(wait=not late)
        for worker in workers:
            if worker.done():
                worker.result()
        if not late:
            return turns.given_up
        under_way, waiting = turns.unsettled
        outcomes.close(under_way)
        return under_way | waiting

    def _helped_itself(self, turns: Turns, known: Mapping[str, Saved], outcomes: "_Outcomes") -> bool:
        """Send one file after the other until there is none left; or, which is False, until fewer are to do that."""
        with self._throttle:  # before a file is taken: who waits here may find that all is over
            while (file := turns.next()) is not None:
                name, stat = file
                outcome = self._insist(name, stat, known[name].record if name in known else None)
                if (fatal := self._fatal_error(outcome.result)) is not None:
                    outcome = replace(outcome, fatal=fatal)
                outcomes.take(outcome)
                turns.settle(name)
                if self._throttle.is_full:
                    return False
        return True

    def _fatal_error(self, result: Saved | Exception) -> StoreError | None:
        """The error, if it is no use to begin another file after it. A store that gives no answer over one file, but
        over others, has trouble with that one."""
        with self._lock:
            if isinstance(result, Saved):
                self._stored, self._unanswered = True, 0
            if not isinstance(result, _NO_USE_GOING_ON):
                return None
            self._unanswered += 1
            if not isinstance(result, Unavailable) or not self._stored or self._unanswered >= _THEN_IT_IS_DOWN:
                self._fatal = True
            return result if self._fatal else None

    def _ended(self) -> bool:
        return self._fatal or self._cycle.hurried

    def _insist(self, name: str, stat: Stat, known: FileRecord | None) -> Outcome:
        """Try a few times over what a moment may mend: a hiccup of the store; after the end, a file that moves."""
        trouble: Unavailable | None = None
        for pause_s in (*PAUSES_S, None):
            try:
                saved = self._uploader(name, stat, known, last_chance=self._cycle.last and pause_s is None)
                self._throttle.went_well()
                return Outcome(name, saved)
            except Unavailable as error:
                self._throttle.slow_down()
                trouble = error
                if pause_s is None or self._ended():
                    return Outcome(name, error, doubtful=True)
                self._clock.wait(self._never, pause_s * (0.5 + random.random()))
            except FileMoved as error:
                if pause_s is None or not self._cycle.last:  # that it moved meanwhile does not hide the trouble
                    return Outcome(name, trouble or error, doubtful=trouble is not None)
                self._clock.wait(self._never, pause_s)
                stat = self._look_again(name, stat)
            except (OSError, StoreError) as error:
                return Outcome(name, error, doubtful=trouble is not None)
        raise AssertionError("the last try returns")

    def _look_again(self, name: str, stat: Stat) -> Stat:
        now = self._uploader.opener.tree.stat(name) or stat
        self._uploader.meter.expect(now.size - stat.size)
        return now


class _Outcomes:
    """Passes outcomes on until it is closed. Safe to use from many threads."""

    def __init__(self, take: Callable[[Outcome], None]) -> None:
        self._lock = threading.Lock()
        self._take = take
        self._closed = False

    def take(self, outcome: Outcome) -> None:
        with self._lock:
            if not self._closed:
                self._take(outcome)

    def close(self, under_way: Iterable[str]) -> None:
        """What comes now is too late: these are out of time."""
        with self._lock:
            self._closed = True
            for name in under_way:
                self._take(Outcome(name, OutOfTime(f"{name}: no time was left"), doubtful=True))
