"""Following the command's output: from the file into the log, line by line, and out of the file again."""

import os
import threading
from typing import IO

from osmo.agent.position import Position
from osmo.agent.space import Space
from osmo.clock import Clock
from osmo.logs.split import Splitter
from osmo.logs.write import LogWriter
from osmo.rundir.changes import Changes
from osmo.rundir.paths import AttemptDir

_CHUNK = 256 * 1024
_GATHER_S = 0.1
_UNFINISHED_S = 1.0


class Follower(threading.Thread):
    """Takes over what the command prints. What was taken over leaves the disk, where the filesystem can do that."""

    def __init__(self, attempt: AttemptDir, log: LogWriter, clock: Clock) -> None:
        super().__init__(name="output", daemon=True)
        self._path = attempt.output
        self._log = log
        self._clock = clock
        self._splitter = Splitter()
        self._position = Position(attempt.position, log.path)
        self._noted = self._position.recover()  # now: before anybody else writes to the log
        self._last = threading.Event()
        self._changes = Changes(files=[attempt.output])
        self._offset = 0
        self._given = 0

    def finish(self) -> None:
        """The command has ended: take what is left, then return."""
        self._last.set()
        self._changes.wake()
        self.join()

    def run(self) -> None:
        with open(self._path, "r+b", buffering=0) as file:
            self._offset = file.seek(self._start(file.fileno()))
            self._space = Space(file.fileno(), self._offset)
            self._given = self._offset
            while True:
                last = self._last.is_set()
                self._notice_truncation(file)
                while data := file.read(_CHUNK):
                    self._offset += len(data)
                    self._give(self._splitter.feed(data, self._clock.monotonic()))
                    # What is in no line yet may be needed again.
                    self._space.take(self._offset - self._splitter.pending, self._offset)
                self._give(self._splitter.overdue(self._clock.monotonic()))
                if last:
                    self._give(self._splitter.end())
                    self._space.release()
                    return
                self._wait()

    def _wait(self) -> None:
        """Until there is more, and a moment longer: who prints, prints on. A line that stays unfinished is given out
        after a while."""
        if self._splitter.pending:
            self._changes.wait(_UNFINISHED_S)
        else:
            self._changes.wait()
        self._clock.wait(self._last, _GATHER_S)

    def _give(self, lines: list[bytes]) -> None:
        """Into the log with them, noting how far the output is there."""
        before, self._given = self._given, self._offset - self._splitter.pending
        self._log.of_task(lines, lambda *sizes: self._position.note(before, self._given, *sizes))

    def _notice_truncation(self, file: IO[bytes]) -> None:
        """`echo … > /dev/stderr` opens the file anew and empties it: go on from its beginning."""
        if os.fstat(file.fileno()).st_size < self._offset:
            self._offset = self._given = file.seek(0)
            self._space = Space(file.fileno(), 0)

    def _start(self, descriptor: int) -> int:
        """Where an agent before us stopped: where it says, or, if it could not, where the hole ends."""
        if self._noted is not None:
            return self._noted
        try:
            return os.lseek(descriptor, 0, os.SEEK_DATA)
        except OSError:  # empty, or nothing but a hole
            return os.lseek(descriptor, 0, os.SEEK_END)
