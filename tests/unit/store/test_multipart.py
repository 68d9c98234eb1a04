from itertools import pairwise

import pytest

from osmo.store.multipart import ranges

MIB = 1024**2


@pytest.mark.parametrize(
    ("size", "part_size", "want"),
    [
        (1, 5, [(0, 0)]),
        (5, 5, [(0, 4)]),
        (6, 5, [(0, 4), (5, 5)]),
        (15, 5, [(0, 4), (5, 9), (10, 14)]),
    ],
)
def test_the_parts_are_all_of_an_object(size: int, part_size: int, want: list[tuple[int, int]]) -> None:
    assert ranges(size, part_size) == want


@pytest.mark.parametrize("size", [10_000 * MIB, 10_000 * MIB + 1, 50 * 10**12])
def test_there_are_never_more_than_10_000(size: int) -> None:
    parts = ranges(size, MIB)
    assert len(parts) <= 10_000
    assert parts[0][0] == 0
    assert parts[-1][1] == size - 1
    assert all(left[1] + 1 == right[0] for left, right in pairwise(parts))
    assert max(last - first + 1 for first, last in parts) <= 5 * 1024**3  # S3's limits: 50 TB in 10,000 parts of 5 GiB
