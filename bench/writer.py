"""A task that rewrites large files all the time. Run by path, with nothing but Python.

argv: how it writes (`place` or `rename`), the folder, seconds, a seed. Every generation fills a file with its own
number, so bytes of two generations are seen at once. Half way through each file, and after it, the writer rests for
`PAUSE_S`. It ends at the first whole generation after its time, so what is on disk at the end is whole.

`place`: rewritten in place. Half of the files are opened anew for each generation, cut to nothing and closed after it,
as `open(name, "wb")` does; the other half stay open and keep their size, as a database or an array on disk does.
`rename`: written under another name beside the folder, then renamed into it.
"""

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

MIB = 1024 * 1024
SIZES = {f"file-{number}": size * MIB for number, size in enumerate((16, 16, 32, 32, 64, 64))}
WORD = 8  # bytes of a generation's number, over and over
PAUSE_S = (4.0, 7.0)


def body(generation: int, size: int) -> bytes:
    """The content of a file in one generation."""
    return generation.to_bytes(WORD, "little") * (size // WORD)


class File:
    """One file, written generation after generation by a thread of its own."""

    def __init__(self, path: Path, size: int, seed: str) -> None:
        self.path = path
        self.size = size
        self._random = random.Random(seed)

    def run(self, write: Callable[["File", int], None], until: float) -> None:
        generation = 0
        while time.monotonic() < until:
            generation += 1
            write(self, generation)
            if time.monotonic() < until:
                self.rest()

    def rest(self) -> None:
        time.sleep(self._random.uniform(*PAUSE_S))

    def fill(self, file: BinaryIO, generation: int) -> None:
        """One generation into an open file: half of it, a rest, the other half."""
        half = body(generation, self.size // 2)
        file.write(half)
        file.flush()
        self.rest()
        file.write(half)
        file.flush()


def anew(file: File, generation: int) -> None:
    """In place: cut to nothing, written, closed."""
    with file.path.open("wb") as opened:
        file.fill(opened, generation)


class KeptOpen:
    """In place, through one descriptor that is never closed."""

    def __init__(self) -> None:
        self._opened: BinaryIO | None = None

    def __call__(self, file: File, generation: int) -> None:
        if self._opened is None:
            self._opened = file.path.open("wb")
        self._opened.seek(0)
        file.fill(self._opened, generation)


def renamed(file: File, generation: int) -> None:
    """Beside the folder, then renamed."""
    temporary = file.path.parent.parent / f"{file.path.name}.new"
    with temporary.open("wb") as opened:
        file.fill(opened, generation)
    temporary.replace(file.path)


def main() -> None:
    how, folder, seconds, seed = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    folder.mkdir(exist_ok=True)
    until = time.monotonic() + seconds
    threads = []
    for number, (name, size) in enumerate(SIZES.items()):
        in_place: Callable[[File, int], None] = anew if number % 2 else KeptOpen()
        write = renamed if how == "rename" else in_place
        file = File(folder / name, size, f"{seed} {name}")
        threads.append(threading.Thread(target=file.run, args=(write, until)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.sync()


if __name__ == "__main__":
    main()
