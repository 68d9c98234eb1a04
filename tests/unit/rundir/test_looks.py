import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.rundir import looks
from osmo.rundir.looks import Numbers

A, B = (1, 2, 3, 4, 5), (-1, -(2**63), 2**63 - 1, 2**64 - 1, 0o644)


def together(*numbers: int) -> Numbers:
    return numbers  # type: ignore[return-value]  # as they were written


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "saved"


def test_nothing_was_ever_written(file: Path) -> None:
    assert looks.read(file, together) is None
    file.touch()
    assert looks.read(file, together) is None


def test_what_was_written_is_read_again_whatever_the_names(file: Path) -> None:
    files = {"a": A, 'd/\n"b': B, "\udcff": A, '["a",1]': B}
    looks.write(file, 7, files.items())
    assert looks.read(file, together) == (7, files)
    assert file.stat().st_mode & 0o777 == 0o600
    looks.write(file, None, ())
    assert looks.read(file, together) == (None, {})


def test_what_is_added_is_new_or_different_or_gone(file: Path) -> None:
    looks.write(file, 1, [("a", A), ("b", A), ("c", A)])
    looks.add(file, 2, [("b", B), ("d", A)], ["a", "never"])
    looks.add(file, 3, [("a", B)], [])
    looks.add(file, 3, [], ["c"])
    assert looks.read(file, together) == (3, {"a": B, "b": B, "d": A})


@given(st.data())
def test_a_write_that_was_cut_short_anywhere_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("looks") / "saved"
    looks.write(file, 1, [("a", A), ("b", A)])
    before = file.read_bytes()
    looks.add(file, 2, [("b", B), ("c", A)], ["a"])
    whole = file.read_bytes()
    cut = data.draw(st.integers(len(before), len(whole) - 2))
    tail = b"\0" * data.draw(st.integers(0, 40))  # a machine that stopped may leave zeros where nothing was written
    file.write_bytes(whole[:cut] + tail)
    assert looks.read(file, together) == (1, {"a": A, "b": A})


def test_nothing_is_added_to_what_is_not_there(file: Path) -> None:
    with pytest.raises(FileNotFoundError):
        looks.add(file, 2, [("a", A)], [])
    assert not os.path.lexists(file)


def test_many_are_written_in_pieces(file: Path) -> None:
    files = {f"{number:06}": (number, 2, 3, 4, 5) for number in range(25_001)}
    looks.write(file, 1, files.items())
    assert looks.read(file, together) == (1, files)
