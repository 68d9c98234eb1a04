"""Which parts a changed file is put together from: those that lie in the store already, and those that travel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

MOST_PARTS = 10_000  # S3's limit
LONGEST_PART = 5 * 1024**3  # S3's limit; the least, 5 MiB, is less than a block
_COPIED = 32  # blocks in one request: a server copies several such at a time, faster than one long one
_WORTH = 4  # less than this part of the file saved is not worth it


@dataclass(frozen=True, slots=True)
class Piece:
    """`length` bytes from byte `start` on. same: as they lie in the store."""

    start: int
    length: int
    same: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """pieces: in order, all of the file. grid: what travels has at most so many bytes."""

    pieces: tuple[Piece, ...]
    grid: int

    @property
    def copied(self) -> int:
        """Bytes that do not travel."""
        return sum(piece.length for piece in self.pieces if piece.same)


def plan(same: Sequence[bool], size: int, block: int, *, equal: bool = False) -> Plan | None:
    """What to make of a file of `size` bytes. None if whole is better.

    same: for each `block` bytes of it (more than 5 MiB), whether the store has them. equal: all parts but the last must
    have the same length. Where more parts than S3 takes would come out, blocks are taken together, two, four …, and
    such a group travels if one of them does.
    """
    grid = block
    while grid <= LONGEST_PART:
        pieces = tuple(_pieces(same, size, block, grid, 1 if equal else _COPIED))
        found = Plan(pieces, grid)
        if not found.copied or found.copied * _WORTH < size:  # coarser ones save even less
            return None
        if len(pieces) <= MOST_PARTS:
            return found
        grid *= 2
    return None


def _pieces(same: Sequence[bool], size: int, block: int, grid: int, copied: int) -> Iterator[Piece]:
    per_group = grid // block
    groups = [all(same[at : at + per_group]) for at in range(0, len(same), per_group)]
    most = min(copied * grid, LONGEST_PART // grid * grid)
    start = 0
    for there, run in groupby(groups):
        end = min(size, start + sum(1 for _ in run) * grid)
        while start < end:
            length = min(most if there else grid, end - start)
            yield Piece(start, length, there)
            start += length
