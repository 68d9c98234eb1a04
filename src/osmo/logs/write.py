"""Writing one task's log. A disk that is full must not end a task: a line that cannot be written is counted."""

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from osmo.clock import Clock
from osmo.logs import line


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
        """Something that we say. It is one line, and harmless on a terminal, whatever names `text` holds."""
        stamp = line.prefix(self._clock.now(), self._task, self._attempt, ours=True)
        self._append(stamp + _printable(" ".join(text.splitlines())).encode() + b"\n", 1)

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


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
