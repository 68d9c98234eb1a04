"""The secrets that tests plant, and where they must not be found: in any file that others may read, in any file that is
not meant to hold them, in what commands print, in the arguments of processes."""

import mmap
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

SECRET = "pl4nted-s3cret"
WRONG = "pl4nted-wr0ng"
# What is looked for: the beginning of every secret that a test makes up, and of the one that Azurite has.
MARKS = (b"pl4nted-", b"hunter2", b"Eby8vdM02xNOcqFlqUwJ")
# Whose purpose is to hold them: the environment of a run, the file of credentials, and what tests give to a command.
MAY_HOLD = {
    *("environment.json", "config.yaml", "credentials", "config", "application_default_credentials.json"),
    *("secret", "key.json", "dotfiles.yaml", "helper", "proxy.conf"),
}
_EVERY_S = 0.5
_LARGEST = 64 << 20  # nobody writes a log of that size here; a disk of a test may be a sparse terabyte


def keep_secret(path: Path, text: str) -> None:
    """Write a file as a careful person has it: nobody else may read it, from its first byte on."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


def shown(text: str) -> bool:
    """Whether a secret is in what was printed."""
    return any(mark in os.fsencode(text) for mark in MARKS)


def leaks(root: Path) -> list[str]:
    """A line for each file beneath a directory that has a secret and must not, and why."""
    return sorted(f"{path}: {why}" for path in _files(root) if (why := _leak(path)))


def _leak(path: Path) -> str:
    if shown(str(path)):
        return "in its name"
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or not 0 < found.st_size <= _LARGEST or not _holds(path):
            return ""
    except OSError:
        return ""  # gone by now, or of a file system that a test took away
    if found.st_mode & 0o077:
        return f"others may read it (mode {stat.S_IMODE(found.st_mode):o})"
    return "" if path.name in MAY_HOLD else "it is not meant to hold secrets"


def _holds(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(mark) >= 0 for mark in MARKS)


def _files(root: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(root):
        for name in names:
            yield Path(directory, name)


class Watch:
    """Looks at the arguments of all processes that work in a directory, twice a second: what `ps` shows of them."""

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)
        self._found: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch for secrets", daemon=True)
        self._thread.start()

    def end(self) -> list[str]:
        """A line for each kind of process that showed a secret."""
        self._over.set()
        self._thread.join()
        return sorted(self._found)

    def _run(self) -> None:
        while not self._over.wait(_EVERY_S):
            for arguments, environ in processes():
                if any(mark in each for mark in MARKS for each in arguments) and self._root in environ:
                    self._found.add(f"ps: {os.fsdecode(b' '.join(_hidden(arguments)))}")


def processes() -> Iterator[tuple[list[bytes], bytes]]:
    """The arguments and the environment of all of them that may be seen. None where there is no /proc."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield (process / "cmdline").read_bytes().split(b"\0"), (process / "environ").read_bytes()
        except OSError:
            continue  # it has ended, or is another user's


def _hidden(arguments: Iterable[bytes]) -> Iterator[bytes]:
    for argument in arguments:
        yield b"***" if any(mark in argument for mark in MARKS) else argument
