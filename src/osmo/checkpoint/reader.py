"""One pass over what is stored of an open file, hashed on the way."""

import os
from collections.abc import Callable, Iterator

from blake3 import blake3

from osmo.checkpoint import pagecache
from osmo.checkpoint.blocks import Blocks, Gathering
from osmo.checkpoint.tree import Stat
from osmo.errors import FileMoved, OpenForWriting


class Reader:
    """The first `size` bytes of an open file, of which nobody asks whether it moves.

    stat: what the record says of the file's mode and times. torn: it was written meanwhile and taken all the same.
    `digest` and `size` are true once `parts` has come to its end. live: see `osmo.checkpoint.live`. unsure: somebody
    has it open for writing, and is trusted not to write just now. gathers: `blocks` are wanted.
    """

    live = False
    unsure = False

    def __init__(self, descriptor: int, name: str, stat: Stat, size: int) -> None:
        self.descriptor = descriptor
        self.name = name
        self.stat = stat
        self.size = size
        self.torn = False
        self.gathers = False
        self._hasher = blake3()
        self._gathered: Gathering | None = None

    @property
    def is_known(self) -> bool:
        """Nothing of it has to be read: it is what is stored already."""
        return False

    @property
    def looks(self) -> Stat:
        """How the file looks as long as nothing has to be stored of it again."""
        return self.stat

    @property
    def digest(self) -> str:
        return self._hasher.hexdigest()

    @property
    def blocks(self) -> Blocks | None:
        """Of the content that `parts` went through; None if it did not, if they are not wanted, or if it is torn."""
        if self._gathered is None or self.torn:
            return None
        return Blocks(self.size, self.digest, self._gathered.all())

    def read_through(self, part_size: int, reached: Callable[[str, int], None]) -> None:
        """All of it, for what is known afterwards. reached: told what it is that goes on, and how many bytes of it are
        done. Raises as `parts`."""
        done = 0
        for part in self.parts(part_size):
            if done:  # a large file: whoever waits for the last checkpoint should see that it goes on
                reached(f"digest of {self.name}", done)
            done += len(part)

    def piece(self, start: int, length: int) -> bytes:
        """`length` bytes of what `parts` went through. Raises FileMoved if they are not there any more."""
        data = self._read(start, length)
        self._check()
        if len(data) < length:
            self._short(start + len(data))
        return data

    def settled(self) -> None:
        """After the last piece, while the upload is not complete. Raises FileMoved."""
        self._end()

    def parts(self, part_size: int) -> Iterator[bytes]:
        """Parts of exactly `part_size` bytes, the last one shorter, from the beginning. May be called again.

        Raises FileMoved when the bytes turn out not to be what they should, for the last time after the last part.
        """
        self._hasher, self.torn, done = blake3(), False, 0
        self._gathered, gathering = None, Gathering() if self.gathers else None
        self._begin()
        cold = pagecache.is_cold(self.descriptor, self.size)
        while done < self.size:
            part = self._read(done, min(part_size, self.size - done))
            if cold:
                pagecache.drop(self.descriptor, done, len(part))
            self._check()
            self._hash(part, done)
            if gathering is not None:
                gathering.update(part)
            done += len(part)
            if part:
                yield part
            if done < self.size and len(part) < part_size:
                self._short(done)
        self._end()
        self._gathered = gathering

    def _read(self, at: int, count: int) -> bytes:
        """`count` bytes, fewer only at the end of the file."""
        data = os.pread(self.descriptor, count, at)
        if len(data) == count or not data:
            return data
        pieces, got = [data], len(data)
        while got < count and (data := os.pread(self.descriptor, count - got, at + got)):
            pieces.append(data)
            got += len(data)
        return b"".join(pieces)

    def _short(self, done: int) -> None:
        """The file ends after `done` bytes."""
        raise FileMoved(f"{self.name} was cut to {done} bytes while it was read")

    def _begin(self) -> None:
        """Before the first byte is read."""

    def _hash(self, part: bytes, _done: int) -> None:
        self._hasher.update(part)

    def _check(self) -> None:
        """After every part."""

    def _end(self) -> None:
        """After the last byte, while the upload is not complete."""


class Whole(Reader):
    """A file at rest: whoever touches its content ends the pass.

    That its name goes to another file, or away, or it gets one more, is no matter: this is the file that was found.
    written: whether somebody could be writing it just now, which its stat need not tell. tolerant: there is no later,
    so what is there is taken, and called torn.
    """

    def __init__(
        self, descriptor: int, name: str, stat: Stat, written: Callable[[], bool], *, tolerant: bool = False
    ) -> None:
        super().__init__(descriptor, name, stat, stat.size)
        self._expected = stat
        self._names = os.fstat(descriptor).st_nlink
        self._written = written
        self._tolerant = tolerant

    def _begin(self) -> None:
        self._check()
        self._ask()

    def _check(self) -> None:
        found = os.fstat(self.descriptor)
        now = Stat.of(found)
        if found.st_nlink != self._names:  # that sets the time of change; nothing else may have set it
            self._expected, self._names = self._expected.but(ctime_ns=now.ctime_ns), found.st_nlink
        if now != self._expected:
            self._tear("changed while it was read")

    def _ask(self) -> None:
        if self._written():
            self._tear("is open for writing", OpenForWriting)

    def _end(self) -> None:
        self._check()
        self._ask()

    def _short(self, done: int) -> None:
        self._tear("was cut while it was read")
        self.size = done

    def _tear(self, how: str, error: type[FileMoved] = FileMoved) -> None:
        if not self._tolerant:
            raise error(f"{self.name} {how}")
        self.torn = True
