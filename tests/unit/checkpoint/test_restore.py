import os
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from osmo.checkpoint.manifest import Checkpoint, FileRecord
from osmo.checkpoint.restore import Restored, RestoreError, restore
from osmo.checkpoint.tree import Tree
from osmo.errors import NoRanges, OsmoError, Unavailable
from support.memory import MemoryStore
from support.stores import Wrapper
from support.trees import Fifo, Link, grow
from unit.checkpoint import records

BIG = os.urandom(20 * 1024 * 1024 + 7)


def put(store: MemoryStore, place: str, content: bytes, **facts: object) -> FileRecord:
    etag = store.put(f"ckpt/{place}", content)
    digest = blake3(content).hexdigest()
    record = FileRecord(place, len(content), 0o640, 1_700_000_000_123_456_789, digest, f"ckpt/{place}", etag)
    return replace(record, **facts)  # type: ignore[arg-type]


def checkpoint(*files: FileRecord) -> Checkpoint:
    return records.checkpoint(1, files=files)


def run(store: Wrapper | MemoryStore, record: Checkpoint, folder: Path) -> tuple[dict[str, int], dict[str, OsmoError]]:
    """What was fetched of each file, and what failed."""
    fetched: dict[str, int] = {}

    def report(restored: Restored) -> None:
        fetched[restored.file.name] = restored.fetched

    failures = restore(store, record, folder, report)
    return fetched, failures


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_every_file_comes_back_with_its_bytes_mode_and_time(store: MemoryStore, tmp_path: Path) -> None:
    files = {"a": b"one", "deep/er/b": BIG, "empty": b"", "odd\nname": b"x"}
    record = checkpoint(*(put(store, name.replace("\n", "%0A"), body, name=name) for name, body in files.items()))
    fetched, failures = run(store, record, tmp_path / "new")
    assert failures == {}
    assert fetched == {name: len(body) for name, body in files.items()}
    for name, body in files.items():
        path = tmp_path / "new" / name
        assert path.read_bytes() == body
        assert (path.stat().st_mode & 0o7777, path.stat().st_mtime_ns) == (0o640, 1_700_000_000_123_456_789)
    assert sum(1 for path in (tmp_path / "new").rglob("*") if path.is_file()) == len(files)


def test_what_is_there_already_is_not_fetched(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "a", b"one"), put(store, "b", b"two"))
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"TWO")
    (tmp_path / "mine").write_bytes(b"mine")
    assert run(store, record, tmp_path) == ({"a": 0, "b": 3}, {})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"one", "b": b"two", "mine": b"mine"}


def test_other_bytes_than_the_record_says_never_get_the_name(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "a", b"one"), put(store, "b", b"two"))
    store.put("ckpt/a", b"eno")
    (tmp_path / "a").write_bytes(b"before")
    fetched, failures = run(store, record, tmp_path)
    assert (fetched, set(failures)) == ({"b": 3}, {"a"})
    assert "does not have the digest" in str(failures["a"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"before", "b": b"two"}


def test_a_missing_object_is_named_and_costs_no_other_file(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "a", b"one"), put(store, "b", b"two"))
    store.delete("ckpt/a")
    fetched, failures = run(store, record, tmp_path)
    assert (fetched, set(failures)) == ({"b": 3}, {"a"})
    assert "does not have its object any more" in str(failures["a"])
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


class Breaking(Wrapper):
    """Gives out so many ranges, then none."""

    def __init__(self, inner: MemoryStore, ranges: int) -> None:
        super().__init__(inner)
        self.ranges = ranges

    def get_range(self, key: str, start: int, length: int) -> bytes:
        self.ranges -= 1
        if self.ranges < 0:
            raise Unavailable("away")
        return self.inner.get_range(key, start, length)


def test_an_interrupted_restore_goes_on_where_it_was(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "big", BIG))
    _, failures = run(Breaking(store, 1), record, tmp_path)
    assert failures.keys() == {"big"}
    assert not (tmp_path / "big").exists()
    fetched, failures = run(store, record, tmp_path)
    assert (fetched, failures) == ({"big": len(BIG) - 8 * 1024 * 1024}, {})
    assert (tmp_path / "big").read_bytes() == BIG


class WithoutRanges(Breaking):
    """Like rclone's server."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        raise NoRanges("200, not 206")


def test_a_store_without_ranges_is_read_from_the_beginning(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "big", BIG), put(store, "empty", b""))
    run(Breaking(store, 1), record, tmp_path)
    assert run(WithoutRanges(store, 0), record, tmp_path)[1] == {}
    assert (tmp_path / "big").read_bytes() == BIG


def test_what_an_interrupted_restore_left_is_no_data_of_the_next_checkpoint(store: MemoryStore, tmp_path: Path) -> None:
    run(Breaking(store, 1), checkpoint(put(store, "big", BIG)), tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    scan = Tree(str(tmp_path)).scan()
    assert (scan.files, scan.problems) == ({}, {})


@pytest.mark.parametrize("name", ["n" * 255, "\u00fc" * 127, os.fsdecode(b"\xff" * 255), "d" * 255 + "/" + "n" * 255])
def test_a_name_as_long_as_a_name_can_be_comes_back(store: MemoryStore, tmp_path: Path, name: str) -> None:
    assert run(store, checkpoint(put(store, "x", b"one", name=name)), tmp_path) == ({name: 3}, {})
    assert (tmp_path / name).read_bytes() == b"one"


HOLE = 3 * 1024 * 1024


@pytest.mark.parametrize(
    "body",
    [
        bytes(HOLE),
        bytes(HOLE) + b"end",
        b"begin" + bytes(HOLE),
        BIG[:100_001] + bytes(HOLE) + BIG[:77] + bytes(HOLE + 13),
        bytes(8 * 1024 * 1024 + 1),
    ],
    ids=["only", "before", "behind", "between", "a range and a byte"],
)
def test_zeros_come_back_as_holes(store: MemoryStore, tmp_path: Path, body: bytes) -> None:
    assert run(store, checkpoint(put(store, "a", body)), tmp_path) == ({"a": len(body)}, {})
    assert (tmp_path / "a").read_bytes() == body
    assert (tmp_path / "a").stat().st_blocks * 512 < 1024 * 1024


def test_a_sparse_file_whose_restore_was_interrupted_is_whole(store: MemoryStore, tmp_path: Path) -> None:
    body = b"begin" + bytes(15 * 1024 * 1024) + b"middle" + bytes(10 * 1024 * 1024)
    record = checkpoint(put(store, "a", body))
    _, failures = run(Breaking(store, 2), record, tmp_path)
    assert failures.keys() == {"a"}
    assert run(store, record, tmp_path)[1] == {}
    assert (tmp_path / "a").read_bytes() == body


def test_a_pipe_that_lies_where_an_empty_file_belongs_is_replaced_not_waited_for(
    store: MemoryStore, tmp_path: Path
) -> None:
    grow(tmp_path, {"a": Fifo()})
    assert run(store, checkpoint(put(store, "a", b"")), tmp_path)[1] == {}
    assert (tmp_path / "a").is_file()


def test_leftovers_that_are_wrong_are_thrown_away(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "big", BIG))
    run(Breaking(store, 1), record, tmp_path)
    (leftover,) = tmp_path.iterdir()
    leftover.write_bytes(b"x" * 100)
    assert run(store, record, tmp_path) == ({"big": len(BIG)}, {})
    assert (tmp_path / "big").read_bytes() == BIG


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a//b", "", ".", "a\0b"])
def test_a_record_that_names_what_is_not_beneath_the_folder_is_refused(
    store: MemoryStore, tmp_path: Path, name: str
) -> None:
    record = checkpoint(put(store, "fine", b"fine"), put(store, "a", b"one", name=name))
    with pytest.raises(RestoreError, match="nothing was restored"):
        run(store, record, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_link_that_leads_out_is_not_followed(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "sub").symlink_to(tmp_path / "outside")
    _, failures = run(store, checkpoint(put(store, "sub/a", b"one")), tmp_path / "new")
    assert "leads out" in str(failures["sub/a"])
    assert list((tmp_path / "outside").iterdir()) == []


def test_nothing_is_made_or_touched_behind_a_link_that_leads_out(store: MemoryStore, tmp_path: Path) -> None:
    grow(tmp_path, {"outside/a": "one", "new/sub": Link("../outside")})
    before = (tmp_path / "outside" / "a").stat()
    record = checkpoint(put(store, "sub/a", b"one"), put(store, "sub/deep/b", b"two"))
    _, failures = run(store, record, tmp_path / "new")
    assert failures.keys() == {"sub/a", "sub/deep/b"}
    assert (tmp_path / "outside" / "a").stat() == before
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["a"]


def test_a_link_at_the_files_own_name_is_replaced_not_written_through(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"outside")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a").symlink_to(tmp_path / "outside")
    assert run(store, checkpoint(put(store, "a", b"one")), tmp_path / "new") == ({"a": 3}, {})
    assert (tmp_path / "outside").read_bytes() == b"outside"
    assert (tmp_path / "new" / "a").read_bytes() == b"one"


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "a", b"one", size=10**18))
    with pytest.raises(RestoreError, match="are free: nothing was restored"):
        run(store, record, tmp_path / "new")
    assert not (tmp_path / "new").exists()
