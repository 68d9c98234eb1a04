"""Objects of a store into local files. A file appears whole, verified, or not at all."""

import hashlib
import os
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from osmo.clock import Clock, SystemClock
from osmo.errors import NoRanges, StoreError, Unavailable
from osmo.store.base import Object, Store
from osmo.store.keys import check_key
from osmo.transfer.run import Done, Progress, Report, each
from osmo.transfer.upload import AT_ONCE, MIB

_PIECE = 8 * MIB
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

    etags = _Etags()

    def fetch(found: Object) -> Done:
        path = _path(folder, found.key, store.url)
        if resume and same(path, found):
            return Done(skipped=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.realpath(path.parent) != os.path.join(os.path.realpath(folder), os.path.dirname(found.key)).rstrip(
            "/"
        ):
            raise StoreError(f"{path}: it leads through a symbolic link")
        return Done(_fetch(store, found, path, progress, etags))

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


def _fetch(store: Store, found: Object, path: Path, progress: Progress, etags: "_Etags") -> int:
    mark = hashlib.sha256(f"{store.url}\0{found.key}\0{found.etag}\0{found.size}".encode()).hexdigest()[:16]
    part = path.with_name(f"{_PARTIAL}{mark}")
    moved = _complete(store, found, part, lambda _, size: progress(str(path), size))
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


def _complete(store: Store, found: Object, part: Path, progress: Progress) -> int:
    """All of the object into `part`; what is there already stays. Returns how many bytes came."""
    with open(os.open(part, os.O_RDWR | os.O_CREAT | _NO_LINKS, 0o600), "r+b") as file:
        have = file.seek(0, os.SEEK_END)
        if have > found.size:
            have = 0
        file.seek(have)
        file.truncate()
        progress(str(part), have)
        try:
            moved = _write(store, found, file, have, part, progress)
        except BaseException:
            progress(str(part), -file.tell())
            if not file.tell():
                part.unlink(missing_ok=True)
            raise
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(file.fileno(), 0o666 & ~mask)
    return moved


def _write(store: Store, found: Object, file: BinaryIO, have: int, part: Path, progress: Progress) -> int:
    moved = 0
    for piece in _pieces(store, found, have):
        file.write(piece)
        moved += len(piece)
        progress(str(part), len(piece))
    return moved


def _pieces(store: Store, found: Object, start: int) -> Iterator[bytes]:
    if start == 0 and found.size <= _PIECE:
        yield store.get(found.key)
        return
    try:
        for offset in range(start, found.size, _PIECE):
            yield store.get_range(found.key, offset, min(_PIECE, found.size - offset))
    except NoRanges:  # said of the first one
        position = 0
        for data in store.stream(found.key, found.size):
            if position + len(data) > start:
                yield data[max(0, start - position) :]
            position += len(data)


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
