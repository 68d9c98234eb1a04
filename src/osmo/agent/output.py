"""Following the command's output: from the file into the log, line by line, and out of the file again."""

import ctypes
import os
import threading
from typing import IO

from osmo.agent.position import Position
from osmo.clock import Clock
from osmo.logs.split import Splitter
from osmo.logs.write import LogWriter
from osmo.rundir.paths import AttemptDir

_CHUNK = 256 * 1024
_PUNCH_EVERY = 64 * 1024
_IDLE_S = 0.1
_KEEP_SIZE_PUNCH_HOLE = 0x01 | 0x02  # linux/falloc.h


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
        self._offset = 0
        self._given = 0
        self._punched = 0
        self._fallocate = _fallocate()

    def finish(self) -> None:
        """The command has ended: take what is left, then return."""
        self._last.set()
        self.join()

    def run(self) -> None:
        with open(self._path, "r+b", buffering=0) as file:
            self._offset = self._punched = file.seek(self._start(file.fileno()))
            self._given = self._offset
            while True:
                last = self._last.is_set()
                self._notice_truncation(file)
                while data := file.read(_CHUNK):
                    self._offset += len(data)
                    self._give(self._splitter.feed(data, self._clock.monotonic()))
                    self._punch(file.fileno())
                self._give(self._splitter.overdue(self._clock.monotonic()))
                if last:
                    self._give(self._splitter.end())
                    return
                self._clock.wait(self._last, _IDLE_S)

    def _give(self, lines: list[bytes]) -> None:
        """Into the log with them, noting how far the output is there."""
        before, self._given = self._given, self._offset - self._splitter.pending
        self._log.of_task(lines, lambda *sizes: self._position.note(before, self._given, *sizes))

    def _notice_truncation(self, file: IO[bytes]) -> None:
        """`echo … > /dev/stderr` opens the file anew and empties it: go on from its beginning."""
        if os.fstat(file.fileno()).st_size < self._offset:
            self._offset = self._punched = self._given = file.seek(0)

    def _start(self, descriptor: int) -> int:
        """Where an agent before us stopped: where it says, or, if it could not, where the hole ends."""
        if self._noted is not None:
            return self._noted
        try:
            return os.lseek(descriptor, 0, os.SEEK_DATA)
        except OSError:  # empty, or nothing but a hole
            return os.lseek(descriptor, 0, os.SEEK_END)

    def _punch(self, descriptor: int) -> None:
        done = self._offset - self._splitter.pending  # what is in no line yet may be needed again
        whole = done - done % 4096
        if self._fallocate is None or whole - self._punched < _PUNCH_EVERY:
            return
        result = self._fallocate(
            descriptor,
            _KEEP_SIZE_PUNCH_HOLE,
            ctypes.c_longlong(self._punched),
            ctypes.c_longlong(whole - self._punched),
        )
        if result:
            self._fallocate = None  # not on this filesystem
        self._punched = whole


def _fallocate() -> "ctypes._NamedFuncPointer | None":
    """The system call, where there is one (Linux)."""
    return getattr(ctypes.CDLL(None), "fallocate", None)
