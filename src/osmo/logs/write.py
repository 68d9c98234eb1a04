"""Writing one task's log. A disk that is full must not end a task: a line that cannot be written is counted."""

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from osmo.clock import Clock
from osmo.logs import line


class Log(Protocol):
    """Where we say something. dropped: how many lines could not be written."""

    dropped: int

    def ours(self, text: str) -> None:
        """Something that we say: one line, whatever names it holds."""


class PlainLog:
    """Our lines alone, with no task before them, to a descriptor: of a terminal, a pipe, a file. None: to nobody."""

    def __init__(self, descriptor: int | None, clock: Clock) -> None:
        self._descriptor = descriptor
        self._clock = clock
        self._lock = threading.Lock()
        self.dropped = 0

    def ours(self, text: str) -> None:
        if self._descriptor is None:
            return
        body = f"{self._clock.now():%Y/%m/%d %H:%M:%S} [osmo] {one_line(text)}\n".encode()
        try:
            with self._lock:
                while body:
                    body = body[os.write(self._descriptor, body) :]
        except OSError:  # a full disk, a terminal that was closed
            self.dropped += 1


class LogWriter:
    """Appends whole lines, each in one write, so that readers and a second writer never see halves of two lines."""

    def __init__(self, path: Path, task: str, attempt: int, clock: Clock) -> None:
        self._path = path
        self._task = task
        self._attempt = attempt
        self._clock = clock
        self._lock = threading.Lock()
        self._torn = False
        self.dropped = 0

    def ours(self, text: str) -> None:
        """Something that we say."""
        stamp = line.prefix(self._clock.now(), self._task, self._attempt, ours=True)
        self._append(stamp + one_line(text).encode() + b"\n", 1)

    @property
    def path(self) -> Path:
        return self._path

    def of_task(self, lines: Iterable[bytes], about_to: Callable[[int, int], None] | None = None) -> None:
        """Lines that the task printed, without their ends, as the bytes that they were.

        about_to: told, before anything is written, how long the log is and will be.
        """
        stamp = line.prefix(self._clock.now(), self._task, self._attempt, ours=False)
        together = [stamp + text + b"\n" for text in lines]
        if together:
            self._append(b"".join(together), len(together), about_to)

    def _append(self, body: bytes, lines: int, about_to: Callable[[int, int], None] | None = None) -> None:
        with self._lock:
            try:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    if about_to is not None:
                        size = os.fstat(descriptor).st_size
                        about_to(size, size + self._torn + len(body))
                    if self._torn:  # a line of which only a part fitted on the disk ends here
                        os.write(descriptor, b"\n")
                        self._torn = False
                    while body:
                        body = body[os.write(descriptor, body) :]
                        self._torn = bool(body)
                finally:
                    os.close(descriptor)
            except OSError:
                self.dropped += lines


def one_line(text: str) -> str:
    """The text as one line that is harmless on a terminal."""
    text = " ".join(text.splitlines())
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
