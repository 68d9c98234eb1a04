"""One file as bytes: how it looked on this machine, and its record. A tenth of the memory that the objects take.

The looks come first, so that one comparison of bytes tells whether a file looks as it did. Two records are equal if
their bytes are, within one process.
"""

import threading
from struct import Struct

from osmo.checkpoint.key import CONTROL
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.tree import LENGTH, Stat

_REST = Struct("<BBHqqH")  # unsure, flags, mode, size, mtime_ns, head of the place
_LENGTH = Struct("<H")
_SAVED = LENGTH + _REST.size
_RECORD = LENGTH + 1  # where the record begins
SIZE = slice(_RECORD + 3, _RECORD + 11)
"""Where the size of the file lies, little-endian."""
_OWN = f"{CONTROL}/"
_DIGEST = 32
_ETAG = 16

_DEFERRED, _TORN, _LIVE, _HEX_DIGEST, _HEX_ETAG, _QUOTED, _NAMED, _BLOCKS = (1 << bit for bit in range(8))


class _Heads:
    """The beginnings that places have in common: few, in any stream. Safe to use from many threads."""

    def __init__(self) -> None:
        self.texts = [""]
        self._numbers = {"": 0}
        self._lock = threading.Lock()

    def number(self, text: str) -> int | None:
        """The same for the same text; None if there are too many of them."""
        number = self._numbers.get(text)
        if number is None and len(self.texts) < 1 << 16:
            with self._lock:
                number = self._numbers.setdefault(text, len(self.texts))
                if number == len(self.texts):
                    self.texts.append(text)
        return number


_heads = _Heads()


def pack(saved: Saved) -> bytes:
    """All of it but the file's name. Raises ValueError for a record that no file can have."""
    record = saved.record
    flags = _DEFERRED * record.deferred | _TORN * record.torn_possible | _LIVE * record.live
    is_hex, digest = _text(record.digest, _DIGEST)
    flags |= _HEX_DIGEST * is_hex
    etag, quoted = record.etag, len(record.etag) == 2 * _ETAG + 2 and record.etag[0] == record.etag[-1] == '"'
    is_hex, short = _text(etag[1:-1] if quoted else etag, _ETAG)
    if quoted and not is_hex:
        quoted, (_, short) = False, _text(etag, -1)
    flags |= _HEX_ETAG * is_hex | _QUOTED * quoted
    place = record.place
    named = place.endswith(record.name) and not place.startswith(_OWN)
    cut = len(place) - len(record.name) if named else place.rfind("/") + 1
    head = _heads.number(place[:cut])
    if head is None:
        named, head, cut = False, 0, 0
    tail = b"" if named else place[cut:].encode("utf-8", "surrogatepass")
    flags |= _NAMED * named | _BLOCKS * bool(record.blocks)
    blocks = _text(record.blocks, -1)[1] if record.blocks else b""
    rest = saved.unsure, flags, record.mode, record.size, record.mtime_ns, head
    try:
        return saved.stat + _REST.pack(*rest) + digest + short + blocks + tail
    except Exception as error:  # struct.error is not of the builtin ones
        raise ValueError(f"the size, mode or time of a file is none: {record.name!r}") from error


def unpack(name: str, packed: bytes) -> Saved:
    """What was packed, of the file of this name."""
    return Saved(Stat.beginning(packed), record(name, packed), is_unsure(packed))


def record(name: str, packed: bytes) -> FileRecord:
    """Its record alone."""
    _, flags, mode, size, mtime_ns, head = _REST.unpack_from(packed, LENGTH)
    digest, at = _untext(packed, _SAVED, _DIGEST if flags & _HEX_DIGEST else 0)
    etag, at = _untext(packed, at, _ETAG if flags & _HEX_ETAG else 0)
    blocks, at = _untext(packed, at, 0) if flags & _BLOCKS else ("", at)
    tail = name if flags & _NAMED else packed[at:].decode("utf-8", "surrogatepass")
    return FileRecord(
        name,
        size,
        mode,
        mtime_ns,
        digest,
        _heads.texts[head] + tail,
        f'"{etag}"' if flags & _QUOTED else etag,
        bool(flags & _DEFERRED),
        bool(flags & _TORN),
        bool(flags & _LIVE),
        blocks,
    )


def looking(packed: bytes, stat: Stat) -> bytes:
    """The same record of a file that looks like this, and that nobody has open."""
    return b"".join((stat, b"\0", packed[_RECORD:]))


def size_of(packed: bytes) -> int:
    """Of its record."""
    return int(_REST.unpack_from(packed, LENGTH)[3])


def is_unsure(packed: bytes) -> bool:
    return packed[LENGTH] != 0


def is_deferred(packed: bytes) -> bool:
    return packed[_RECORD] & _DEFERRED != 0


def is_plain(packed: bytes) -> bool:
    """All that its record names is a key that ends with its name and is none of osmo's own, as a plain file's."""
    return packed[_RECORD] & (_NAMED | _BLOCKS) == _NAMED


def same_record(one: bytes, other: bytes) -> bool:
    """Whether two of one name have the same record, however they look here."""
    return one is other or one[_RECORD:] == other[_RECORD:]


def _text(text: str, size: int) -> tuple[bool, bytes]:
    """Hex of `size` bytes as those bytes, and that it was; any other text with its length before it."""
    if len(text) == 2 * size:
        try:
            short = bytes.fromhex(text)
        except ValueError:
            short = b""
        if short.hex() == text:
            return True, short
    body = text.encode("utf-8", "surrogatepass")
    if len(body) >= 1 << 16:
        raise ValueError(f"a digest or etag of {len(body):,} bytes")
    return False, _LENGTH.pack(len(body)) + body


def _untext(packed: bytes, at: int, size: int) -> tuple[str, int]:
    """The text there, and where it ends. size: of the bytes that it is the hex of, if it is."""
    if size:
        return packed[at : at + size].hex(), at + size
    (length,) = _LENGTH.unpack_from(packed, at)
    at += _LENGTH.size
    return packed[at : at + length].decode("utf-8", "surrogatepass"), at + length
