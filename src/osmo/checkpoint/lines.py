"""Lines of text as the bytes of an object, and back: as gzip if they are more than a few.

What is read is not trusted: however small an object is and whatever it unpacks to, no more than a piece and a line of
it are in memory at a time.
"""

import zlib
from collections.abc import Iterable, Iterator

LONGEST = 256 * 1024
"""Bytes of a line: many times those of a file of the longest name."""
_COMPRESS_ABOVE = 1024 * 1024
_PIECE = 256 * 1024
_PACKED_PIECE = 16 * 1024
_GZIP = b"\x1f\x8b"


def compressed(lines: Iterable[str]) -> Iterator[bytes]:
    """The lines as bytes, in pieces: above 1 MiB as gzip, which begins with 1f 8b. The same lines always give the same
    bytes."""
    packer = None
    for piece in _joined(lines):
        if packer is None and len(piece) <= _COMPRESS_ABOVE:
            yield piece  # and it is the only one
            continue
        packer = packer or zlib.compressobj(level=1, wbits=31)
        yield packer.compress(piece)
    if packer is not None:
        yield packer.flush()


def blocks(body: bytes | bytearray) -> Iterator[bytes]:
    """First the first line, then so many whole lines at a time, joined, without the last line's end.

    Raises ValueError for a line that is too long, and for gzip that was cut short; zlib.error if it is none.
    """
    begun = b""  # the beginning of a line
    is_first = True
    for piece in _pieces(body):
        begun += piece
        if is_first and b"\n" in begun:
            first, _, begun = begun.partition(b"\n")
            yield _checked(first)
            is_first = False
        if not is_first and b"\n" in begun:
            whole, _, begun = begun.rpartition(b"\n")
            yield whole
        _checked(begun)
    if begun.strip():
        yield begun


def _checked(line: bytes) -> bytes:
    if len(line) > LONGEST:
        raise ValueError(f"a line of more than {LONGEST:,} bytes")
    return line


def _joined(lines: Iterable[str]) -> Iterator[bytes]:
    """Pieces of more than `_COMPRESS_ABOVE` bytes, but for the last."""
    found: list[str] = []
    size = 0
    for line in lines:
        found.append(line)
        size += len(line) + 1
        if size > _COMPRESS_ABOVE:
            yield ("\n".join(found) + "\n").encode()
            found, size = [], 0
    if found:
        yield ("\n".join(found) + "\n").encode()


def _pieces(body: bytes | bytearray) -> Iterator[bytes]:
    """The bytes, unpacked if need be."""
    view = memoryview(body)
    if not body.startswith(_GZIP):
        yield from (bytes(view[at : at + _PIECE]) for at in range(0, len(body), _PIECE))
        return
    unpacker = zlib.decompressobj(wbits=31)
    for at in range(0, len(body), _PACKED_PIECE):
        packed: bytes | memoryview = view[at : at + _PACKED_PIECE]
        is_full = True
        while (packed or is_full) and not unpacker.eof:
            piece = unpacker.decompress(packed, _PIECE)
            packed, is_full = unpacker.unconsumed_tail, len(piece) == _PIECE
            yield piece
    if not unpacker.eof:
        raise ValueError("cut short")
