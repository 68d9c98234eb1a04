import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from osmo.checkpoint.blocks import BLOCK, Blocks, holes
from osmo.checkpoint.fetch import Lost, RestoreError, Stopped
from osmo.checkpoint.manifest import Checkpoint, FileRecord
from osmo.checkpoint.restore import Onlooker, Outcome, Restored, bring, restore
from osmo.checkpoint.targets import Mark, Target, check_space, targets
from osmo.checkpoint.tree import Tree
from osmo.checkpoint.walk import walk
from osmo.errors import NoRanges, OsmoError, StoreError, Unavailable
from support.memory import MemoryStore
from support.stores import Recording, Request, Wrapper
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

    failures = bring(store, records.STREAM, record, folder, Onlooker(done=report))
    return fetched, failures


def everything(folder: Path) -> dict[str, bytes]:
    """Every file beneath a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def named(folder: Path) -> dict[str, bytes]:
    """The same without what a restore has begun to fetch."""
    return {name: body for name, body in everything(folder).items() if ".osmo-restore." not in name}


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


def test_who_looks_on_is_told_the_names_that_files_are_to_have(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "a", b"1"), put(store, "deep/b", b"22"))
    (tmp_path / "a").write_bytes(b"1")
    told: list[tuple[Path, int]] = []
    bring(store, records.STREAM, record, tmp_path, Onlooker(received=lambda path, count: told.append((path, count))))
    assert {path for path, _ in told} == {tmp_path / "a", tmp_path / "deep/b"}
    assert sum(count for _, count in told) == 3


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
    _, failures = run(store, record, tmp_path)
    assert "does not have the digest" in str(failures["a"])
    assert named(tmp_path) == {"a": b"before"}


def test_a_missing_object_is_named_and_the_folder_keeps_what_it_had(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "a", b"one"), put(store, "b", b"two"), put(store, "c", b"three"))
    store.delete("ckpt/a")
    grow(tmp_path, {"b": "before"})
    _, failures = run(store, record, tmp_path)
    assert failures.keys() == {"a"}
    assert "is not there any more" in str(failures["a"])
    assert named(tmp_path) == {"b": b"before"}


def test_of_a_damaged_checkpoint_what_is_whole_comes_back_if_that_is_wanted(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "a", b"one"), put(store, "b", b"two"))
    store.delete("ckpt/a")
    failures = bring(store, records.STREAM, record, tmp_path, Onlooker(), partial=True)
    assert failures.keys() == {"a"}
    assert everything(tmp_path) == {"b": b"two"}


def test_a_million_files_that_are_not_there_are_not_all_asked_for(store: MemoryStore, tmp_path: Path) -> None:
    fine = put(store, "a", b"one")
    record = checkpoint(*(replace(fine, name=str(number), place=f"ckpt/no-{number}") for number in range(1000)))
    asked = Recording(store)
    _, failures = run(asked, record, tmp_path)
    assert 20 <= len(failures) < 40
    assert len([key for method, key in asked.take() if method == "stream"]) < 40
    assert everything(tmp_path) == {}


OLD = f".osmo/{records.STREAM}/old/"


def test_bytes_that_were_overwritten_come_from_the_copy_that_has_their_digest(
    store: MemoryStore, tmp_path: Path
) -> None:
    record = checkpoint(put(store, "a", b"one"), put(store, "big", BIG))
    for file in record.files:
        store.put(file.place, b"newer")
        store.put(f"{OLD}{file.digest}.00000001-00000001-1", b"neither")
    store.put(f"{OLD}{next(iter(record.files)).digest}.00000001-00000001-2", b"one")
    store.put(f"{OLD}{[*record.files][1].digest}.00000001-00000001-2", BIG)
    assert run(store, record, tmp_path)[1] == {}
    assert everything(tmp_path) == {"a": b"one", "big": BIG}


def test_old_copies_are_listed_once_for_all_files(store: MemoryStore, tmp_path: Path) -> None:
    files = [put(store, str(number), b"%d" % number) for number in range(10)]
    for number, file in enumerate(files):
        store.put(file.place, b"newer")
        store.put(f"{OLD}{file.digest}.00000001-00000001-{number}", b"%d" % number)
    asked = Recording(store)
    assert run(asked, checkpoint(*files), tmp_path)[1] == {}
    assert len([key for method, key in asked.take() if method == "list"]) == 1


def test_a_copy_that_is_made_while_others_are_fetched_is_found(store: MemoryStore, tmp_path: Path) -> None:
    first, second = put(store, "a", b"one"), put(store, "b", b"two")
    store.put("ckpt/a", b"newer")
    store.put(f"{OLD}{first.digest}.00000001-00000001-1", b"one")

    def writer_goes_on(request: Request) -> None:
        if request.key == "ckpt/b":
            store.put(f"{OLD}{second.digest}.00000002-00000001-1", b"two")
            store.put("ckpt/b", b"newer")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("osmo.checkpoint.restore._FILES_AT_ONCE", 1)  # in this order
        assert run(Recording(store, writer_goes_on), checkpoint(first, second), tmp_path)[1] == {}
    assert everything(tmp_path) == {"a": b"one", "b": b"two"}


class Strict(Wrapper):
    """Refuses a range that begins behind the end, as S3 does."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        if start >= self.inner.head(key).size:
            raise StoreError(f"{key}: 416 InvalidRange")
        return self.inner.get_range(key, start, length)


def test_an_object_that_is_shorter_than_what_is_here_already_is_lost_not_out_of_reach(
    store: MemoryStore, tmp_path: Path
) -> None:
    record = checkpoint(put(store, "a", b"0123456789"))
    (item,) = targets(record, records.STREAM, tmp_path, store.url)
    item.unfinished.write_bytes(b"01234")
    store.put("ckpt/a", b"012")
    (error,) = run(Strict(store), record, tmp_path)[1].values()
    assert isinstance(error, Lost)


def test_a_large_file_that_was_overwritten_is_not_fetched_in_vain(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "big", BIG))
    store.put("ckpt/big", BIG[::-1])
    store.put(f"{OLD}{next(iter(record.files)).digest}.00000001-00000001-1", BIG)
    asked = Recording(store)
    assert run(asked, record, tmp_path) == ({"big": len(BIG)}, {})
    assert ("get_range", "ckpt/big") not in asked.take()


def test_a_bucket_that_was_copied_has_other_etags_and_the_same_bytes(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "big", BIG), put(store, "a", b"one"))
    store.etags = dict.fromkeys(store.etags, "new")
    assert run(store, record, tmp_path)[1] == {}


def test_an_object_of_osmos_own_has_no_copies(store: MemoryStore, tmp_path: Path) -> None:
    file = replace(put(store, "a", b"one"), place=".osmo/train.ckpt/objects/00000002-00000001-1")
    store.put(f"{OLD}{file.digest}.00000001-00000001-1", b"one")
    assert run(store, checkpoint(file), tmp_path)[1].keys() == {"a"}


@pytest.mark.parametrize("size", [3, 8 * 1024 * 1024, len(BIG)])
def test_an_object_that_is_shorter_than_the_record_says_is_other_bytes(
    store: MemoryStore, tmp_path: Path, size: int
) -> None:
    file = put(store, "a", BIG)
    store.put("ckpt/a", BIG[: size - 1])
    _, failures = run(store, checkpoint(file), tmp_path)
    assert "does not have the digest" in str(failures["a"])


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


def interrupted(store: MemoryStore, ranges: int, record: Checkpoint, folder: Path) -> None:
    """A restore during which the store goes away."""
    with pytest.raises(Unavailable):
        run(Breaking(store, ranges), record, folder)


def test_an_interrupted_restore_goes_on_where_it_was(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "big", BIG))
    interrupted(store, 1, record, tmp_path)
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
    interrupted(store, 1, record, tmp_path)
    assert run(WithoutRanges(store, 0), record, tmp_path)[1] == {}
    assert (tmp_path / "big").read_bytes() == BIG


def test_what_an_interrupted_restore_left_is_no_data_of_the_next_checkpoint(store: MemoryStore, tmp_path: Path) -> None:
    interrupted(store, 1, checkpoint(put(store, "big", BIG)), tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    scan = walk(Tree(str(tmp_path)))
    assert (list(scan.files), scan.problems) == ([], {})


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
    interrupted(store, 2, record, tmp_path)
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
    interrupted(store, 1, record, tmp_path)
    (leftover,) = tmp_path.iterdir()
    leftover.write_bytes(b"x" * 100)
    assert run(store, record, tmp_path)[1] == {}
    assert everything(tmp_path) == {"big": BIG}


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a//b", "", ".", "a\0b", "\ud800"])
def test_a_record_that_names_what_is_not_beneath_the_folder_is_refused(
    store: MemoryStore, tmp_path: Path, name: str
) -> None:
    record = checkpoint(put(store, "fine", b"fine"), put(store, "a", b"one", name=name))
    with pytest.raises(RestoreError, match="nothing was restored"):
        run(store, record, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_digest_that_is_none_is_that_of_no_bytes(store: MemoryStore, tmp_path: Path) -> None:
    _, failures = run(store, checkpoint(put(store, "a", b"one", digest="\ud800")), tmp_path)
    assert "does not have the digest" in str(failures["a"])


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


@pytest.mark.parametrize("place", ["../x", "/x", "a/../../x", "a//b", "", ".", "a/", "a\nb"])
def test_a_record_whose_bytes_lie_outside_the_url_is_refused(store: MemoryStore, tmp_path: Path, place: str) -> None:
    record = checkpoint(put(store, "fine", b"fine"), replace(put(store, "a", b"one"), place=place))
    with pytest.raises(RestoreError, match="no key at memory://test: nothing was restored"):
        run(store, record, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_record_that_names_a_file_where_a_folder_should_be_is_refused(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "x", b"one", name="a"), put(store, "y", b"two", name="a/deep/b"))
    with pytest.raises(RestoreError, match="a file where its folder should be"):
        run(store, record, tmp_path / "new")


def test_a_folder_where_a_file_should_be_stays_and_so_does_all_else(store: MemoryStore, tmp_path: Path) -> None:
    grow(tmp_path, {"a/mine": "mine", "b": "before"})
    _, failures = run(store, checkpoint(put(store, "a", b"one"), put(store, "b", b"two")), tmp_path)
    assert "is a folder" in str(failures["a"])
    assert named(tmp_path) == {"a/mine": b"mine", "b": b"before"}


def test_blocks_of_zeros_need_no_room(store: MemoryStore, tmp_path: Path) -> None:
    """As far as the digests of its blocks are in the store."""
    zeros, other = blake3(bytes(BLOCK)).digest(16), b"other" + bytes(11)
    sparse = replace(put(store, "a", b""), size=3 * BLOCK + 1, blocks="blocks")
    assert holes(store, sparse) == 0
    store.put("blocks", Blocks(sparse.size, sparse.digest, (zeros, other, zeros, zeros)).encode())
    assert holes(store, sparse) == 2 * BLOCK
    found = os.statvfs(tmp_path)
    large = replace(sparse, size=2 * found.f_bavail * found.f_frsize + 10 * BLOCK)
    items = [Target(large, tmp_path / "a", tmp_path / "b")]
    check_space(tmp_path, items, lambda file: file.size - BLOCK)
    with pytest.raises(RestoreError, match="are free: nothing was restored"):
        check_space(tmp_path, items, lambda file: BLOCK)


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "a", b"one", size=10**18))
    with pytest.raises(RestoreError, match="are free: nothing was restored"):
        run(store, record, tmp_path / "new")
    assert not (tmp_path / "new").exists()


class Full(Wrapper):
    """A disk that is full as soon as bytes come."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    def stream(self, key: str, size: int) -> Iterator[bytes]:
        return iter((self.get_range(key, 0, size),))


def test_a_disk_that_is_full_ends_it_in_one_line(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "a", b"one"), put(store, "b", b"two"))
    grow(tmp_path, {"a": "before"})
    with pytest.raises(RestoreError, match="no space left on device"):
        run(Full(store), record, tmp_path)
    assert named(tmp_path) == {"a": b"before"}


@pytest.mark.parametrize("size", [3, 2 * 1024 * 1024])
def test_no_file_gets_its_name_before_its_bytes_are_on_the_disk(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    record = checkpoint(put(store, "a", b"x" * size))
    grow(tmp_path, {"a": "before"})
    unfinished = targets(record, records.STREAM, tmp_path, "")[0].unfinished

    def fails(descriptor: int) -> None:
        if os.path.sameopenfile(descriptor, opened.fileno()):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.fsync", fails)
    with unfinished.open("ab") as opened, pytest.raises(RestoreError, match="input/output error"):
        run(store, record, tmp_path)
    assert named(tmp_path) == {"a": b"before"}


def test_a_second_restore_into_the_same_folder_is_refused(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "a", b"one"))

    def another(_: Restored) -> None:
        with pytest.raises(RestoreError, match="another restore is at work there"):
            run(store, record, tmp_path)

    assert bring(store, records.STREAM, record, tmp_path, Onlooker(done=another)) == {}
    assert everything(tmp_path) == {"a": b"one"}


def test_who_wants_it_no_more_finds_the_folder_as_it_was(store: MemoryStore, tmp_path: Path) -> None:
    record = checkpoint(put(store, "a", b"one"))
    with pytest.raises(Stopped):
        bring(store, records.STREAM, record, tmp_path, Onlooker(stopped=lambda: True))
    assert named(tmp_path) == {}


def cut_short(record: Checkpoint, store: MemoryStore, folder: Path, after: int) -> None:
    """A restore that is killed when so many files have their names."""
    left = after

    def replace_or_die(source: Path, target: Path) -> None:
        nonlocal left
        if source.name.startswith(".osmo-restore."):
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
        os.replace(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replace_or_die)
        with pytest.raises(KeyboardInterrupt):
            run(store, record, folder)


def test_files_that_a_killed_restore_brought_do_not_stay_beside_those_of_another_checkpoint(
    store: MemoryStore, tmp_path: Path
) -> None:
    grow(tmp_path, {"mine": "mine"})
    first = checkpoint(put(store, "a", b"one"), put(store, "b", b"two"), put(store, "c", b"three"))
    second = checkpoint([*first.files][1], put(store, "d", b"four"))
    cut_short(first, store, tmp_path, 2)
    assert named(tmp_path) == {"mine": b"mine", "a": b"one", "b": b"two"}
    assert Mark(tmp_path, records.STREAM).is_set
    assert run(store, second, tmp_path)[1] == {}
    assert everything(tmp_path) == {"mine": b"mine", "b": b"two", "d": b"four"}


def test_what_a_person_wrote_since_a_killed_restore_stays(store: MemoryStore, tmp_path: Path) -> None:
    first = checkpoint(put(store, "a", b"one"), put(store, "b", b"two"))
    cut_short(first, store, tmp_path, 1)
    grow(tmp_path, {"a": "mine"})
    assert run(store, checkpoint([*first.files][1]), tmp_path)[1] == {}
    assert everything(tmp_path) == {"a": b"mine", "b": b"two"}


class Moving(Wrapper):
    """At the first read of a key beginning with `what`, something happens to the store."""

    def __init__(self, inner: MemoryStore, what: str, happens: Callable[[], None]) -> None:
        super().__init__(inner)
        self.what, self.happens = what, happens

    def get_range(self, key: str, start: int, length: int) -> bytes:
        if key.startswith(self.what):
            self.happens()
            self.happens = lambda: None
        return self.inner.get_range(key, start, length)

    def stream(self, key: str, size: int) -> Iterator[bytes]:
        return iter((self.get_range(key, 0, size),))


def newest(store: Wrapper | MemoryStore, folder: Path, number: int | None = None) -> Outcome:
    return restore(store, records.STREAM, number, folder, Onlooker())


def test_a_restore_that_loses_an_object_to_a_newer_checkpoint_begins_again_with_that(
    store: MemoryStore, tmp_path: Path
) -> None:
    kept, gone, new = put(store, "kept", BIG), put(store, "gone", b"one"), put(store, "new", b"two")
    first = records.checkpoint(2, files=(kept, gone))
    records.put(store, records.claim(1), first)

    def tidy() -> None:
        second = records.checkpoint(3, prev=first.mark, count=3, files=(kept, new))
        records.put(store, second)
        store.delete("ckpt/gone")
        store.delete(f".osmo/{records.STREAM}/log/00000002.json")

    asked = Recording(Moving(store, "ckpt/gone", tidy))
    outcome = newest(asked, tmp_path)
    assert (outcome.checkpoint.number, outcome.failures) == (3, {})
    assert everything(tmp_path) == {"kept": BIG, "new": b"two"}
    assert [key for method, key in asked.take() if method == "get_range"].count("ckpt/kept") == 3


def test_a_checkpoint_that_was_asked_for_and_dropped_meanwhile_is_said_to_be(
    store: MemoryStore, tmp_path: Path
) -> None:
    first = records.checkpoint(2, files=(put(store, "a", b"one"),))
    records.put(store, records.claim(1), first, records.checkpoint(3, prev=first.mark))

    def prune() -> None:
        store.delete("ckpt/a")
        store.delete(f".osmo/{records.STREAM}/log/00000002.json")

    with pytest.raises(RestoreError, match="checkpoint 2 of train.ckpt was dropped while it was read"):
        newest(Moving(store, "ckpt/a", prune), tmp_path, 2)
    assert named(tmp_path) == {}


def test_an_object_that_is_missing_with_no_newer_checkpoint_is_damage(store: MemoryStore, tmp_path: Path) -> None:
    records.put(store, records.claim(1), records.checkpoint(2, files=(put(store, "a", b"one"),)))
    store.delete("ckpt/a")
    assert newest(store, tmp_path).failures.keys() == {"a"}
    assert newest(store, tmp_path, 2).failures.keys() == {"a"}


def test_checkpoints_that_come_faster_than_one_can_be_read_end_it(store: MemoryStore, tmp_path: Path) -> None:
    records.put(store, records.claim(1), records.checkpoint(2, files=(put(store, "a", b"one"),)))
    numbers = iter(range(3, 1000))

    def faster(request: Request) -> None:
        if request.method == "stream":
            store.delete("ckpt/a")
            number = next(numbers)
            records.put(store, records.checkpoint(number, files=(put(store, "a", b"%d" % number),)))

    with pytest.raises(RestoreError, match="faster than one can be read"):
        newest(Recording(store, faster), tmp_path)


def test_a_plain_file_that_another_task_overwrote_is_said_to_be(store: MemoryStore, tmp_path: Path) -> None:
    records.put(store, records.claim(1), records.checkpoint(2, files=(put(store, "a", b"one"),)))
    theirs = put(store, "a", b"two")
    records.put(store, records.checkpoint(2, writer=records.TWO, files=(theirs,)), stream="other.ckpt")
    (error,) = newest(store, tmp_path).failures.values()
    assert "other.ckpt of run-2 writes there, too" in str(error)
