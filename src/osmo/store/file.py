"""A directory as a store: every file appears whole, and stays after a power cut.

Not obstore's: that one does no fsync and refuses names such as `ckpt#1`.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from osmo.clock import SystemClock
from osmo.errors import NoCopy, NotFound, StoreError, Unavailable
from osmo.store.answers import our_file_errors
from osmo.store.base import Object, Range, Splicing, Unfinished
from osmo.store.keys import check_key, under
from osmo.store.parts import sending
from osmo.store.url import StoreUrl

# A listing never shows a name like this, and no key may have it.
_TEMPORARY = ".osmo-part."
_PIECE = 4 * 1024 * 1024
_SHARED = 1 << 30
_ABANDONED_S = 86_400.0
# What reading says of a key that is no file: as in a bucket, there is nothing of that key.
_NOTHING = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class FileStore:
    """`file:///path`. See `Store`, and:

    Directories are made when something is written into them, so a path that is missing is an empty store. A write
    goes to a temporary name beside its own, is flushed to the disk, then renamed; a temporary that a killed process
    left behind does no harm, is never shown, and is removed by a listing a day later. `put_new` makes a hard link,
    which fails if the name is taken. Where the file system has no hard links, the name is made with O_EXCL and then
    renamed over: between the two a reader sees it empty. A listing shows regular files and follows no symbolic link;
    no key leads through one. The etag means "these bytes": inode, time of the last write, size.
    """

    def __init__(self, url: StoreUrl) -> None:
        self._url = url
        self._root = Path(url.path)

    @property
    def url(self) -> str:
        return self._url.text

    def put(self, key: str, body: bytes) -> str:
        return self.put_parts(key, (body,), part_size=len(body), concurrency=1)

    def put_new(self, key: str, body: bytes) -> str:
        with self._errors(key):
            path = self._path(key)
            with _temporary(path.parent) as (part, file):
                file.write(body)
                etag = _settle(file)
                _name_new(part, path)
                _flush_directory(path.parent)
        return etag

    def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:  # noqa: ARG002
        """See `Store`. Parts are written one after the other, whatever `concurrency`."""
        with sending(parts) as sent, self._errors(key):
            path = self._path(key)
            with _temporary(path.parent) as (part, file):
                for body in sent:
                    file.write(body)
                etag = _settle(file)
                part.replace(path)
                _flush_directory(path.parent)
        return etag

    def get(self, key: str) -> bytes:
        with self._errors(key), self._opened(key) as descriptor, open(descriptor, "rb", closefd=False) as file:
            return file.read()

    def get_range(self, key: str, start: int, length: int) -> bytes:
        with self._errors(key), self._opened(key) as descriptor, open(descriptor, "rb", closefd=False) as file:
            file.seek(start)
            return file.read(length)

    def stream(self, key: str, size: int) -> Iterator[bytes]:  # noqa: ARG002
        with self._errors(key), self._opened(key) as descriptor, open(descriptor, "rb", closefd=False) as file:
            while piece := file.read(_PIECE):
                yield piece

    def head(self, key: str) -> Object:
        with self._errors(key), self._opened(key) as descriptor:
            return _object(key, os.fstat(descriptor))

    def list(self, prefix: str) -> Iterator[Object]:
        """See `Store`. Reads one directory at a time, when the iteration comes to it."""
        return self._list(under(prefix, self.url))

    def _list(self, folder: str) -> Iterator[Object]:
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            for entry in self._entries(here, may_be_missing=here == folder):
                key = f"{here}/{entry.name}" if here else entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(key)
                elif (found := self._object(key, entry)) is not None:
                    yield found

    def folders(self, prefix: str) -> tuple[str, ...]:
        """See `Store`. A directory without a file in it is none."""
        folder = under(prefix, self.url)
        within = f"{folder}/" if folder else ""
        names = [entry.name for entry in self._entries(folder, may_be_missing=True) if _leads_on(entry)]
        return tuple(sorted(name for name in names if any(True for _ in self._list(f"{within}{name}"))))

    def copy(self, source: str, key: str, size: int) -> None:  # noqa: ARG002
        """See `Store`. Bytes of its own, never a hard link: who edits the one file in place must not change the other.

        Where the file system can share them until one is changed (btrfs, XFS), it does.
        """
        with self._errors(source), self._opened(source) as descriptor, self._errors(key):
            before = _etag(os.fstat(descriptor))
            path = self._path(key)
            with _temporary(path.parent) as (part, file):
                _copy(descriptor, file)
                if _etag(os.fstat(descriptor)) != before:
                    raise Unavailable(f"{self.url}/{source}: somebody wrote to it while it was copied")
                _settle(file)
                part.replace(path)
                _flush_directory(path.parent)

    def splices(self) -> Splicing | None:
        """Never: what a disk would copy, it may as well write."""
        return None

    def splice(self, key: str, source: Object, parts: Iterable[bytes | Range], *, concurrency: int) -> str:  # noqa: ARG002
        raise NoCopy(f"{self.url}/{key}: files are written whole")

    def delete(self, key: str) -> None:
        # No fsync: a file that comes back after a power cut is one that somebody removes again.
        with self._errors(key):
            path = self._path(key)
            try:
                path.unlink()
            except OSError as error:
                if error.errno not in _NOTHING and not path.is_dir():
                    raise

    def excludes(self) -> bool:
        return True

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:  # noqa: ARG002
        """None: temporary files are removed by listings."""
        return iter(())

    def abort(self, upload: Unfinished) -> None:
        """Nothing to do: there are none."""

    def _path(self, key: str) -> Path:
        check_key(key, self.url)
        if any(segment.startswith(_TEMPORARY) for segment in key.split("/")):
            raise StoreError(f"{self.url}: the key {key!r} cannot be stored: such names are for temporary files")
        path = self._root / key
        folder = os.path.realpath(self._root)
        if os.path.realpath(path.parent) != os.path.normpath(os.path.join(folder, os.path.dirname(key))):
            raise StoreError(f"{self.url}/{key}: it leads through a symbolic link")
        return path

    @contextlib.contextmanager
    def _opened(self, key: str) -> Iterator[int]:
        """A descriptor of a key's file; `NotFound` if there is no regular file of that name."""
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in _NOTHING:
                raise NotFound(f"{self.url}/{key}: there is no such file") from error
            raise
        try:
            if not S_ISREG(os.fstat(descriptor).st_mode):
                raise NotFound(f"{self.url}/{key}: it is not a file")
            yield descriptor
        finally:
            os.close(descriptor)

    def _entries(self, folder: str, *, may_be_missing: bool) -> Sequence[os.DirEntry[str]]:
        """What a directory holds. One that is missing holds nothing; so does a prefix that is a file."""
        with self._errors(folder):
            try:
                with os.scandir(self._root / folder) as entries:
                    return tuple(entries)
            except NotADirectoryError:
                if folder and may_be_missing:
                    return ()
                raise
            except FileNotFoundError:
                return ()  # never made, or removed since its parent was read

    def _object(self, key: str, entry: os.DirEntry[str]) -> Object | None:
        """A file as an object. None for what is no object: a link, a pipe, a temporary, a name that is no key."""
        if entry.name.startswith(_TEMPORARY):
            _sweep(entry)
            return None
        if not entry.is_file(follow_symlinks=False):
            return None
        try:
            return _object(check_key(key, self.url), entry.stat(follow_symlinks=False))
        except (FileNotFoundError, StoreError):
            return None

    def _errors(self, key: str) -> contextlib.AbstractContextManager[None]:
        return our_file_errors(f"{self.url}{'/' if key else ''}{key}")


def _sweep(entry: os.DirEntry[str]) -> None:
    """Remove what a killed process left behind, once nobody can be writing it any more."""
    with contextlib.suppress(OSError):
        age_s = SystemClock().now().timestamp() - entry.stat(follow_symlinks=False).st_mtime
        if age_s > _ABANDONED_S:
            os.unlink(entry.path)


def _leads_on(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and not entry.name.startswith(_TEMPORARY)


def _object(key: str, found: os.stat_result) -> Object:
    return Object(key, found.st_size, _etag(found), datetime.fromtimestamp(found.st_mtime, UTC))


def _etag(found: os.stat_result) -> str:
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file in `folder`, which is made if it is missing. It is gone after the block, unless it was renamed."""
    _make_directories(folder)
    part = folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
    try:
        with part.open("xb") as file:
            yield part, file
    finally:
        part.unlink(missing_ok=True)


def _copy(source: int, file: BinaryIO) -> None:
    """All bytes of an open file into another, through the kernel where that is possible."""
    with contextlib.suppress(AttributeError, OSError):  # not Linux; two file systems; one that cannot
        while os.copy_file_range(source, file.fileno(), _SHARED):
            pass
    # Both stand where the kernel left off: at the end, or at the start if it would not.
    while piece := os.read(source, _PIECE):
        file.write(piece)


def _settle(file: BinaryIO) -> str:
    """Everything is on the disk once this returns. The file's etag."""
    file.flush()
    os.fsync(file.fileno())
    return _etag(os.fstat(file.fileno()))


def _name_new(part: Path, path: Path) -> None:
    try:
        os.link(part, path, follow_symlinks=False)
    except FileExistsError as error:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from error
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        part.replace(path)


def _make_directories(folder: Path) -> None:
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        _flush_directory(each.parent)


def _flush_directory(folder: Path) -> None:
    """A name is as durable as its directory."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)
