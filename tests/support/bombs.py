"""Records and listings that are small and do not end: what a prefix may hold that somebody else writes to."""

import json
import zlib
from dataclasses import replace
from typing import Any

from blake3 import blake3

from osmo.checkpoint.encoding import encode
from osmo.checkpoint.manifest import Listing, Mark
from osmo.checkpoint.table import Files
from unit.checkpoint.records import checkpoint, file

_BLOCK = 16 * 1024 * 1024
_GZIP = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def packed(first: bytes, again: bytes, size: int = 8 * 1024**3) -> bytes:
    """gzip of `first`, then `again` over and over until it is `size` bytes; packed once. Its checksum is wrong, which
    only one sees who reads all of it."""
    packer = zlib.compressobj(level=6, wbits=-15)
    begin = packer.compress(first) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(again * (_BLOCK // len(again))) + packer.flush(zlib.Z_FULL_FLUSH)
    return _GZIP + begin + block * (size // _BLOCK) + packer.flush() + bytes(8)


def _first(number: int, **facts: Any) -> bytes:
    whole = checkpoint(number, files=(file("a", b"a"),), prev=Mark(1, number - 1))
    return json.dumps(json.loads(encode(whole).splitlines()[0]) | facts).encode()


_LINE = encode(checkpoint(1, files=(file("a", b"a"),))).splitlines()[1] + b"\n"


KINDS = (
    "the first line",
    "the names in the first line",
    "a name",
    "the lines of one file",
    "lines that are none",
    "nothing",
    "one in the other",
)


def record(kind: str, number: int) -> bytes:
    """Record `number`, of which something does not end: some megabytes that unpack to 8 GiB."""
    many = _first(number, count=2**40) + b"\n"
    pieces = (
        (b'{"format":2,"kind":"checkpoint","path":"', b"a"),
        (_first(number)[:-1] + b',"gone":[', b'"",'),
        (many + b'["', b"a"),
        (many, _LINE),
        (many, b"[],\n"),
        (many, b"\n"),
        (many, b"["),
    )
    return packed(*dict(zip(KINDS, pieces, strict=True))[kind])


def with_listing(number: int, place: str) -> tuple[bytes, bytes]:
    """Record `number`, whose listing does not end, although the record says the truth of it; and that listing."""
    body = packed(b'{"format":2,"kind":"listing","count":9000000000}\n', _LINE)
    whole = checkpoint(number, files=(file("a", b"a"),), prev=Mark(1, number - 1))
    listing = Listing(place, blake3(body).hexdigest(), len(body), 0, Files.of(()))
    return encode(replace(whole, listing=listing)), body
