from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osmo.checkpoint.delta import LONGEST_PART, MOST_PARTS, Piece, plan
from osmo.checkpoint.parts import MIB

BLOCK = 8 * MIB
GIB = 1024 * MIB


def pieces(same: str, size: float, *, equal: bool = False) -> str | None:
    """The plan of a file with these blocks (S as stored, N new) and so many blocks' length, e.g. `S16 N8` in MiB."""
    found = plan([each == "S" for each in same], int(size * BLOCK), BLOCK, equal=equal)
    if found is None:
        return None
    return " ".join(f"{'S' if each.same else 'N'}{each.length / MIB:g}" for each in found.pieces)


@pytest.mark.parametrize(
    ("same", "size", "want"),
    [
        ("SSSN", 4, "S24 N8"),  # what was appended travels
        ("SSSN", 3.125, "S24 N1"),
        ("SSSS", 3.5, "S28"),  # nothing but a last part that is short
        ("NSSS", 3.5, "N8 S20"),
        ("SSNNNSS", 7, "S16 N8 N8 N8 S16"),  # parts that travel have the length of a block
        ("SNSNSNS", 7, "S8 N8 S8 N8 S8 N8 S8"),
        ("S" * 70 + "N", 71, "S256 S256 S48 N8"),  # a server copies long ranges side by side
        ("SNNN", 4, "S8 N8 N8 N8"),  # a quarter is worth it
        ("SNNNN", 5, None),
        ("NNNN", 4, None),
        ("", 0, None),
    ],
)
def test_what_is_the_same_is_copied_and_what_is_new_travels(same: str, size: float, want: str | None) -> None:
    assert pieces(same, size) == (want or None)


def test_where_all_parts_must_be_equal_they_are() -> None:
    assert pieces("SSSNS", 4.5, equal=True) == "S8 S8 S8 N8 S4"


@pytest.mark.parametrize("equal", [True, False])
def test_a_file_that_needs_more_parts_than_there_are_is_cut_more_coarsely(equal: bool) -> None:
    same = ([False, True, False, True] + [True] * 28) * 3_000
    found = plan(same, len(same) * BLOCK, BLOCK, equal=equal)
    assert found is not None
    assert found.grid == (16 if equal else 2) * BLOCK
    assert len(found.pieces) <= MOST_PARTS


def test_changes_that_are_everywhere_in_a_file_of_many_parts_are_not_worth_it() -> None:
    same = [False, True] * 10_000
    assert plan(same, len(same) * BLOCK, BLOCK) is None


def test_a_file_of_five_terabytes_that_was_appended_to() -> None:
    blocks = 5 * 1024 * GIB // BLOCK
    found = plan([True] * (blocks - 1) + [False], blocks * BLOCK, BLOCK)
    assert found is not None
    assert len(found.pieces) <= MOST_PARTS
    assert found.pieces[-1].length <= 2 * found.grid


runs = st.lists(st.tuples(st.booleans(), st.integers(1, 3_000)), max_size=6)
scattered = st.lists(st.booleans(), max_size=100).flatmap(
    lambda some: st.integers(1, 100).map(lambda times: some * times)
)


@settings(max_examples=60)
@given(
    st.one_of(runs.map(lambda some: [same for same, count in some for _ in range(count)]), scattered),
    st.integers(0, BLOCK - 1),
    st.booleans(),
)
def test_whatever_changed_the_parts_are_ones_that_s3_takes(same: list[bool], short: int, equal: bool) -> None:
    """`short`: bytes that the last block lacks."""
    size = max(0, len(same) * BLOCK - short)
    found = plan(same, size, BLOCK, equal=equal)
    if found is None:
        stored = sum(min(BLOCK, size - at * BLOCK) for at, each in enumerate(same) if each)
        assert stored * 4 < size or stored == 0 or len(same) > MOST_PARTS // 2
        return
    parts = found.pieces
    assert sum(each.length for each in parts) == size
    assert parts[0].start == 0
    assert all(before.start + before.length == after.start for before, after in pairwise(parts))
    assert len(parts) <= MOST_PARTS
    assert all(5 * MIB <= each.length <= LONGEST_PART for each in parts[:-1])
    assert 0 < parts[-1].length <= LONGEST_PART
    assert all(each.length <= found.grid for each in parts if not each.same)
    assert all(_blocks(same, each) == {True} for each in parts if each.same)
    assert found.copied * 4 >= size
    if equal:
        assert {each.length for each in parts[:-1]} <= {found.grid}


def _blocks(same: list[bool], piece: Piece) -> set[bool]:
    return set(same[piece.start // BLOCK : -(-(piece.start + piece.length) // BLOCK)])
