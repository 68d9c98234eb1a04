"""Live files: logs of lines or events that are appended to all day, and checkpointed while they grow.

That a file grows is no evidence: a model that is being written grows just the same. So they go by name, and must go on
from the bytes that were stored last time.
"""

import os
import re
from collections.abc import Iterable
from fnmatch import translate

from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.reader import Reader
from osmo.checkpoint.tree import UNKNOWN, Stat
from osmo.errors import FileMoved

_EVENTS = "events.out.tfevents."
PATTERNS = ("*.log", "*.out", "*.err", "*.jsonl", "*.ndjson", f"{_EVENTS}*")
_WINDOW = 1024 * 1024
_BEFORE, _AFTER = 12, 4  # bytes around the data of an event: its length and that one's checksum; the data's checksum


class LiveNames:
    """Which names are live files'. more: patterns like a shell's, for the last part of a name."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._pattern = re.compile("|".join(map(translate, (*PATTERNS, *more))))

    def __call__(self, name: str) -> bool:
        return self._pattern.match(name, name.rfind("/") + 1) is not None


def whole(descriptor: int, name: str, size: int, known: FileRecord | None) -> int:
    """How many of the first `size` bytes end with a whole line; in a file of TensorBoard's, with a whole event.

    known: what of it is stored. Behind that is where is looked, so a file of any length costs what was added to it.
    """
    if name.startswith(_EVENTS, name.rfind("/") + 1):
        return _events(descriptor, size, known.size if known is not None and known.live else 0)
    return _lines(descriptor, size, known.size if known is not None else 0)


def _lines(descriptor: int, size: int, start: int) -> int:
    """Where the last line of the bytes from `start` to `size` ends; `start` if none does."""
    end = size
    while end > start:
        begin = max(start, end - _WINDOW)
        found = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return start


def _events(descriptor: int, size: int, start: int) -> int:
    """Where the last whole event of the bytes from `start`, where one begins, to `size` ends.

    Only the chain of lengths is followed, no checksum: a damaged event is stored as the task wrote it. A length of zero
    is none: that is what space looks like that was reserved and not written yet.
    """
    at, window, begin = start, b"", start
    while at + _BEFORE + _AFTER < size:
        if at + _BEFORE > begin + len(window):
            window, begin = os.pread(descriptor, min(_WINDOW, size - at), at), at
            if len(window) < _BEFORE:
                break  # cut short meanwhile
        length = int.from_bytes(window[at - begin : at - begin + 8], "little")
        if not length or at + _BEFORE + length + _AFTER > size:
            break
        at += _BEFORE + length + _AFTER
    return at


class Prefix(Reader):
    """The beginning of an open live file, `size` bytes of it. Whatever is written behind them meanwhile is no matter.

    stat: of the moment when `size` was found. known: what is stored of it, which it must begin with.
    """

    live = True

    def __init__(self, descriptor: int, name: str, stat: Stat, size: int, known: FileRecord | None) -> None:
        super().__init__(descriptor, name, stat, size)
        self._known = known

    @property
    def is_known(self) -> bool:
        """Not a whole line was added since."""
        known = self._known
        return known is not None and known.live and (known.size, known.mtime_ns) == (self.size, self.stat.mtime_ns)

    @property
    def looks(self) -> Stat:
        """With a piece of a line behind the prefix, the file is looked at again although it looks the same."""
        return self.stat if self.size == self.stat.size else UNKNOWN

    def _begin(self) -> None:
        if self._known is not None and self.size < self._known.size:
            raise FileMoved(f"{self.name} is shorter than what is stored of it")

    def _hash(self, part: bytes, done: int) -> None:
        ahead = self._known.size - done if self._known is not None else 0
        if self._known is None or not 0 < ahead <= len(part):
            self._hasher.update(part)
            return
        view = memoryview(part)
        self._hasher.update(view[:ahead])
        if self.digest != self._known.digest:
            raise FileMoved(f"{self.name} does not begin with what is stored of it")
        self._hasher.update(view[ahead:])

    def _end(self) -> None:
        if os.fstat(self.descriptor).st_size < self.size:
            raise FileMoved(f"{self.name} was cut while it was read")
