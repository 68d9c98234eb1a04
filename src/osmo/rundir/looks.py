"""How the files of a checkpoint looked on this machine: a file of lines that grows by what has changed.

A line for each file, one for the name of each that is gone, then one with the checkpoint's number, which makes true
what stands before it. So a write that was cut short changes nothing, and who reads meanwhile sees this checkpoint or
the last.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import TypeVar

from osmo.rundir import records

Numbers = tuple[int, int, int, int, int]
"""What tells whether a file is the one that it was; what each of them is, is for others to know."""
_T = TypeVar("_T")
_LINES = 10_000  # at once


def write(path: Path, checkpoint: int | None, files: Iterable[tuple[str, Numbers]]) -> None:
    """Begin anew, with these files; they are on disk when this returns. Raises OSError."""
    records.replace(path, _pieces(checkpoint, files, ()))


def add(path: Path, checkpoint: int | None, files: Iterable[tuple[str, Numbers]], gone: Iterable[str]) -> None:
    """Since then these are new, or look different, and those are gone. On disk when this returns.

    Raises OSError; afterwards nothing may be added, only begun anew.
    """
    with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), "ab") as file:
        file.writelines(_pieces(checkpoint, files, gone))
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, look: Callable[[int, int, int, int, int], _T]) -> tuple[int | None, dict[str, _T]] | None:
    """The checkpoint, and by name how its files look, as `look` makes it of the numbers. None if nothing whole was ever
    written."""
    try:
        with path.open("rb") as file:
            return _read(file, look)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _read(
    lines: Iterable[bytes], look: Callable[[int, int, int, int, int], _T]
) -> tuple[int | None, dict[str, _T]] | None:
    found: tuple[int | None, dict[str, _T]] | None = None
    files: dict[str, _T] = {}
    changed: dict[str, _T] = files
    gone: list[str] = []
    for line in lines:
        try:
            entry = json.loads(line)
            if isinstance(entry, list):
                changed[entry[0]] = look(*entry[1:])
            elif isinstance(entry, str):
                gone.append(entry)
            else:
                files |= changed
                for name in gone:
                    files.pop(name, None)
                found, changed, gone = (entry["checkpoint"], files), {}, []
        except (ValueError, TypeError, KeyError):  # cut short, and nothing was added since
            break
    return found


def _pieces(checkpoint: int | None, files: Iterable[tuple[str, Numbers]], gone: Iterable[str]) -> Iterator[bytes]:
    lines = chain(
        (f"[{quoted(name)},{','.join(map(str, numbers))}]\n" for name, numbers in files),
        (f"{quoted(name)}\n" for name in gone),
        (f"{json.dumps({'checkpoint': checkpoint})}\n",),
    )
    while piece := "".join(islice(lines, _LINES)):
        yield piece.encode()
