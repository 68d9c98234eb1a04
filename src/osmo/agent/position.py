"""How far the command's output is in the log, kept where an agent after this one finds it."""

import os
import struct
from pathlib import Path

_FORM = struct.Struct("<4Q")


class Position:
    """One small file, written over in place before each write to the log. For one thread.

    It says what is about to happen, so that whoever comes later sees from the log's size whether it did: no line is
    lost, and none comes twice, wherever an agent was killed. A machine that stops may lose its last word.
    """

    def __init__(self, path: Path, log: Path) -> None:
        self._path = path
        self._log = log

    def recover(self) -> int | None:
        """Where in the output to go on, None if nothing was noted. Of a write to the log that was cut short nothing
        stays there: its lines come again."""
        try:
            before, after, log_before, log_after = _FORM.unpack(self._path.read_bytes())
        except (OSError, struct.error):
            return None
        size = _size(self._log)
        if size >= log_after:
            before = after
        elif size > log_before:
            os.truncate(self._log, log_before)
            size = log_before
        self.note(before, before, size, size)
        return int(before)

    def note(self, before: int, after: int, log_before: int, log_after: int) -> None:
        """The output's bytes `before` to `after` are about to take the log from one size to the other. A disk that is
        full does not stop it."""
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, _FORM.pack(before, after, log_before, log_after), 0)
            finally:
                os.close(descriptor)
        except OSError:
            return


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
