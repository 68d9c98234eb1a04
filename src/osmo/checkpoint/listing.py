"""What the record of a large checkpoint builds upon: all files of an earlier one, in an object of their own.

So a record says only what differs from its listing. It never builds upon another record: there is no chain. A listing
is an object like any other: its name is used once, it is there before the record that names it, and it stays as long as
a checkpoint that is kept does.
"""

from collections.abc import Iterable, Iterator

from blake3 import blake3

from osmo.checkpoint.decoding import decode_listing
from osmo.checkpoint.encoding import encode_listing
from osmo.checkpoint.manifest import Checkpoint, Listing
from osmo.checkpoint.parts import MIB
from osmo.checkpoint.room import Room
from osmo.checkpoint.table import Files, Table
from osmo.errors import StoreError
from osmo.store.base import Store

_WORTH_IT = 4000
"""Files of a checkpoint whose record names all of them: that is a megabyte, or less."""
_PART = 8 * MIB


def follows(base: Checkpoint | None, table: Table, *, at_any_cost: bool = False) -> Listing | None:
    """What the record of these files builds upon, if that is the listing of `base`; None if it has none, or if it is
    time for a new one: when the records that build upon it have named as many files as it has itself.

    That way all records together are at most about twice of what they would be at best, whatever changes how fast.
    at_any_cost: it is never time for a new one.
    """
    listing = base.listing if base is not None else None
    if listing is None:
        return None
    known = listing.files.table
    named = sum(1 for _ in table.differs(known)) + sum(1 for _ in table.lacks(known))
    if listing.carried + named > len(known) and not at_any_cost:
        return None
    return Listing(listing.place, listing.digest, listing.size, listing.carried + named, listing.files)


def needed(table: Table) -> bool:
    """Whether these files are too many for one record."""
    return len(table) > _WORTH_IT


def write(store: Store, place: str, table: Table) -> Listing:
    """The listing of these files, at this place. Raises StoreError."""
    files = Files(table)
    digest, size = blake3(), 0

    def counted(parts: Iterable[bytes]) -> Iterator[bytes]:
        nonlocal size
        for part in parts:
            digest.update(part)
            size += len(part)
            yield part

    parts = counted(_parts(encode_listing(files)))
    first = next(parts)
    if len(first) < _PART:
        store.put(place, first)
    else:
        store.put_parts(place, _after(first, parts), part_size=_PART, concurrency=2)
    return Listing(place, digest.hexdigest(), size, 0, files)


def read(body: bytes | bytearray, digest: str, room: Room | None = None) -> Files:
    """The files of a listing. Raises StoreError if it is not the one that was written."""
    if blake3(body).hexdigest() != digest:
        raise StoreError("other bytes than the record of the checkpoint says")
    return decode_listing(body, room)


def _parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, in parts of one size; the last may be shorter."""
    found = bytearray()
    for piece in pieces:
        found += piece
        while len(found) >= _PART:
            yield bytes(found[:_PART])
            del found[:_PART]
    if found:
        yield bytes(found)


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
