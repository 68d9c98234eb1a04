"""Buckets and containers through obstore."""

import contextlib
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import obstore

from osmo.errors import (
    AccessDenied,
    NoBucket,
    NoCondition,
    NoCopy,
    NoCredentials,
    NoRanges,
    NotFound,
    StoreError,
    Unavailable,
    UnknownHost,
)
from osmo.store.answers import Asked
from osmo.store.asking import Asking
from osmo.store.base import Object, Range, Splicing, Unfinished
from osmo.store.boto import Unloadable
from osmo.store.clients import Purpose
from osmo.store.condition import KNOWN, Condition
from osmo.store.keys import under
from osmo.store.notes import Fact
from osmo.store.parts import sending
from osmo.store.splice import put_together
from osmo.store.trust import TRUST

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

_PAGE = 1000
_PIECE = 4 * 1024 * 1024
_WHOLE = 60 * 250_000  # what a `get` with the shortest timeout can carry
_COPIED_FASTER = 20  # a server copies at no less than 5 MB/s, or hangs
LARGEST_COPY = 5 * 1024**3  # S3's limit of one request
COPY_PART = 512 * 1024**2


class ObsStore(Asking):
    """A bucket, or what lies beneath a prefix of it. See `Store`, and:

    An etag has no quotes, so that the one of `put` equals the one of `list` everywhere. After an `AccessDenied` the
    credentials are looked for anew. `head` says `NotFound` of a missing bucket, too: the answer has no body. A 409 is
    `Unavailable`, on `put_new` as well: two requests met, and only a read can tell which one is there now.
    """

    def put(self, key: str, body: bytes) -> str:
        result = self._ask(
            lambda client: obstore.put(client, key, body, use_multipart=False),
            Purpose.WRITE,
            len(body),
            key,
            Asked.WRITE,
        )
        return _bare(result["e_tag"])

    def put_new(self, key: str, body: bytes) -> str:
        if KNOWN.known(self._bucket) is Condition.REFUSED:
            return self.put(key, body)
        try:
            return self.put_if_none(key, body)
        except NoCondition:
            if self._condition() is not Condition.REFUSED:
                raise
            return self.put(key, body)

    def put_if_none(self, key: str, body: bytes) -> str:
        """Write one object with `If-None-Match: *`. `NoCondition` if the server refuses that."""
        result = self._ask(
            lambda client: obstore.put(client, key, body, mode="create"), Purpose.WRITE, len(body), key, Asked.CREATE
        )
        return _bare(result["e_tag"])

    def put_parts(self, key: str, parts: Iterable[bytes], *, part_size: int, concurrency: int) -> str:
        """See `Store`. At most `concurrency` + 1 parts are in memory: obstore asks for the next one early."""
        with sending(parts) as sent:
            result = self._ask(
                lambda client: obstore.put(
                    client, key, sent, use_multipart=True, chunk_size=part_size, max_concurrency=concurrency
                ),
                Purpose.PARTS,
                part_size,
                key,
                Asked.WRITE,
            )
        etag = _bare(result["e_tag"])
        return self._listed_etag(key, etag, sent.size) if self._place.custom else etag

    def get(self, key: str) -> bytes:
        size = 0
        body: bytes | None = None
        while body is None:  # a large one once more, with the time that its size needs
            size, body = self._ask(
                partial(_get, key=key, at_most=max(size, _WHOLE)), Purpose.READ, size, key, Asked.READ
            )
        return body

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See `Store`. botocore is imported here for a server whose answer obstore does not take."""

        def read(client: "ObjectStore") -> bytes:
            return obstore.get_range(client, key, start=start, length=length).to_bytes()

        otherwise = self._ranges
        if otherwise is None or not otherwise.needed:
            try:
                return self._ask(read, Purpose.READ, length, key, Asked.READ)
            except NoRanges:
                if otherwise is None:
                    raise
                otherwise.needed = True
        try:
            with self._asking_boto(key, Asked.READ):
                return otherwise.read(key, start, length)
        except Unloadable as error:
            raise NoRanges(str(error)) from error

    def stream(self, key: str, size: int) -> Iterator[bytes]:
        pieces = self._ask(partial(_pieces, key=key), Purpose.READ, size, key, Asked.READ)
        if isinstance(pieces, bytes):
            yield pieces
            return
        while (piece := self._ask(lambda _: next(pieces, None), Purpose.READ, size, key, Asked.READ)) is not None:
            yield piece

    def head(self, key: str) -> Object:
        meta = self._ask(lambda client: obstore.head(client, key), Purpose.READ, 0, key, Asked.READ)
        return _object(key, meta)

    def list(self, prefix: str) -> Iterator[Object]:
        """See `Store`. One request for 1,000 keys, each made when the iteration comes to it."""
        folder = under(prefix, self.url)
        pages = self._ask(
            lambda client: obstore.list(client, folder or None, chunk_size=_PAGE), Purpose.READ, 0, folder, Asked.LIST
        )
        while page := self._ask(lambda _: next(pages, None), Purpose.READ, 0, folder, Asked.LIST):
            for meta in page:
                yield _object(meta["path"], meta)

    def folders(self, prefix: str) -> tuple[str, ...]:
        """See `Store`. One request for 1,000 keys and folders."""
        folder = under(prefix, self.url)
        found = self._ask(
            lambda client: obstore.list_with_delimiter(client, folder or None), Purpose.READ, 0, folder, Asked.LIST
        )
        return tuple(sorted(path.rpartition("/")[2] for path in found["common_prefixes"]))

    def copy(self, source: str, key: str, size: int) -> None:
        """See `Store`. One request; above 5 GiB by parts, and in one request where there are no such."""
        self._subject(source)
        if size > LARGEST_COPY:
            with contextlib.suppress(NoCopy, Unloadable):
                return self._copy_by_parts(source, key)
        return self._ask(
            lambda client: obstore.copy(client, source, key), Purpose.WRITE, size // _COPIED_FASTER, key, Asked.COPY
        )

    def splices(self) -> Splicing | None:
        if self._multipart is None or not TRUST.has(self._bucket) or self._notes.get(Fact.SPLICING, self._bucket):
            return None
        return Splicing.EQUAL if self._place.equal_parts else Splicing.ANY

    def splice(self, key: str, source: Object, parts: Iterable[bytes | Range], *, concurrency: int) -> str:
        """See `Store`. botocore is imported here."""
        if (multipart := self._multipart) is None:
            raise NoCopy(f"{self._subject(key)}: this cloud copies whole objects only")

        def send(sent: Iterable[bytes | Range]) -> None:
            with self._asking_boto(key, Asked.COPY):
                multipart.splice(source, key, sent, concurrency, _COPIED_FASTER)

        try:
            return put_together(self, self._bucket, key, source, parts, send)
        except NoCopy:
            self._notes.put(Fact.SPLICING, self._bucket, "no")
            raise

    def delete(self, key: str) -> None:
        try:
            self._ask(lambda client: obstore.delete(client, key), Purpose.WRITE, 0, key, Asked.DELETE)
        except NotFound:
            return

    def excludes(self) -> bool:
        return self._condition() is Condition.KEPT

    def versioned(self) -> bool | None:
        """Whether the bucket keeps what is overwritten; None if it does not say."""
        if self._multipart is None:
            return None
        with self._asking_boto(""):
            return self._multipart.versioned()

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """See `Store`. None as well for those who may not list them (s3:ListBucketMultipartUploads)."""
        folder = under(prefix, self.url)
        if self._multipart is None:
            return
        with _hygiene(), self._asking_boto(folder):
            yield from self._multipart.unfinished(folder)

    def abort(self, upload: Unfinished) -> None:
        """See `Store`. Nothing happens for those who may not (s3:AbortMultipartUpload)."""
        if self._multipart is None:
            return
        with _hygiene(), self._asking_boto(""):
            self._multipart.abort(upload)

    def _condition(self) -> Condition:
        # Behind an address of one's own another server may stand tomorrow: each process asks that.
        return KNOWN.of(self._bucket, self, None if self._place.custom else self._notes)

    def _copy_by_parts(self, source: str, key: str) -> None:
        if self._multipart is None:
            raise NoCopy(f"{self._subject(key)}: this cloud copies whole objects only")
        found = self.head(source)
        with self._asking_boto(key, Asked.COPY):
            self._multipart.copy(found, key, COPY_PART, _COPIED_FASTER)

    def _listed_etag(self, key: str, completed: str, size: int) -> str:
        """The etag that the server shows from now on: not Complete's at every one (rclone's shows an MD5 later)."""
        try:
            found = self.head(key)
        except NotFound as error:
            raise Unavailable(f"{self._subject(key)}: not there after its upload") from error
        except (Unavailable, AccessDenied):
            return completed  # it is stored; at worst it is sent once more
        return found.etag if found.size == size else completed


@contextlib.contextmanager
def _hygiene() -> Iterator[None]:
    """Inside the block is what may as well not be done: a server that refuses it is no error, one out of reach is."""
    try:
        yield
    except (Unavailable, UnknownHost, NoBucket, NoCredentials):
        raise
    except StoreError:
        return


def _pieces(client: "ObjectStore", *, key: str) -> bytes | Iterator[bytes]:
    """The object's bytes; a small one's at once: that takes half the work."""
    found = obstore.get(client, key)
    return found.bytes().to_bytes() if found.meta["size"] <= _PIECE else map(bytes, found.stream(_PIECE))


def _get(client: "ObjectStore", *, key: str, at_most: int) -> tuple[int, bytes | None]:
    """An object's size, and its bytes if there are no more than `at_most`."""
    found = obstore.get(client, key)
    size = found.meta["size"]
    return size, found.bytes().to_bytes() if size <= at_most else None


def _object(key: str, meta: "ObjectMeta") -> Object:
    return Object(key, meta["size"], _bare(meta["e_tag"]), meta["last_modified"])


def _bare(etag: str | None) -> str:
    return (etag or "").removeprefix("W/").strip('"')
