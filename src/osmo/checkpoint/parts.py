"""How a large file is cut for sending."""

from dataclasses import dataclass

MIB = 1024 * 1024
SMALLEST_PART = 8 * MIB
WHOLE = 16 * MIB
"""A file up to this size is one request: cut in two it would be five, and seen complete only at the last."""
_MOST_PARTS = 9_000  # S3 takes 10,000; the rest is for a file that grew since it was looked at
_MOST_AT_ONCE = 6


@dataclass(frozen=True, slots=True)
class Cut:
    """part_size: bytes of every part but the last. at_once: parts in flight. size: bytes of all parts."""

    part_size: int
    at_once: int
    size: int

    @property
    def memory(self) -> int:
        """Bytes of the parts in flight, one that is being filled, and one that waits in obstore."""
        return min(self.size, self.part_size * (self.at_once + 2))


def cut(size: int, budget: int) -> Cut:
    """Parts of whole MiB, as few bytes as fit a file of `size` bytes into 10,000 of them, within `budget` bytes."""
    return cut_into(max(SMALLEST_PART, -(-size // _MOST_PARTS // MIB) * MIB), size, budget)


def cut_into(part_size: int, size: int, budget: int) -> Cut:
    """Parts of `part_size` bytes, as many at once as fit into `budget` bytes."""
    return Cut(part_size, max(1, min(_MOST_AT_ONCE, budget // part_size - 2)), size)
