"""Live files: logs of lines or events that are appended to all day, and checkpointed while they grow.

That a file grows is no evidence: a model that is being written grows just the same. So they go by name, and must go on
from the bytes that were stored last time.
"""

import os
import re
from collections.abc import Iterable, Iterator
from fnmatch import translate

from blake3 import blake3

from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.tree import Stat
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


class LivePrefix:
    """One pass over the first `size` bytes of an open live file; `digest` is known at the end.

    stat: of the moment when `size` was found. known: what is stored of it. Whatever is written behind `size`
    meanwhile is no matter.
    """

    moved = False

    def __init__(self, descriptor: int, stat: Stat, name: str, size: int, known: FileRecord | None) -> None:
        self.name = name
        self.stat = stat
        self.size = size
        self._descriptor = descriptor
        self._known = known
        self._hasher = blake3()

    @property
    def digest(self) -> str:
        return self._hasher.hexdigest()

    def parts(self, part_size: int) -> Iterator[bytes]:
        """Parts of exactly `part_size` bytes, the last one shorter.

        Raises FileMoved as soon as the bytes that are stored are found not to be its beginning any more: it was rotated
        or rewritten, and is a file like any other until it rests.
        """
        stored = self._known.size if self._known is not None else 0
        if self.size < stored:
            raise FileMoved(f"{self.name} is shorter than what is stored of it")
        done = 0
        while done < self.size:
            part = self._read(done, min(part_size, self.size - done))
            self._take(memoryview(part), stored - done)
            done += len(part)
            yield part
        if os.fstat(self._descriptor).st_size < self.size:
            raise FileMoved(f"{self.name} was cut while it was read")

    def _read(self, at: int, count: int) -> bytes:
        pieces = []
        while count:
            piece = os.pread(self._descriptor, count, at)
            if not piece:
                raise FileMoved(f"{self.name} was cut while it was read")
            pieces.append(piece)
            at, count = at + len(piece), count - len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _take(self, part: memoryview, ahead: int) -> None:
        """Into the digest. ahead: bytes from the beginning of this part to the end of what is stored."""
        if not 0 < ahead <= len(part):
            self._hasher.update(part)
            return
        self._hasher.update(part[:ahead])
        if self._known is not None and self.digest != self._known.digest:
            raise FileMoved(f"{self.name} does not begin with what is stored of it")
        self._hasher.update(part[ahead:])
