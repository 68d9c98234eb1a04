"""A store in memory that behaves like S3 with create-only. For tests that want to see what is stored."""

import hashlib
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from osmo.errors import AlreadyExists, NotFound
from osmo.store.base import Object, Range, Splicing, Unfinished
from osmo.store.keys import check_key, under


class MemoryStore:
    """See `osmo.store.base.Store`. `objects` is what is in it, by key. Safe to use from many threads.

    create_only: False makes it a server that ignores If-None-Match. now: the server's clock. splicing: as `splices`
    says.
    """

    def __init__(self, url: str = "memory://test", *, create_only: bool = True) -> None:
        self._url = url
        self._lock = threading.Lock()
        self.create_only = create_only
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.objects: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.modified: dict[str, datetime] = {}
        self.uploads: list[Unfinished] = []
        self.splicing: Splicing | None = Splicing.ANY

    @property
    def url(self) -> str:
        return self._url

    def put(self, key: str, body: bytes) -> str:
        return self._store(key, bytes(body), _md5(body), new=False)

    def put_new(self, key: str, body: bytes) -> str:
        return self._store(key, bytes(body), _md5(body), new=True)

    def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:
        check_key(key, self._url)
        bodies = [bytes(part) for part in parts]
        if any(len(body) != part_size for body in bodies[:-1]) or any(len(body) > part_size for body in bodies):
            raise AssertionError(f"{key}: parts of {[len(body) for body in bodies]} bytes, not of {part_size}")
        etag = f"{_md5(b''.join(map(str.encode, map(_md5, bodies))))}-{max(1, len(bodies))}"
        return self._store(key, b"".join(bodies), etag, new=False)

    def get(self, key: str) -> bytes:
        with self._lock:
            return self.objects[self._known(key)]

    def get_range(self, key: str, start: int, length: int) -> bytes:
        return self.get(key)[start : start + length]

    def stream(self, key: str, size: int) -> Iterator[bytes]:
        body = self.get(key)
        yield from (body[start : start + 1000] for start in range(0, len(body), 1000))

    def head(self, key: str) -> Object:
        with self._lock:
            return self._object(self._known(key))

    def list(self, prefix: str) -> Iterator[Object]:
        folder = under(prefix, self._url)
        start = f"{folder}/" if folder else ""
        with self._lock:
            found = [self._object(key) for key in sorted(self.objects) if key.startswith(start)]
        yield from found

    def folders(self, prefix: str) -> tuple[str, ...]:
        folder = under(prefix, self._url)
        start = f"{folder}/" if folder else ""
        with self._lock:
            rests = [key[len(start) :] for key in self.objects if key.startswith(start)]
        return tuple(sorted({rest.partition("/")[0] for rest in rests if "/" in rest}))

    def copy(self, source: str, key: str, size: int) -> None:
        check_key(key, self._url)
        with self._lock:
            self.objects[key] = self.objects[self._known(source)]
            self.etags[key], self.modified[key] = self.etags[source], self.now

    def splices(self) -> Splicing | None:
        return self.splicing

    def splice(self, key: str, source: Object, parts: Iterable[bytes | Range], *, concurrency: int) -> str:
        check_key(key, self._url)
        bodies: list[bytes] = []
        for part in parts:
            body = part if isinstance(part, bytes) else self._range(source, part)
            assert not isinstance(part, Range) or part.start == sum(map(len, bodies))
            bodies.append(body)
        etag = f"{_md5(b''.join(map(str.encode, map(_md5, bodies))))}-{len(bodies)}"
        return self._store(key, b"".join(bodies), etag, new=False)

    def _range(self, source: Object, part: Range) -> bytes:
        with self._lock:
            if self._object(self._known(source.key)) != source:
                raise NotFound(f"{self._url}/{source.key}: 412 PreconditionFailed")
            return self.objects[source.key][part.start : part.start + part.length]

    def delete(self, key: str) -> None:
        check_key(key, self._url)
        with self._lock:
            self.objects.pop(key, None)
            self.etags.pop(key, None)
            self.modified.pop(key, None)

    def excludes(self) -> bool:
        return self.create_only

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        folder = under(prefix, self._url)
        yield from [each for each in self.uploads if not folder or each.key.startswith(f"{folder}/")]

    def abort(self, upload: Unfinished) -> None:
        self.uploads.remove(upload)

    def _store(self, key: str, body: bytes, etag: str, *, new: bool) -> str:
        check_key(key, self._url)
        with self._lock:
            if new and self.create_only and key in self.objects:
                raise AlreadyExists(f"{self._url}/{key}: 412 PreconditionFailed")
            self.objects[key], self.etags[key], self.modified[key] = body, etag, self.now
        return etag

    def _known(self, key: str) -> str:
        if check_key(key, self._url) not in self.objects:
            raise NotFound(f"{self._url}/{key}: 404 NoSuchKey")
        return key

    def _object(self, key: str) -> Object:
        return Object(key, len(self.objects[key]), self.etags[key], self.modified[key])


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
