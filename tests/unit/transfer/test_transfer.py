import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from osmo.errors import AccessDenied
from osmo.store.base import Object
from osmo.transfer import download as downloading
from osmo.transfer.download import download
from osmo.transfer.upload import upload
from osmo.transfer.walk import walk
from support.clock import FakeClock
from support.memory import MemoryStore
from support.stores import Flaky, Wrapper

MIB = 1 << 20


def everything(_: str) -> bool:
    return True


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_bytes(b"one")
    (folder / "sub/b.pt").write_bytes(b"three")
    return folder


def test_a_folder_goes_up_and_comes_back(folder: Path, memory: MemoryStore, clock: FakeClock, tmp_path: Path) -> None:
    (folder / "big").write_bytes(os.urandom(9 * MIB + 1))
    moved: dict[str, int] = {}

    def count(path: str, size: int) -> None:
        moved[path] = moved.get(path, 0) + size

    report = upload(memory, walk(str(folder), everything), clock=clock, progress=count)
    assert set(memory.objects) == {"data/a", "data/big", "data/sub/b.pt"}
    assert (len(report.done), report.failed, report.size) == (3, [], 9 * MIB + 9)
    assert sum(moved.values()) == report.size
    back = download(memory, memory.list(""), tmp_path / "back", clock=clock)
    assert (len(back.done), back.failed) == (3, [])
    for name in ("a", "big", "sub/b.pt"):
        assert (tmp_path / "back/data" / name).read_bytes() == (folder / name).read_bytes()
    assert not list((tmp_path / "back").rglob(".osmo*"))


def test_one_bad_entry_costs_no_other(folder: Path, memory: MemoryStore, clock: FakeClock) -> None:
    (folder / "dangling").symlink_to("nowhere")
    (folder / "link").symlink_to("a")
    (folder / "folder").symlink_to("sub")
    os.mkfifo(folder / "pipe")
    report = upload(memory, walk(str(folder), everything), clock=clock)
    assert set(memory.objects) == {"data/a", "data/link", "data/sub/b.pt"}
    assert report.failed == [(f"{folder}/dangling", f"{folder}/dangling: No such file or directory")]


@pytest.mark.parametrize(
    ("written", "regex", "want"),
    [
        ("{}", r"data/sub/.*", {"data/sub/b.pt"}),
        ("{}", r"sub/.*\.pt", {"data/sub/b.pt"}),
        ("{}/*", "a", {"a"}),
        ("{}/a", "nothing", {"a"}),
        ("{}/gone", "", set()),
    ],
)
def test_which_files_are_taken(folder: Path, written: str, regex: str, want: set[str]) -> None:
    from osmo.transfer.names import matcher

    found = list(walk(written.format(folder), matcher(regex)))
    assert {source.key for source in found if not source.problem} == want


def test_a_moments_trouble_is_waited_out(folder: Path, memory: MemoryStore, clock: FakeClock) -> None:
    report = upload(Flaky(memory, 2), walk(f"{folder}/a", everything), clock=clock)
    assert (report.failed, memory.objects["a"]) == ([], b"one")


def test_a_trouble_that_stays_is_reported(folder: Path, memory: MemoryStore, clock: FakeClock) -> None:
    report = upload(
        Flaky(memory, 99, lambda request: request.key == "data/a"), walk(str(folder), everything), clock=clock
    )
    assert [name for name, _ in report.failed] == [f"{folder}/a"]
    assert set(memory.objects) == {"data/sub/b.pt"}


def test_no_access_ends_it_at_once(folder: Path, memory: MemoryStore, clock: FakeClock) -> None:
    with pytest.raises(AccessDenied):
        upload(Flaky(memory, 99, error=AccessDenied), walk(str(folder), everything), at_once=1, clock=clock)
    assert memory.objects == {}


def test_a_file_that_changes_while_it_is_read_is_never_stored(
    folder: Path, memory: MemoryStore, clock: FakeClock
) -> None:
    (folder / "a").write_bytes(bytes(9 * MIB))

    def growing(path: str, size: int) -> None:
        if size > 0:
            with open(path, "ab") as file:
                file.write(b"x")

    report = upload(memory, walk(f"{folder}/a", everything), clock=clock, progress=growing)
    assert report.failed == [(f"{folder}/a", f"{folder}/a: it changed while it was read")]
    assert memory.objects == {}


class Ending(Wrapper):
    """The process is ended by the request for what lies from `at` on. begun: where each range began."""

    def __init__(self, inner: MemoryStore, at: int) -> None:
        super().__init__(inner)
        self.at = at
        self.begun: set[int] = set()

    def get_range(self, key: str, start: int, length: int) -> bytes:
        self.begun.add(start)
        if start == self.at:
            raise KeyboardInterrupt
        return self.inner.get_range(key, start, length)


def test_what_came_before_the_end_is_not_fetched_again(memory: MemoryStore, clock: FakeClock, tmp_path: Path) -> None:
    body = os.urandom(20 * MIB)
    memory.put("big", body)
    with pytest.raises(KeyboardInterrupt):
        download(Ending(memory, at=16 * MIB), memory.list(""), tmp_path, clock=clock)
    (part,) = tmp_path.iterdir()
    assert (part.name.startswith(".osmo-download."), part.stat().st_size) == (True, 16 * MIB)
    whole = Ending(memory, at=-1)
    report = download(whole, memory.list(""), tmp_path, clock=clock)
    assert (report.size, whole.begun) == (4 * MIB, {16 * MIB})
    assert [path.name for path in tmp_path.iterdir()] == ["big"]
    assert (tmp_path / "big").read_bytes() == body


class Together(Wrapper):
    """Answers a request for a range once there are four of them."""

    def __init__(self, inner: MemoryStore) -> None:
        super().__init__(inner)
        self.four = threading.Barrier(4, timeout=30)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        self.four.wait()
        return self.inner.get_range(key, start, length)


def test_ranges_of_one_large_file_are_fetched_at_once(memory: MemoryStore, clock: FakeClock, tmp_path: Path) -> None:
    body = os.urandom(31 * MIB + 1)
    memory.put("big", body)
    download(Together(memory), memory.list(""), tmp_path, clock=clock)
    assert (tmp_path / "big").read_bytes() == body


def test_many_large_files_share_what_is_fetched_at_once() -> None:
    large = downloading._Large()
    with large.one_more(9 * MIB) as first, large.one_more(9 * MIB) as second, large.one_more(1) as small:
        assert (first, second, small) == (16, 8, 1)
    with large.one_more(9 * MIB) as alone:
        assert alone == 16


def test_the_half_of_another_object_is_not_gone_on_with(memory: MemoryStore, clock: FakeClock, tmp_path: Path) -> None:
    memory.put("big", bytes(20 * MIB))
    with pytest.raises(KeyboardInterrupt):
        download(Ending(memory, at=8 * MIB), memory.list(""), tmp_path, clock=clock)
    body = os.urandom(20 * MIB)
    memory.put("big", body)
    download(memory, memory.list(""), tmp_path, clock=clock)
    assert (tmp_path / "big").read_bytes() == body


class Mixed(Wrapper):
    """Another object appears between two ranges."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        if start == 0:
            self.inner.put(key, bytes(20 * MIB))
        return self.inner.get_range(key, start, length)


def test_an_object_that_changes_meanwhile_is_not_mixed(memory: MemoryStore, clock: FakeClock, tmp_path: Path) -> None:
    memory.put("big", os.urandom(20 * MIB))
    report = download(Mixed(memory), list(memory.list("")), tmp_path, clock=clock)
    assert [name for name, _ in report.failed] == [f"{memory.url}/big"]
    assert list(tmp_path.iterdir()) == []


class Damaging(Wrapper):
    """Gives out a wrong byte, the first time."""

    damaged = False

    def stream(self, key: str, size: int) -> Iterator[bytes]:
        if not self.damaged:
            self.damaged = True
            return iter((b"onf",))
        return self.inner.stream(key, size)


def test_bytes_that_are_not_the_objects_are_fetched_again(clock: FakeClock, tmp_path: Path) -> None:
    class Md5(MemoryStore):
        def head(self, key: str) -> Object:
            return Object(key, 3, "f97c5d29941bfb1b2fdab0874906ab82")

    store = Md5()
    store.put("k", b"one")
    report = download(Damaging(store), [store.head("k")], tmp_path, clock=clock)
    assert (report.failed, (tmp_path / "k").read_bytes()) == ([], b"one")


def test_an_etag_that_only_looks_like_a_digest_is_no_error(clock: FakeClock, tmp_path: Path) -> None:
    class Kms(MemoryStore):
        def head(self, key: str) -> Object:
            return Object(key, 3, "0" * 32)

    store = Kms()
    store.put("k", b"one")
    report = download(store, [store.head("k")], tmp_path, clock=clock)
    assert (report.failed, (tmp_path / "k").read_bytes()) == ([], b"one")


def test_resume_leaves_what_is_there(memory: MemoryStore, clock: FakeClock, tmp_path: Path) -> None:
    memory.put("a", b"one")
    memory.put("b", b"two")
    objects = list(memory.list(""))
    download(memory, objects, tmp_path, clock=clock)
    (tmp_path / "b").write_bytes(b"2!")
    report = download(memory, objects, tmp_path, resume=True, clock=clock)
    assert (report.skipped, report.done) == ([f"{memory.url}/a"], [f"{memory.url}/b"])
    assert (tmp_path / "b").read_bytes() == b"two"
    os.utime(tmp_path / "a", (0, 0))
    assert downloading.same(tmp_path / "a", objects[0])  # by its digest
    (tmp_path / "a").write_bytes(b"won")
    assert not downloading.same(tmp_path / "a", objects[0])


def test_nothing_is_written_outside_of_the_folder(memory: MemoryStore, clock: FakeClock, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link").symlink_to(tmp_path / "outside")
    memory.put("link/x", b"")
    objects = [*memory.list(""), Object("../outside/y", 0, ""), Object("/etc/z", 0, "")]
    report = download(memory, objects, tmp_path / "in", clock=clock)
    assert len(report.failed) == 3
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_key_that_is_a_folder_here_is_reported(memory: MemoryStore, clock: FakeClock, tmp_path: Path) -> None:
    memory.put("a", b"1")
    (tmp_path / "a").mkdir()
    report = download(memory, memory.list(""), tmp_path, clock=clock)
    assert [why for _, why in report.failed] == [f"{tmp_path}/a: Is a directory"]


def test_an_object_that_is_gone_is_reported(memory: MemoryStore, clock: FakeClock, tmp_path: Path) -> None:
    report = download(memory, [Object("gone", 1, "x")], tmp_path, clock=clock)
    assert [name for name, _ in report.failed] == [f"{memory.url}/gone"]
    assert list(tmp_path.iterdir()) == []
