"""A million files, in a process of its own, which says in a line of JSON what it measured.

argv: how many files, a folder. The files are empty and the store is in memory, where it forgets them: a server would
need an hour to take them, and what is measured is what osmo does with them. Sent is what records and listings would be.
"""

import gc
import json
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path

from bench import cycles, data
from support.memory import MemoryStore

_IDLE = 3


class Forgetting(MemoryStore):
    """Takes empty objects and does not keep them. Counts requests that write, and their bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = self.sent = 0

    def put(self, key: str, body: bytes) -> str:
        self._count(body)
        return super().put(key, body) if body else "empty"

    def put_new(self, key: str, body: bytes) -> str:
        self._count(body)
        return super().put_new(key, body) if body else "empty"

    def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:  # noqa: ARG002
        whole = b"".join(parts)
        self._count(whole)
        return super().put(key, whole)

    def _count(self, body: bytes) -> None:
        self.writes += 1
        self.sent += len(body)


def main() -> None:
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    data.empty(folder, count)
    store = Forgetting()
    one = cycles.stream(str(folder), store.url, lambda: store, lambda _: None)
    base = cycles.peak()
    cold = cycles.measured(one)
    sent = store.sent
    gc.collect()
    idle = [cycles.measured(one) for _ in range(_IDLE)]
    writes, before = store.writes, store.sent
    (folder / "0000" / "0000000").write_bytes(b"one")
    changed = cycles.measured(one)
    found = {
        "first checkpoint, s": cold["seconds"],
        "first checkpoint, MiB of its record": sent / data.MIB,
        "nothing changed, s": statistics.median(each["seconds"] for each in idle),
        "nothing changed, CPU s": statistics.median(each["cpu_s"] for each in idle),
        "one file changed, s": changed["seconds"],
        "one file changed, requests that write": store.writes - writes,
        "one file changed, KiB sent": (store.sent - before) / 1024,
        "the most memory of the first checkpoint, bytes a file": (cold["memory"] - base) / count,
        "the most memory later, bytes a file": (max(each["memory"] for each in (*idle, changed)) - base) / count,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
