"""How many bytes may lie in memory for uploads at one time, over all uploads of one process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MOST = 96 * 1024 * 1024
_LEAST = 16 * 1024 * 1024
_MEMORY_MAX = Path("/sys/fs/cgroup/memory.max")


class ByteBudget:
    """Bytes that are taken before they are read, and given back when they are sent."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._left = total
        self._given_back = threading.Condition()

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """Wait until `count` bytes are free, hold them for the block. More than there are in all counts as all."""
        count = min(count, self.total)
        with self._given_back:
            self._given_back.wait_for(lambda: self._left >= count)
            self._left -= count
        try:
            yield
        finally:
            with self._given_back:
                self._left += count
                self._given_back.notify_all()


def suitable_total(memory_max: Path = _MEMORY_MAX) -> int:
    """96 MiB, or a tenth of what the control group may use at all, if that is less; never below 16 MiB."""
    limit = of_the_group(memory_max)
    return _MOST if limit is None else max(_LEAST, min(_MOST, limit // 10))


def of_the_group(memory_max: Path = _MEMORY_MAX) -> int | None:
    """How many bytes of memory the control group may use; None if there is none, or no limit."""
    try:
        return int(memory_max.read_text())
    except (OSError, ValueError):  # no control group, or `max`
        return None
