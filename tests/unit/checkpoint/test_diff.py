from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.checkpoint.diff import batches, gone, is_end_marker, same_set
from osmo.checkpoint.found import Found
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.table import EMPTY, Table
from osmo.checkpoint.tree import Stat

A = Stat(1, 1, 1, 1, 0o600)


def saved(name: str = "f", stat: Stat = A, digest: str = "d") -> Saved:
    return Saved(stat, FileRecord(name, stat.size, stat.mode, stat.mtime_ns, digest, name, "etag"))


def found(files: dict[str, Stat]) -> Found:
    now = Found()
    now.update(files)
    return now


@pytest.mark.parametrize(
    ("now", "names", "problems", "want"),
    [
        ({"a"}, ["a"], {}, set()),
        (set(), ["a", "d/b"], {}, {"a", "d/b"}),
        (set(), ["a", "b"], {"a"}, {"b"}),
        (set(), ["d/e/f", "d2/f"], {"d"}, {"d2/f"}),
        (set(), ["d/e/f"], {"d/e"}, set()),
        (set(), ["d/e/f"], {"e", "f", "d/e/f/g"}, {"d/e/f"}),
        (set(), ["a", "d/b"], {"."}, set()),
    ],
)
def test_what_lies_behind_a_problem_is_not_gone(
    now: set[str], names: list[str], problems: set[str], want: set[str]
) -> None:
    assert gone(found(dict.fromkeys(now, A)), Table.of(map(saved, names)), problems) == want


NAMES = st.sets(st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join), max_size=8)


@given(NAMES, NAMES, NAMES)
def test_a_saved_file_is_there_or_gone_or_behind_a_problem(now: set[str], held: set[str], problems: set[str]) -> None:
    lost = gone(found(dict.fromkeys(now, A)), Table.of(map(saved, held)), problems)
    for name in held:
        behind = any(name == problem or name.startswith(f"{problem}/") for problem in problems)
        assert (name in lost) == (name not in now and not behind)


@pytest.mark.parametrize(
    ("name", "want"),
    [
        (".metadata", True),
        ("step-1/.metadata", True),
        ("trainer_state.json", True),
        ("latest", True),
        ("a/latest_checkpointed_iteration.txt", True),
        ("_SUCCESS", True),
        ("_CHECKPOINT_METADATA", True),
        ("commit_success.txt", True),
        ("latest/model.pt", False),
        ("the_latest", False),
        ("x.metadata", False),
        ("_SUCCESS.old", False),
        ("model.pt", False),
    ],
)
def test_what_readers_take_as_complete_is_an_end_marker(name: str, want: bool) -> None:
    assert is_end_marker(name) == want


@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({}, True),
        ({"mtime_ns": 5}, True),
        ({"deferred": True}, True),
        ({"digest": "other"}, False),
        ({"mode": 0o755}, False),
        ({"etag": "other"}, False),
        ({"torn_possible": True}, False),
    ],
)
def test_a_set_is_the_same_if_it_restores_to_the_same_files(change: dict[str, object], want: bool) -> None:
    one = saved()
    other = replace(one, record=replace(one.record, **change))  # type: ignore[arg-type]
    assert same_set(Table.of([one]), Table.of([other])) == want


def test_sets_of_other_names_are_not_the_same() -> None:
    assert not same_set(Table.of([saved()]), EMPTY)
    assert not same_set(Table.of([saved()]), Table.of([saved("g")]))


def test_a_file_that_is_deferred_already_stays_the_same_value() -> None:
    one = saved()
    assert one.deferred(False) is one
    assert one.deferred(True).record.deferred


def _batches(*files: tuple[str, int, int], newest_first: bool) -> list[list[str]]:
    stats = {name: A.but(mtime_ns=written, size=size) for name, written, size in files}
    return [list(batch) for batch in batches(stats, newest_first=newest_first)]


@pytest.mark.parametrize(
    ("files", "in_time", "hurried"),
    [
        ([], [], []),
        ([("b", 1, 1), ("a", 2, 9)], [["b", "a"]], [["b", "a"]]),
        ([("a", 2, 9), ("b", 1, 1)], [["a", "b"]], [["b", "a"]]),  # small before large
        ([("1/x", 1, 1), ("2/y", 2, 9)], [["1/x", "2/y"]], [["2/y", "1/x"]]),  # the folder written last comes first
        (
            [("1/_SUCCESS", 2, 0), ("1/x", 1, 1), ("2/_SUCCESS", 4, 0), ("2/y", 3, 9)],
            [["1/x", "2/y"], ["1/_SUCCESS", "2/_SUCCESS"]],
            [["2/y"], ["2/_SUCCESS"], ["1/x"], ["1/_SUCCESS"]],
        ),
        (  # a marker speaks for all that is beneath it, though it was written last
            [("latest", 9, 1), ("2/.metadata", 5, 1), ("2/deep/x", 4, 9), ("1/y", 1, 1)],
            [["2/deep/x", "1/y"], ["latest", "2/.metadata"]],
            [["2/deep/x"], ["2/.metadata"], ["1/y"], ["latest"]],
        ),
        (  # nothing but markers: the deeper one first
            [("latest", 9, 1), ("2/.metadata", 5, 1)],
            [["latest", "2/.metadata"]],
            [["2/.metadata"], ["latest"]],
        ),
    ],
)
def test_the_order_of_sending(
    files: list[tuple[str, int, int]], in_time: list[list[str]], hurried: list[list[str]]
) -> None:
    assert _batches(*files, newest_first=False) == in_time
    assert _batches(*files, newest_first=True) == hurried


FOLDERS = st.sampled_from(["a", "a/b", "a/b/c", "d", ""])
FILES = st.tuples(FOLDERS, st.sampled_from(["x", "y", "latest"]), st.integers(0, 5))


@given(st.lists(FILES, unique_by=lambda each: each[:2]), st.booleans())
def test_no_marker_comes_before_what_it_speaks_for(files: list[tuple[str, str, int]], newest_first: bool) -> None:
    named = [(f"{folder}/{name}" if folder else name, written, 1) for folder, name, written in files]
    order = _batches(*named, newest_first=newest_first)
    place = {name: number for number, batch in enumerate(order) for name in batch}
    assert place.keys() == {name for name, _, _ in named}
    for marker in filter(is_end_marker, place):
        folder = marker.rpartition("/")[0]
        beneath = [name for name in place if not is_end_marker(name) and (not folder or name.startswith(f"{folder}/"))]
        assert all(place[name] < place[marker] for name in beneath)
