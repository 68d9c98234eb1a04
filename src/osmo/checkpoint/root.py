"""The folder or file that an entry names, on the machine that we run on.

It is what the user wrote, and may be a link to anywhere; but a task in a sandbox sees folders of its own in the place
of the machine's, and no link that it makes there leads us out of them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from osmo.checkpoint.descent import FOLDER, resolved


class Root(Protocol):
    """The path as the task sees it, and what lies there. The methods raise OSError."""

    path: str

    def stat(self) -> os.stat_result: ...

    def open(self, flags: int) -> int:
        """A descriptor of it."""

    @contextmanager
    def beside(self) -> Iterator[tuple[int, str]]:
        """The open folder that it really lies in, and its name there."""

    def paths(self) -> tuple[str, ...]:
        """The absolute paths that links beneath it may call it by."""


class Here:
    """A root that the task sees as we do."""

    def __init__(self, path: str) -> None:
        self.path = path

    def stat(self) -> os.stat_result:
        return os.stat(self.path)

    def open(self, flags: int) -> int:
        return os.open(self.path, flags)

    @contextmanager
    def beside(self) -> Iterator[tuple[int, str]]:
        folder, name = os.path.split(os.path.realpath(self.path))
        descriptor = os.open(folder, FOLDER)
        try:
            yield descriptor, name
        finally:
            os.close(descriptor)

    def paths(self) -> tuple[str, ...]:
        return (self.path, os.path.realpath(self.path))


class Within:
    """A root in a folder of this machine, `real`, that the task sees as `seen`. Nothing outside of it is reached."""

    def __init__(self, path: str, seen: str, real: str) -> None:
        self.path = path
        self._seen = seen
        self._real = real
        self._name = os.path.relpath(path, seen)

    def stat(self) -> os.stat_result:
        with self._resolved() as (_, _, found):
            return found

    def open(self, flags: int) -> int:
        with self._resolved() as (folder, name, _):
            return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)

    @contextmanager
    def beside(self) -> Iterator[tuple[int, str]]:
        with self._resolved() as (folder, name, _):
            yield folder, name

    def paths(self) -> tuple[str, ...]:
        return (self.path,)

    @contextmanager
    def _resolved(self) -> Iterator[tuple[int, str, os.stat_result]]:
        with resolved(os.open(self._real, FOLDER | os.O_NOFOLLOW), lambda: (self._seen,), self._name) as found:
            yield found


def root_of(path: str, seen: str, real: str) -> Root:
    """seen, real: as an entry says them; both are empty if the task sees what we see."""
    return Within(path, seen, real) if real else Here(path)
