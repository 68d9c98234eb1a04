"""Every store keeps the contract; and what is true of one kind only."""

import errno
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from contract.conftest import BUCKET
from contract.s3 import S3Contract, path_of, write_profile
from contract.store import MIB, PART, Moved, StoreContract, listed
from osmo.clock import SystemClock
from osmo.errors import AccessDenied, NoBucket, NoCopy, NoRanges, NotFound, StoreError, Unavailable, UnknownHost
from osmo.store import obs, splice
from osmo.store.ahead import pieces
from osmo.store.base import Object, Range, Splicing, Store
from osmo.store.condition import Conditions
from osmo.store.open import open_store, probe
from osmo.store.trust import Trust
from support import planted
from support.memory import MemoryStore
from support.servers import NO_METADATA, S3Server, free_port, rclone_s3, s3_client, silent_server
from support.stores import Overwriting


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestOverwriting(StoreContract):
    create_only = False

    @pytest.fixture
    def store(self) -> Store:
        return Overwriting(MemoryStore())


class TestFile(StoreContract):
    splices = False

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return open_store(f"file://{tmp_path}/made/when needed#1/", {})

    def check_literal(self, store: Store, key: str) -> None:
        path = Path(store.url.removeprefix("file://"), key)
        assert path.read_bytes() == b"22"

    def test_nothing_is_made_before_it_is_needed(self, store: Store, tmp_path: Path) -> None:
        assert listed(store) == {}
        probe(store.url, {})
        assert list(tmp_path.iterdir()) == []

    def test_temporaries_are_never_shown_and_do_no_harm(self, store: Store, tmp_path: Path) -> None:
        def looking() -> Iterator[bytes]:
            yield b"half"
            seen.update(os.listdir(root / "d"))
            assert listed(store) == {}

        root, seen = Path(store.url.removeprefix("file://")), set[str]()
        store.put_parts("d/k", looking(), part_size=PART, concurrency=1)
        (left,) = seen
        (root / "d" / left).write_bytes(b"left by a process that was killed")
        assert set(listed(store)) == {"d/k"}
        with pytest.raises(StoreError, match="temporary"):
            store.put(f"d/{left}", b"")
        assert store.get("d/k") == b"half"

    def test_a_temporary_of_yesterday_is_removed_by_a_listing(self, store: Store, tmp_path: Path) -> None:
        store.put("a/b", b"x")
        old, new = (next(tmp_path.rglob("b")).with_name(f".osmo-part.{name}") for name in ("old", "new"))
        for path in (old, new):
            path.write_bytes(b"half")
        os.utime(old, (0, 0))
        assert [found.key for found in store.list("")] == ["a/b"]
        assert (old.exists(), new.exists()) == (False, True)

    def test_a_failed_write_leaves_no_temporary(self, store: Store) -> None:
        def moving() -> Iterator[bytes]:
            yield b"x"
            raise Moved

        with pytest.raises(Moved):
            store.put_parts("d/k", moving(), part_size=PART, concurrency=1)
        assert os.listdir(Path(store.url.removeprefix("file://"), "d")) == []

    def test_links_are_not_followed(self, store: Store, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_text("not ours")
        store.put("a", b"")
        root = Path(store.url.removeprefix("file://"))
        (root / "out").symlink_to(outside)
        (root / "one").symlink_to(outside / "secret")
        os.mkfifo(root / "pipe")
        assert set(listed(store)) == {"a"}
        for key in ("one", "pipe"):
            with pytest.raises(NotFound):
                store.get(key)
        for request in (lambda: store.get("out/secret"), lambda: store.put("out/new", b"")):
            with pytest.raises(StoreError, match="symbolic link"):
                request()
        assert os.listdir(outside) == ["secret"]

    def test_the_directory_itself_may_be_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")
        store = open_store(f"file://{tmp_path}/link", {})
        store.put("a/b", b"x")
        assert set(listed(store)) == {"a/b"}

    @pytest.mark.parametrize(("key", "words"), [("a", "a directory"), ("a/b/c", "a file, not a directory")])
    def test_a_name_that_is_taken_otherwise(self, store: Store, key: str, words: str) -> None:
        store.put("a/b", b"")
        for put in (store.put, store.put_new):
            with pytest.raises(StoreError, match=words):
                put(key, b"")

    def test_names_that_are_no_keys_are_not_shown(self, store: Store) -> None:
        store.put("a", b"")
        root = os.fsencode(store.url.removeprefix("file://"))
        for name in (b"\xff", b"a\tb"):
            with open(os.path.join(root, name), "wb"):
                pass
        assert set(listed(store)) == {"a"}

    def test_a_copy_shares_nothing_that_an_edit_in_place_would_change(self, store: Store) -> None:
        store.put("source", b"one")
        store.copy("source", "copies/1", 3)
        with open(f"{store.url.removeprefix('file://')}/source", "r+b") as plain:
            plain.write(b"two")
        assert store.get("copies/1") == b"one"

    @pytest.mark.parametrize("done", [0, 2 * MIB, None])
    def test_a_copy_where_the_kernel_cannot(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, done: int | None
    ) -> None:
        """It has no such call, refuses at once, or after it copied some."""
        real, calls = getattr(os, "copy_file_range", None), list[int]()

        def failing(source: int, target: int, _count: int) -> int:
            calls.append(1)
            if not done or len(calls) > 1 or real is None:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            return int(real(source, target, done))

        if done is None:
            monkeypatch.delattr(os, "copy_file_range", raising=False)
        else:
            monkeypatch.setattr(os, "copy_file_range", failing, raising=False)
        body = os.urandom(5 * MIB + 1)
        store.put("source", body)
        store.copy("source", "k", len(body))
        assert store.get("k") == body

    def test_a_source_that_is_written_to_meanwhile_is_not_copied(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def writing(_source: int, _target: int, _count: int) -> int:
            with open(f"{store.url.removeprefix('file://')}/source", "ab") as plain:
                plain.write(b"more")
            return 0

        monkeypatch.setattr(os, "copy_file_range", writing, raising=False)
        store.put("source", b"one")
        store.put("k", b"old")
        with pytest.raises(Unavailable, match="source: somebody wrote to it"):
            store.copy("source", "k", 3)
        assert store.get("k") == b"old"
        assert set(listed(store)) == {"source", "k"}

    def test_a_full_disk_leaves_what_was_there(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        store.put("source", b"new")
        store.put("k", b"old")
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(Unavailable, match="/k: the disk is full"):
            store.copy("source", "k", 3)
        assert store.get("k") == b"old"
        assert set(listed(store)) == {"source", "k"}

    def test_a_directory_without_files_is_no_folder(self, store: Store) -> None:
        store.put("real/below/k", b"")
        root = Path(store.url.removeprefix("file://"))
        (root / "empty/below").mkdir(parents=True)
        (root / "half").mkdir()
        (root / "half/.osmo-part.1").touch()
        (root / ".osmo-part.2").mkdir()
        (root / ".osmo-part.2/k").touch()
        (root / "link").symlink_to(root / "real")
        assert store.folders("") == ("real",)

    @pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP])
    def test_create_only_without_hard_links(self, store: Store, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
        def no_links(*_args: object, **_options: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "link", no_links)
        self.test_put_new_never_overwrites(store)
        self.test_of_many_put_new_at_once_one_wins(store)
        assert set(listed(store)) == {"k", "claim"}

    @pytest.mark.parametrize(
        ("code", "kind"), [(errno.ENOSPC, Unavailable), (errno.EACCES, AccessDenied), (errno.EIO, Unavailable)]
    )
    def test_what_the_disk_says(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[StoreError]
    ) -> None:
        store.put("k", b"old")

        def failing(_descriptor: int) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "fsync", failing)
        with pytest.raises(kind, match=r"^file:///.*/k: "):
            store.put("k", b"new")
        assert store.get("k") == b"old"
        assert set(listed(store)) == {"k"}

    def test_a_probe_names_what_is_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(NoBucket, match="is not a directory"):
            probe(f"file://{tmp_path}/file/below", {})

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_probe_of_a_directory_that_cannot_be_written(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        with pytest.raises(AccessDenied, match="cannot be written to"):
            probe(f"file://{tmp_path}/below", {})


class TestMoto(S3Contract):
    @pytest.fixture
    def server(self, moto: S3Server) -> S3Server:
        return moto

    def test_a_foreign_key_that_is_no_path_is_named(self, server: S3Server, store: Store) -> None:
        path = path_of(store)
        s3_client(server).put_object(Bucket=BUCKET, Key=f"{path}/a//b", Body=b"")
        try:
            with pytest.raises(StoreError, match=r"cannot be listed.*a//b") as caught:
                list(store.list(""))
            assert "Remove it" in caught.value.hint
        finally:
            s3_client(server).delete_object(Bucket=BUCKET, Key=f"{path}/a//b")


class TestRclone(S3Contract):
    create_only = False
    splices = False

    @pytest.fixture
    def server(self, rclone: S3Server) -> S3Server:
        return rclone

    def check_literal(self, store: Store, key: str) -> None:
        assert store.head(key).size == 2

    def test_ranges_need_botocore(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without it there are none, and what asked reads the object as one stream."""
        store.put("k", b"0123")
        monkeypatch.setitem(sys.modules, "botocore.config", None)
        with pytest.raises(NoRanges):
            store.get_range("k", 0, 4)
        assert b"".join(pieces(store, "k", 4, 1, 1)) == b"123"

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"AWS_SECRET_ACCESS_KEY": planted.WRONG}, "SignatureDoesNotMatch"),
            ({"AWS_ACCESS_KEY_ID": "who"}, "InvalidAccess"),
        ],
    )
    def test_wrong_credentials(self, server: S3Server, wrong: Mapping[str, str], code: str) -> None:
        environ = {**server.environ, **wrong}
        store = open_store(f"s3://{BUCKET}/x", environ)
        for request in (
            lambda: store.put("k", b""),
            lambda: store.get("k"),
            lambda: list(store.list("")),
            lambda: probe(f"s3://{BUCKET}/x", environ),
        ):
            with pytest.raises(AccessDenied) as caught:
                request()
            said = str(caught.value)
            assert code in said
            assert server.endpoint in said
            assert "environment (AWS_ACCESS_KEY_ID)" in said
            assert caught.value.hint
            assert not any(secret in said + caught.value.hint for secret in (planted.WRONG, "who", planted.SECRET))

    def test_credentials_that_are_corrected_are_found(self, server: S3Server, tmp_path: Path) -> None:
        environ = {**NO_METADATA, "HOME": str(tmp_path), "AWS_PROFILE": "work"}
        write_profile(tmp_path, server, secret="old")
        store = open_store(f"s3://{BUCKET}/corrected", environ)
        with pytest.raises(AccessDenied, match=r"profile 'work' in ~/\.aws/credentials"):
            store.put("k", b"")
        write_profile(tmp_path, server)
        store.put("k", b"")

    def test_that_it_does_not_splice_is_known_to_the_next_process(
        self, server: S3Server, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def process(cache: str) -> Store:
            for module in (obs, splice):
                monkeypatch.setattr(module, "TRUST", Trust(SystemClock()))
            return open_store(f"s3://{BUCKET}/{folder}", {**server.environ, "XDG_CACHE_HOME": f"{tmp_path}/{cache}"})

        first = process("mine")
        source = Object("k", PART, first.put("k", bytes(PART)))
        with pytest.raises(NoCopy):
            first.splice("new", source, iter((Range(0, PART), b"x")), concurrency=1)
        assert process("mine").splices() is None
        assert process("another user's").splices() is Splicing.ANY

    def test_whether_it_heeds_a_condition_is_asked_by_each_process(
        self, server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Tomorrow another server may stand at its address."""
        environ = {**server.environ, "XDG_CACHE_HOME": str(tmp_path)}
        for _ in range(2):
            monkeypatch.setattr(obs, "KNOWN", Conditions())
            assert open_store(f"s3://{BUCKET}/x", environ).excludes() is False
        assert not (tmp_path / "osmo/stores.json").exists()

    def test_in_a_bucket_where_nothing_was_ever_begun_nothing_is_unfinished(self, server: S3Server) -> None:
        """The server says so with 404 NoSuchUpload."""
        server.make_bucket("untouched")
        assert list(open_store("s3://untouched", server.environ).unfinished("")) == []

    def test_a_store_that_goes_down_and_comes_back(self, tmp_path: Path) -> None:
        with rclone_s3(tmp_path / "data", buckets=("bucket",)) as server:
            store = open_store("s3://bucket/x", server.environ)
            store.put("k", b"before")
            server.stop()
            for request in (lambda: store.put("k", b"while"), lambda: probe("s3://bucket/x", server.environ)):
                with pytest.raises(Unavailable, match="connection refused"):
                    request()
            server.start()
            assert store.get("k") == b"before"
            store.put("k", b"after")
            assert (server.directory / "bucket/x/k").read_bytes() == b"after"

    def test_a_store_that_goes_down_during_an_upload(self, tmp_path: Path) -> None:
        closed: list[bool] = []

        def interrupted() -> Iterator[bytes]:
            try:
                yield bytes(PART)
                yield bytes(PART)
                server.stop()
                while True:
                    yield bytes(PART)
            finally:
                closed.append(True)

        with rclone_s3(tmp_path / "data", buckets=("bucket",)) as server:
            store = open_store("s3://bucket", server.environ)
            with pytest.raises(Unavailable):
                store.put_parts("k", interrupted(), part_size=PART, concurrency=2)
            assert closed == [True]
            server.start()
            assert listed(store) == {}


def environ_of(endpoint: str) -> dict[str, str]:
    return {
        **NO_METADATA,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": "KEY",
        "AWS_SECRET_ACCESS_KEY": planted.SECRET,
    }


def test_a_server_that_is_not_there() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    store = open_store("s3://bucket", environ_of(endpoint))
    for request in (
        lambda: store.put("k", b""),
        lambda: store.get("k"),
        lambda: list(store.list("")),
        lambda: probe("s3://bucket", environ_of(endpoint)),
    ):
        with pytest.raises(Unavailable, match=f"{endpoint}: connection refused"):
            request()


def test_a_host_that_does_not_exist() -> None:
    with pytest.raises(UnknownHost, match="does not resolve"):
        probe("s3://bucket", environ_of("http://store.invalid:9000"))


def test_a_server_that_hangs() -> None:
    with silent_server() as endpoint:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="no answer"):
            probe("s3://bucket", environ_of(endpoint), timeout_s=1.0)
        assert time.monotonic() - began > 0.5


def test_credentials_whose_helper_hangs(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\ncredential_process = sleep 10\n")
    environ = {**NO_METADATA, "HOME": str(tmp_path), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with pytest.raises(Unavailable, match="no answer within 1 s"):
        probe("s3://bucket", environ, timeout_s=1.0)
