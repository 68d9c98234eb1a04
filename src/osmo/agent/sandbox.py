"""A task that was written for a machine of its own gets a `/tmp` and an `/osmo/data` of its own, by bubblewrap.

Its `/` is a folder of ours. What lies in the machine's `/` is seen there as it is, but for `/tmp` and `/osmo`; so what
the task writes to any of its own folders we find in ours, also when the task has ended.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from osmo.errors import OsmoError

PRIVATE = ("tmp", "osmo")
OUTPUT = "/osmo/data/output"
PROGRAM = "bwrap"
_DEEPER_THAN_THE_TOP = 2

# Bubblewrap stays beside the command and hands on its exit status. A signal to their group is the command's: so
# bubblewrap begins with signals ignored, and `launch` lets the command have them again.
_DEAF = 'trap "" TERM INT HUP; exec "$@"'


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a task sees instead of the machine's own folders.

    mounts: (seen, real): the task sees the folder `real` of this machine as `seen`; the first is its `/`. shared: the
    names in the machine's `/` that it sees as they are. read_only: as mounts, but the task cannot write there.
    """

    mounts: tuple[tuple[str, str], ...]
    shared: tuple[str, ...]
    read_only: tuple[tuple[str, str], ...] = ()

    @property
    def root(self) -> Path:
        """The folder that is its `/`."""
        return Path(self.mounts[0][1])

    def mount_of(self, path: str) -> tuple[str, str] | None:
        """The mount that the absolute `path` lies in; None if the task sees there what we see."""
        over = [mount for mount in (*self.mounts, *self.read_only) if is_in(path, mount[0])]
        deepest = max(over, key=lambda mount: len(mount[0]))
        if deepest is self.mounts[0] and first(path) in self.shared:
            return None
        return None if deepest[0] == deepest[1] else deepest

    def real(self, path: str) -> str:
        """Where the task's `path` is on this machine, no link followed."""
        mount = self.mount_of(path)
        return path if mount is None else os.path.normpath(os.path.join(mount[1], os.path.relpath(path, mount[0])))

    def prepare(self) -> None:
        """Make its folders. Raises OsmoError."""
        try:
            for name in PRIVATE:
                (self.root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            for _, real in self.mounts:
                Path(real).mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in self.shared:
                if os.path.islink(f"/{name}") and not os.path.lexists(self.root / name):
                    (self.root / name).symlink_to(os.readlink(f"/{name}"))
        except OSError as error:
            raise OsmoError(f"the sandbox in {self.root} cannot be made: {error.strerror}") from error

    def around(self, cwd: str, seen: Iterable[str]) -> tuple[str, ...]:
        """What to put before a command so that it runs inside. seen: paths of this machine that it needs to see."""
        return ("/bin/sh", "-c", _DEAF, "sh", *self.arguments(cwd, seen))

    def arguments(self, cwd: str, seen: Iterable[str]) -> tuple[str, ...]:
        """The same, where bubblewrap need not outlive a signal to its group."""
        return (PROGRAM, *self._binds(sorted({cwd, *seen}, key=len)), "--chdir", cwd, "--")

    def _binds(self, seen: Iterable[str]) -> Iterator[str]:
        yield from ("--bind", str(self.root), "/")
        for name in self.shared:
            if not os.path.islink(f"/{name}"):
                yield from ("--dev-bind-try", f"/{name}", f"/{name}")
        for place, real in self.mounts[1:]:
            yield from ("--bind", real, place)
        for place, real in self.read_only:
            yield from ("--ro-bind", real, place)
        for path in seen:
            if first(path) not in self.shared and len(Path(path).parts) > _DEEPER_THAN_THE_TOP:
                yield from ("--dev-bind-try", path, path)


def own_paths() -> tuple[str, ...]:
    """What a program of ours needs to see to run."""
    package = Path(__file__).resolve().parents[2]
    return tuple({sys.prefix, sys.base_prefix, str(package), os.path.dirname(os.path.realpath(sys.executable))})


def shared() -> tuple[str, ...]:
    """The names in this machine's `/` that a task in a sandbox sees as they are."""
    return tuple(sorted(set(os.listdir("/")) - set(PRIVATE)))


def first(path: str) -> str:
    """The first name of an absolute path."""
    return path.lstrip("/").partition("/")[0]


def is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
