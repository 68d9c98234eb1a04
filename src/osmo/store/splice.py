"""An object put together from parts of another one: believed only after a look at what came of it."""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from osmo.errors import NoBucket, NoCopy, NoCredentials, NotFound, StoreError, Unavailable, UnknownHost
from osmo.store.base import Object, Range
from osmo.store.parts import sending
from osmo.store.trust import TRUST

_TAILS = 4  # read back after each splice: one that shows a server to be wrong is enough


class Reading(Protocol):
    """The part of a store that is asked."""

    @property
    def url(self) -> str: ...
    def head(self, key: str) -> Object: ...
    def get_range(self, key: str, start: int, length: int) -> bytes: ...


def put_together(
    store: Reading,
    bucket: tuple[str, str],
    key: str,
    source: Object,
    parts: Iterable[bytes | Range],
    send: Callable[[Iterable[bytes | Range]], None],
) -> str:
    """`send` the parts, and see what came of it; see `Store.splice`. bucket: its endpoint and name.

    That the source stays the same is asked before and after, too: not every server heeds the condition of a copy
    (moto's does not).
    """
    witness = Witness(parts)
    with sending(witness) as sent:
        try:
            before = _unchanged(store, source)
            send(sent)
            etag = witness.check(store, key)
            _unchanged(store, before)
        except StoreError as error:
            if sent.failure is not None:
                raise
            raise _judged(error, bucket) from error
    TRUST.kept(bucket)
    return etag


def _unchanged(store: Reading, source: Object) -> Object:
    """What lies there now. `NotFound` if it is not that."""
    found = store.head(source.key)
    if found != source or (source.modified is not None and found.modified != source.modified):
        raise NotFound(f"{store.url}/{source.key}: another object by now")
    return found


def _judged(error: StoreError, bucket: tuple[str, str]) -> StoreError:
    """What a splice that failed says of the server, and to the caller."""
    if isinstance(error, Unavailable):
        TRUST.shaken(bucket)
    if isinstance(error, Unavailable | NotFound | UnknownHost | NoBucket | NoCredentials):
        return error
    TRUST.lost(bucket)
    return NoCopy(str(error))


class Witness:
    """Passes parts on, and knows afterwards what the object must look like: its size, and some of it by the byte."""

    def __init__(self, parts: Iterable[bytes | Range]) -> None:
        self._parts = parts
        self._size = 0
        self._tails: list[tuple[int, bytes]] = []

    def __iter__(self) -> Iterator[bytes | Range]:
        for part in self._parts:
            self._size += len(part)
            if isinstance(part, Range) and part.tail:
                self._tails.append((part.start + part.length - len(part.tail), part.tail))
            yield part

    def check(self, store: Reading, key: str) -> str:
        """The etag of the object that was made. Raises NoCopy if it is not what it must be; StoreError."""
        try:
            found = store.head(key)
        except NotFound as error:
            raise NoCopy("not there after it was put together") from error
        if found.size != self._size:
            raise NoCopy(f"put together wrongly: {found.size:,} bytes, not {self._size:,}")
        for start, tail in random.sample(self._tails, min(_TAILS, len(self._tails))):
            if store.get_range(key, start, len(tail)) != tail:
                raise NoCopy(f"put together wrongly: other bytes at {start:,}")
        return found.etag
