"""Small file systems that can be full, and small control groups that can be out of memory. Both need root."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_V1, _V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


def missing(what: str) -> None:
    """Skip by name what this machine cannot do; in CI, where root could, fail."""
    if os.environ.get("CI") == "true" and os.geteuid() == 0:
        pytest.fail(what)
    pytest.skip(what)


@contextlib.contextmanager
def small_disk(place: Path, size: int, files: int = 10_000) -> Iterator[Path]:
    """A file system of `size` bytes at `place`, with room for so many files."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={files},mode=700", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        missing("no small file systems here: mounting one needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all that is left of a file system. The file that does so."""
    filler = place / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass
    return filler


def crowd(place: Path) -> Path:
    """Make empty files until a file system has room for no other. The folder that they are in."""
    folder = place / "crowd"
    folder.mkdir()
    with contextlib.suppress(OSError):
        for number in range(1_000_000):
            (folder / str(number)).touch()
    return folder


@contextlib.contextmanager
def small_memory(name: str, size: int) -> Iterator[Callable[[list[str]], list[str]]]:
    """Makes a command one that runs in a control group of `size` bytes, with all that it starts."""
    group = (_V1 if (_V1 / "cgroup.procs").exists() else _V2) / f"{name}-{os.getpid()}"
    limit = "memory.limit_in_bytes" if group.parent == _V1 else "memory.max"
    try:
        group.mkdir()
        (group / limit).write_text(str(size))
        (group / "cgroup.procs").read_text()
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        missing("no control groups for memory here")
    for swap in ("memory.swap.max", "memory.memsw.limit_in_bytes"):
        with contextlib.suppress(OSError):
            (group / swap).write_text("0" if swap == "memory.swap.max" else str(size))
    try:
        yield lambda command: ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "in", *command]
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """The processes in it end with the test that started them, or just after."""
    for _ in range(100):
        try:
            return group.rmdir()
        except OSError:
            time.sleep(0.05)
    return None
