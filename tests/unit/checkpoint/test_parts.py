import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.checkpoint.parts import MIB, Cut, cut

TB = 1000**4
BUDGET = 96 * MIB


@pytest.mark.parametrize(
    ("size", "budget", "want"),
    [
        (9 * MIB, BUDGET, (8 * MIB, 6)),
        (72_000 * MIB, BUDGET, (8 * MIB, 6)),
        (72_001 * MIB, BUDGET, (9 * MIB, 6)),
        (TB, BUDGET, (106 * MIB, 1)),
        (9 * MIB, 16 * MIB, (8 * MIB, 1)),
        (9 * MIB, 40 * MIB, (8 * MIB, 3)),
    ],
)
def test_parts_are_as_small_as_the_size_allows_and_as_many_as_the_budget(
    size: int, budget: int, want: tuple[int, int]
) -> None:
    assert cut(size, budget) == Cut(*want, size)


@pytest.mark.parametrize("size", [5 * TB, 5 * 1024**4])
def test_the_largest_object_of_s3_fits_ten_thousand_parts(size: int) -> None:
    how = cut(size, BUDGET)
    assert -(-size // how.part_size) <= 10_000
    assert how.part_size <= 5 * 1024 * MIB


@given(st.integers(8 * MIB + 1, 5 * 1024**4), st.integers(16 * MIB, BUDGET))
def test_any_file_fits_and_takes_no_more_memory_than_it_must(size: int, budget: int) -> None:
    how = cut(size, budget)
    assert -(-size // how.part_size) <= 9_001
    assert how.part_size % MIB == 0
    assert how.at_once == 1 or how.memory <= budget


def test_a_file_of_few_parts_takes_no_memory_for_more() -> None:
    assert cut(20 * MIB, BUDGET).memory == 20 * MIB
    assert cut(200 * MIB, BUDGET).memory == 64 * MIB
