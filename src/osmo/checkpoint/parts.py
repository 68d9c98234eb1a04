"""How a large file is cut for sending."""

from dataclasses import dataclass

MIB = 1024 * 1024
SMALLEST_PART = 8 * MIB
_MOST_PARTS = 9_000  # S3 takes 10,000; the rest is for a file that grew since it was looked at
_MOST_AT_ONCE = 6


@dataclass(frozen=True, slots=True)
class Cut:
    """part_size: bytes of every part but the last. at_once: parts in flight. memory: bytes that takes."""

    part_size: int
    at_once: int

    @property
    def memory(self) -> int:
        """Parts in flight, one that is being filled, and one that waits in obstore."""
        return self.part_size * (self.at_once + 2)


def cut(size: int, budget: int) -> Cut:
    """Parts of whole MiB, as few bytes as fit a file of `size` bytes into 10,000 of them, within `budget` bytes."""
    return cut_into(max(SMALLEST_PART, -(-size // _MOST_PARTS // MIB) * MIB), budget)


def cut_into(part_size: int, budget: int) -> Cut:
    """Parts of `part_size` bytes, as many at once as fit into `budget` bytes."""
    return Cut(part_size, max(1, min(_MOST_AT_ONCE, budget // part_size - 2)))
