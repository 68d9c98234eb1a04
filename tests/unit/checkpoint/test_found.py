import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.checkpoint.found import Found
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.table import EMPTY, Table
from osmo.checkpoint.tree import Stat

A = Stat(1, 1, 1, 1, 0o600)
B = A.but(size=2)
NAMES = st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map("/".join)
FILES = st.dictionaries(NAMES, st.sampled_from([A, B]), max_size=8)


def saved(name: str, stat: Stat = A) -> Saved:
    return Saved(stat, FileRecord(name, stat.size, stat.mode, stat.mtime_ns, "d", name, "etag"))


def table(files: dict[str, Stat]) -> Table:
    return Table.of(saved(name, stat) for name, stat in files.items())


def walked(now: dict[str, Stat], before: Table) -> Found:
    """As a walk tells it, folder by folder."""
    found = Found(before)
    for folder in {name[: name.rfind("/") + 1] for name in now}:
        here = {
            name: stat for name, stat in now.items() if name.rfind("/") + 1 == len(folder) and name.startswith(folder)
        }
        for name, stat in here.items():
            if name not in before:
                found.new(name, stat)
            elif not before.looks(name, stat):
                found.changed[name] = stat
        found.end_folder(folder, [name[len(folder) :] for name in here if name in before])
    found.end()
    return found


@given(FILES, FILES)
def test_what_was_found_is_what_is_there_whatever_was_known(before: dict[str, Stat], now: dict[str, Stat]) -> None:
    found = walked(now, table(before))
    assert dict(found) == now
    assert len(found) == len(now)
    assert {name: found.get(name) for name in "ab"} == {name: now.get(name) for name in "ab"}
    assert found.changed == {name: stat for name, stat in now.items() if before.get(name) != stat}


@given(FILES, FILES, FILES, st.booleans())
def test_what_differs_from_a_table_is_found_whether_it_was_the_one_compared_with(
    before: dict[str, Stat], now: dict[str, Stat], other: dict[str, Stat], is_derived: bool
) -> None:
    known = table(before)
    held = known.changed(saved(*each) for each in other.items()) if is_derived else table(other)
    found = walked(now, known)
    for against in (held, known, EMPTY):
        looks = {name: one.stat for name, one in against.items()}
        assert found.unlike(against) == {name: stat for name, stat in now.items() if looks.get(name) != stat}
        assert found.lacks(against) == looks.keys() - now.keys()


@given(FILES, FILES, FILES, st.sets(NAMES))
def test_it_can_be_changed_like_any_mapping(
    before: dict[str, Stat], now: dict[str, Stat], put: dict[str, Stat], removed: set[str]
) -> None:
    found, want = walked(now, table(before)), now.copy()
    for name in removed & want.keys():
        del found[name], want[name]
    found.update(put)
    want.update(put)
    assert dict(found) == want
    assert len(found) == len(want)
    assert found.changed == {name: stat for name, stat in want.items() if before.get(name) != stat}
    with pytest.raises(KeyError):
        del found["never"]


def test_names_that_were_known_are_looked_at_again_only_if_they_are_odd() -> None:
    before = table(dict.fromkeys(("a", "d/run.db-wal", "d/line\nbreak", "gone-shm", ".osmo"), A))
    found = walked({"a": A, "d/run.db-wal": A, "d/line\nbreak": B, ".osmo": A, "new": A}, before)
    assert sorted(found.suspects()) == [".osmo", "d/line\nbreak", "d/run.db-wal", "new"]
