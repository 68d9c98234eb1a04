"""Objects of a store into local files. A file appears whole, verified, or not at all."""

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from osmo.clock import Clock, SystemClock
from osmo.errors import StoreError, Unavailable
from osmo.store.ahead import RANGE, pieces
from osmo.store.base import Object, Store
from osmo.store.keys import check_key
from osmo.transfer.run import Done, Progress, Report, each
from osmo.transfer.upload import AT_ONCE, MIB

_RANGES = 16  # at once, of all files together: that and one more for each file is in memory
_MD5 = re.compile(r"[0-9a-f]{32}")
_PARTIAL = ".osmo-download."
_NO_LINKS = os.O_NOFOLLOW | os.O_CLOEXEC


def download(
    store: Store,
    objects: Iterable[Object],
    folder: Path,
    *,
    resume: bool = False,
    at_once: int = AT_ONCE,
    progress: Progress = lambda _path, _size: None,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> Report:
    """Fetch each object to the path beneath `folder` that its key says, with the time at which it was stored.

    What came before an end of the connection, or of the process, is gone on with, if the object is still the same one.
    Verified: the size; the digest, where the etag is one; that the object stayed the same meanwhile. resume: a file
    of the same size, and the same time or digest, is left as it is. progress: as for `upload`.
    """

    etags, large = _Etags(), _Large()

    def fetch(found: Object) -> Done:
        path = _path(folder, found.key, store.url)
        if resume and same(path, found):
            return Done(skipped=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.realpath(path.parent) != os.path.join(os.path.realpath(folder), os.path.dirname(found.key)).rstrip(
            "/"
        ):
            raise StoreError(f"{path}: it leads through a symbolic link")
        with large.one_more(found.size) as ranges:
            return Done(_fetch(store, found, path, progress, etags, ranges))

    def name(found: Object) -> str:
        return f"{store.url}/{found.key}"

    return each(objects, fetch, name, at_once=at_once, clock=clock or SystemClock(), stop=stop)


def same(path: Path, found: Object) -> bool:
    """Whether the file is what the object is: by size and time, else by size and digest."""
    try:
        looks = path.stat(follow_symlinks=False)
        if looks.st_size != found.size:
            return False
        if found.modified is not None and int(looks.st_mtime) == int(found.modified.timestamp()):
            return True
        return bool(_MD5.fullmatch(found.etag)) and _digest(path) == found.etag
    except OSError:
        return False


def _path(folder: Path, key: str, url: str) -> Path:
    """Nothing that a store holds leads out of the folder: no `..`, no absolute name."""
    return folder / check_key(key, url)


def _fetch(store: Store, found: Object, path: Path, progress: Progress, etags: "_Etags", ranges: int) -> int:
    mark = hashlib.sha256(f"{store.url}\0{found.key}\0{found.etag}\0{found.size}".encode()).hexdigest()[:16]
    part = path.with_name(f"{_PARTIAL}{mark}")
    moved = _complete(store, found, part, lambda _, size: progress(str(path), size), ranges)
    if not _verified(store, found, part, etags):
        part.unlink(missing_ok=True)
        progress(str(path), -found.size)
        raise Unavailable(f"{store.url}/{found.key}: what came is not what the store has")
    if found.modified is not None:
        os.utime(part, (found.modified.timestamp(),) * 2)
    try:
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    return moved


def _complete(store: Store, found: Object, part: Path, progress: Progress, ranges: int) -> int:
    """All of the object into `part`; what is there already stays. Returns how many bytes came."""
    with open(os.open(part, os.O_RDWR | os.O_CREAT | _NO_LINKS, 0o600), "r+b") as file:
        have = file.seek(0, os.SEEK_END)
        if have > found.size:
            have = 0
        file.seek(have)
        file.truncate()
        progress(str(part), have)
        try:
            moved = _write(pieces(store, found.key, found.size, have, ranges), file, part, progress)
        except BaseException:
            progress(str(part), -file.tell())
            if not file.tell():
                part.unlink(missing_ok=True)
            raise
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(file.fileno(), 0o666 & ~mask)
    return moved


def _write(received: Iterable[bytes], file: BinaryIO, part: Path, progress: Progress) -> int:
    moved = 0
    for piece in received:
        file.write(piece)
        moved += len(piece)
        progress(str(part), len(piece))
    return moved


class _Large:
    """How many files of more than one range are being fetched: the fewer, the more ranges of each at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    @contextlib.contextmanager
    def one_more(self, size: int) -> Iterator[int]:
        """Inside the block it is one of them. How many of its ranges may be fetched at once."""
        if size <= RANGE:
            yield 1
            return
        with self._lock:
            self._count += 1
            share = max(1, _RANGES // self._count)
        try:
            yield share
        finally:
            with self._lock:
                self._count -= 1


@dataclass(slots=True)
class _Etags:
    """Whether those of this store that look like digests are some: where KMS encrypts, they are not."""

    digests: bool = True


def _verified(store: Store, found: Object, part: Path, etags: _Etags) -> bool:
    if part.stat().st_size != found.size:
        return False
    if etags.digests and _MD5.fullmatch(found.etag):
        if (digest := _digest(part)) == found.etag:
            return True
        again = hashlib.md5(usedforsecurity=False)
        for data in store.stream(found.key, found.size):
            again.update(data)
        if again.hexdigest() != digest:
            return False
        etags.digests = False
    return store.head(found.key).etag == found.etag


def _digest(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)  # the etag's kind of digest
    with open(os.open(path, os.O_RDONLY | _NO_LINKS), "rb") as file:
        while data := file.read(MIB):
            digest.update(data)
    return digest.hexdigest()
