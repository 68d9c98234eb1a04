import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osmo.checkpoint import packed
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.table import EMPTY, Draft, Files, Table, Unread
from osmo.checkpoint.tree import UNKNOWN, Stat
from osmo.errors import AccessDenied

HEX = "0123456789abcdef"
numbers = st.integers(-(2**63), 2**63 - 1)
names = st.binary(min_size=1, max_size=12).map(os.fsdecode)
digests = st.text(HEX, min_size=64, max_size=64) | st.text(max_size=5) | st.just("A" * 64) | st.just("0 " * 32)
etags = st.text(HEX, min_size=32, max_size=32).map(lambda text: f'"{text}"') | st.text(HEX, min_size=32, max_size=34)
records = st.builds(
    FileRecord,
    name=names,
    size=st.integers(0, 2**63 - 1),
    mode=st.integers(0, 2**16 - 1),
    mtime_ns=numbers,
    digest=digests,
    place=names,
    etag=etags | st.text(max_size=3) | st.just('"'),
    deferred=st.booleans(),
    torn_possible=st.booleans(),
    live=st.booleans(),
    blocks=st.text(max_size=3),
)
stats = st.builds(Stat, numbers, numbers, numbers, st.integers(0, 2**64 - 1), st.integers(0, 2**16 - 1))
saved = st.builds(Saved, stats | st.just(UNKNOWN), records, st.booleans())


def one(name: str, digest: str = "d", **facts: object) -> Saved:
    return Saved(UNKNOWN, FileRecord(name, 3, 0o644, 7, digest, f"ckpt/{name}", "e", **facts))  # type: ignore[arg-type]


@settings(max_examples=40)
@given(saved)
def test_what_is_packed_comes_back_as_it_was(file: Saved) -> None:
    for each in (file, replace(file, record=replace(file.record, place=f"ckpt/{file.record.name}"))):
        value = packed.pack(each)
        assert packed.unpack(each.record.name, value) == each
        assert value.startswith(each.stat)
        assert value[packed.SIZE] == each.record.size.to_bytes(8, "little")


def test_an_object_whose_name_ends_like_the_file_is_no_plain_file() -> None:
    table = Table.of([replace(one("x-1"), record=replace(one("x-1").record, place=".osmo/s/objects/x-1")), one("a")])
    assert [*table.objects()] == [".osmo/s/objects/x-1"]
    assert [*Table.of([one("a", blocks="b")]).objects()] == ["ckpt/a", "b"]


def test_more_beginnings_of_places_than_are_counted_are_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = packed._Heads()
    heads.texts = heads.texts * (1 << 16)
    monkeypatch.setattr(packed, "_heads", heads)
    file = replace(one("a").record, place="never/seen/a")
    assert packed.record("a", packed.pack(Saved(UNKNOWN, file))) == file


@pytest.mark.parametrize("wrong", [{"size": 2**63}, {"mode": 2**16}, {"mtime_ns": -(2**63) - 1}, {"etag": "e" * 2**16}])
def test_a_record_that_no_file_can_have_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="none|bytes"):
        packed.pack(Saved(UNKNOWN, replace(one("a").record, **wrong)))  # type: ignore[arg-type]


@settings(max_examples=40)
@given(st.lists(saved, max_size=6), st.lists(saved, max_size=4), st.lists(names, max_size=3))
def test_a_table_is_what_a_dict_would_be(first: list[Saved], then: list[Saved], lost: list[str]) -> None:
    want = {file.record.name: file for file in first}
    before = Table.of(first)
    gone = [*lost, *list(want)[:1]]
    after = before.changed(then, gone)
    assert dict(before) == want
    want = {name: file for name, file in want.items() if name not in gone}
    want |= {file.record.name: file for file in then}
    assert dict(after) == want
    assert len(after) == len(want)
    assert after.size == sum(file.record.size for file in want.values())
    assert after.deferred == {name for name, file in want.items() if file.record.deferred}
    assert after.unsure == {name for name, file in want.items() if file.unsure}
    assert after.odd == {name for name in want if not name.isprintable()}
    differs = {name for name, file in want.items() if name not in before or before[name].record != file.record}
    assert set(after.differs(before)) == differs
    assert set(after.lacks(before)) == before.keys() - after.keys()
    assert [*Files(after)] == [file.record for file in after.values()]


def test_a_draft_goes_on_without_changing_what_it_gave() -> None:
    draft = Draft()
    draft.put(one("d/a"))
    first = draft.table()
    draft.put(one("d/b"))
    draft.remove("d/a")
    assert [*first] == ["d/a"]
    assert [*draft.table()] == ["d/b"]
    assert first.folder("d/").keys() == {"a"}


def test_what_did_not_change_is_shared() -> None:
    before = Table.of([one("a/x"), one("b/x")])
    after = before.changed([one("b/y")])
    assert after.folder("a/") is before.folder("a/")
    assert after.folder("b/")["x"] is before.folder("b/")["x"]


def test_the_same_name_is_found_whatever_slashes_it_has() -> None:
    odd = ["a", "/a", "a/", "//", "d/a", "d//a"]
    table = Table.of(map(one, odd))
    assert {name for name in odd if name in table} == set(odd)
    assert {name: file.record.name for name, file in table.items()} == {name: name for name in odd}
    assert "d" not in table


def test_files_of_a_size_are_found() -> None:
    table = Table.of([one("a"), replace(one("b"), record=replace(one("b").record, size=1000))])
    assert [file.name for file in table.of_sizes({1000, 7})] == ["b"]


def test_files_are_equal_by_their_records_only() -> None:
    here = Table.of([replace(one("a"), stat=Stat(1, 2, 3, 4, 5), unsure=True)])
    assert Files(here) == Files.of([one("a").record])
    assert Files(here) != Files.of([one("a", "other").record])
    assert Files(here) != Files.of([one("a").record, one("b").record])
    assert one("a").record in Files(here)
    assert one("a", "other").record not in Files(here)


def test_files_that_were_not_read_know_how_many_they_are_and_else_only_why() -> None:
    files = Unread(AccessDenied("no", hint="ask"), 5, 7)
    assert (len(files), files.size) == (5, 7)
    for ask in (lambda: files.table, lambda: [*files], lambda: files.get("a")):
        with pytest.raises(AccessDenied, match="no") as caught:
            ask()
        assert caught.value.hint == "ask"
    assert len(EMPTY) == 0
