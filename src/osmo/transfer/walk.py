"""The files beneath a local path."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from osmo.transfer.names import OWN, Takes, base_of


@dataclass(frozen=True, slots=True)
class Source:
    """A local file and the key it is to have. problem: why it cannot be sent; then nothing else is said of it."""

    path: Path
    key: str
    size: int = 0
    problem: str = ""


def walk(written: str, takes: Takes, *, both: bool = True) -> Iterator[Source]:
    """The files of a path as it was typed, in the order of their names. One that cannot be read costs no other.

    A link to a file is that file, one to a folder is left out, as are pipes and sockets. both: a regex may match with
    or without the folder's own name; a single file is always taken, as OSMO does.
    """
    root, base = base_of(written)
    try:
        looks = root.stat()
    except OSError as error:
        yield Source(root, base, problem=error.strerror or "cannot be read")
        return
    if S_ISREG(looks.st_mode):
        yield Source(root, root.name, looks.st_size)
    elif S_ISDIR(looks.st_mode):
        for source in _beneath(root, base):
            rel = source.key.removeprefix(f"{base}/") if base else source.key
            if source.problem or takes(source.key) or (both and takes(rel)):
                yield source
    else:
        yield Source(root, base, problem="is neither a file nor a folder")


def _beneath(folder: Path, key: str) -> Iterator[Source]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield Source(folder, key, problem=error.strerror or "cannot be read")
        return
    for entry in found:
        path, name = Path(entry.path), f"{key}/{entry.name}" if key else entry.name
        if entry.is_dir(follow_symlinks=False):
            if entry.name != OWN:
                yield from _beneath(path, name)
            continue
        try:
            looks = entry.stat()
        except OSError as error:
            yield Source(path, name, problem=error.strerror or "cannot be read")
            continue
        if S_ISREG(looks.st_mode):
            yield Source(path, name, looks.st_size)
