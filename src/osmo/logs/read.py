"""Reading the logs of a run's tasks as one: what is there, then what comes."""

import heapq
from collections.abc import Iterator
from pathlib import Path

from osmo.logs.line import STAMP_LENGTH

_CHUNK = 1024 * 1024


class LogReader:
    """One task's log, read on from where the last call ended. The file need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._rest = b""

    def lines(self) -> Iterator[bytes]:
        """Whole lines that came since the last call, with their ends."""
        try:
            file = open(self.path, "rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self._offset)
            while data := file.read(_CHUNK):
                self._offset += len(data)
                *whole, self._rest = (self._rest + data).split(b"\n")
                for text in whole:
                    yield text + b"\n"


def merged(readers: list[LogReader]) -> Iterator[bytes]:
    """All that the readers have now, in the order of their time stamps; one reader's lines stay in their order."""
    if len(readers) == 1:
        yield from readers[0].lines()
    else:
        yield from heapq.merge(*(reader.lines() for reader in readers), key=lambda text: text[:STAMP_LENGTH])


def skip_to_last(readers: list[LogReader], count: int) -> list[bytes]:
    """The last `count` lines of what is there now; the readers go on behind it."""
    last: list[bytes] = []
    for text in merged(readers):
        last.append(text)
        if len(last) >= 2 * count + 1000:
            del last[: len(last) - count]
    return last[len(last) - count :] if count < len(last) else last
