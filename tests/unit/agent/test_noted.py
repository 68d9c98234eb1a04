from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.agent.noted import Noted
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.table import Table
from osmo.checkpoint.tree import Stat
from osmo.rundir import looks

A = Stat(1, 1, 1, 1, 0o600)
B = A.but(inode=2)


def saved(name: str, stat: Stat = A, *, deferred: bool = False) -> Saved:
    return Saved(stat, FileRecord(name, 1, 1, 1, "d", f"ckpt/{name}", "e", deferred))


def these(*files: Saved) -> Table:
    return Table.of(files)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved-0.jsonl"


def test_the_next_agent_learns_how_what_is_durable_looks(path: Path) -> None:
    Noted(path).note(3, these(saved("a"), saved("d/b", B)), is_here=False)
    assert looks.read(path, Stat) == (3, {"a": A, "d/b": B})


def test_what_is_deferred_has_other_bytes_here_unless_it_was_just_restored(path: Path) -> None:
    noted = Noted(path)
    table = these(saved("a"), saved("b", deferred=True), saved("c", deferred=True))
    noted.note(1, table, is_here=True)
    assert looks.read(path, Stat) == (1, {"a": A, "b": A, "c": A})
    noted.note(2, table.changed([saved("b", B)]), is_here=False)
    assert looks.read(path, Stat) == (2, {"a": A, "b": B})


STEPS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(("a", "b", "d/a", "d/b")), st.tuples(st.sampled_from((A, B)), st.booleans())),
        st.sets(st.sampled_from(("a", "b", "d/a", "d/b"))),
    )
)


@given(STEPS)
def test_each_note_says_the_same_as_if_it_were_the_first(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[dict[str, tuple[Stat, bool]], set[str]]]
) -> None:
    path = tmp_path_factory.mktemp("noted") / "saved"
    noted, table = Noted(path), these(saved("a"), saved("d/a"))
    noted.note(0, table, is_here=False)
    for number, (put, gone) in enumerate(steps, start=1):
        table = table.changed((saved(name, stat, deferred=late) for name, (stat, late) in put.items()), gone)
        noted.note(number, table, is_here=False)
        assert looks.read(path, Stat) == (number, of(table.values()))


def of(files: Iterable[Saved]) -> dict[str, Stat]:
    return {each.record.name: each.stat for each in files if not each.record.deferred}


def test_a_note_costs_what_has_changed_and_the_file_does_not_grow_for_ever(path: Path) -> None:
    table = Table.of(saved(f"{number:04}") for number in range(2000))
    noted = Noted(path)
    noted.note(0, table, is_here=False)
    whole = path.stat().st_size
    sizes = []
    for number in range(1, 20):
        table = table.changed(saved(f"{each:04}", A.but(size=number)) for each in range(400))
        noted.note(number, table, is_here=False)
        sizes.append(path.stat().st_size)
    assert sizes[0] < 1.3 * whole
    assert max(sizes) < 3 * whole
    assert looks.read(path, Stat) == (number, of(table.values()))


def test_an_idle_cycle_writes_nothing(path: Path) -> None:
    noted, table = Noted(path), these(saved("a"))
    noted.note(1, table, is_here=False)
    path.unlink()
    noted.note(1, table, is_here=False)
    assert not path.exists()


def test_after_a_note_that_failed_the_next_one_says_all(path: Path) -> None:
    noted, table = Noted(path), these(saved("a"), saved("b"))
    noted.note(1, table, is_here=False)
    path.unlink()
    table = table.changed([saved("b", B)])
    with pytest.raises(FileNotFoundError):
        noted.note(2, table, is_here=False)
    noted.note(2, table, is_here=False)
    assert looks.read(path, Stat) == (2, {"a": A, "b": B})
