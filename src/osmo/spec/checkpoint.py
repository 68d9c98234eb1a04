"""One entry of a task's `checkpoint:` list, as everything below the spec sees it: plain values, nothing to parse."""

import os
import posixpath
import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Final, Literal

_LONGEST: Final = 128  # bytes of a stream's second half: a task's name (63), and a suffix, must fit beside it into 255


@dataclass(frozen=True, slots=True)
class CheckpointEntry:
    """What to checkpoint, where to, and how often.

    path: absolute; a directory, a file, or `dir/*` (the contents of dir). Tokens, `~` and `$VAR` are resolved.
    url: a store URL without a trailing slash.
    frequency_s: seconds between the end of one checkpoint and the beginning of the next.
    regex: a Python regular expression, or empty for every file.
    keep: how many committed checkpoints stay restorable.
    restore: whether the newest one is brought back before the command starts: `retry` (in every attempt but the first),
    True or False.
    shared: another task of the run has files at the same keys, or may have.
    seen, real: what the task sees as the folder `seen` is the folder `real` on this machine, and no link there leads
    out of it (a sandbox's); both empty if the task sees what we see.
    """

    path: str
    url: str
    frequency_s: float
    regex: str = ""
    keep: int = 1
    restore: Literal["retry"] | bool = "retry"
    shared: bool = False
    seen: str = ""
    real: str = ""

    def meets(self, other: "CheckpointEntry") -> bool:
        """Whether files of both may have the same key."""
        return self.url == other.url and (self.prefix == other.prefix or self.contents_only or other.contents_only)

    @property
    def contents_only(self) -> bool:
        """`dir/*`: the keys do not begin with the directory's name."""
        return self.path.endswith("/*")

    @property
    def root(self) -> str:
        """The directory or file itself, without the `/*`."""
        return self.path.removesuffix("/*") or "/"

    @property
    def local(self) -> str:
        """`root` as this machine has it."""
        return (
            posixpath.normpath(posixpath.join(self.real, posixpath.relpath(self.root, self.seen)))
            if self.real
            else self.root
        )

    @property
    def basename(self) -> str:
        """The name that was written, not a link's target."""
        return PurePosixPath(self.root).name

    @property
    def prefix(self) -> str:
        """What every key begins with: `ckpt/` for `/a/ckpt`, nothing for `/a/ckpt/*`."""
        return "" if self.contents_only else f"{self.basename}/"

    @property
    def stream(self) -> str:
        """The second half of the stream's name, `<task>.<basename>`, short enough for a folder's name in a store."""
        if self.contents_only:
            return "_"
        name = os.fsencode(self.basename)
        if len(name) <= _LONGEST:
            return self.basename
        head = name[: _LONGEST - 9].decode(errors="ignore")
        return f"{head}~{blake2b(name, digest_size=4).hexdigest()}"


class Matcher:
    """Which files an entry's regex takes.

    `re.match` on `<basename>/<rel>`, as OSMO does, and on `<rel>`, as people expect: either may match. A regex with a
    negative look-around is there to exclude, so for it OSMO's form alone decides. A single file is always taken: the
    caller does not ask.
    """

    def __init__(self, regex: str, basename: str) -> None:
        self._pattern = re.compile(regex) if regex else None
        self._basename = basename
        self._excludes = "(?!" in regex or "(?<!" in regex

    def __call__(self, relative: str) -> bool:
        if self._pattern is None:
            return True
        if self._pattern.match(f"{self._basename}/{relative}"):
            return True
        return not self._excludes and self._pattern.match(relative) is not None
