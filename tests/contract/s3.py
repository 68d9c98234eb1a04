"""What is the same at every server of S3's API."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.conftest import BUCKET
from contract.store import MIB, ODD_KEYS, PART, Moved, StoreContract, listed
from osmo.errors import NoBucket, NoCredentials, NotFound
from osmo.store import multipart, obs
from osmo.store.base import Store
from osmo.store.open import open_store, probe
from support.planted import keep_secret
from support.servers import NO_METADATA, S3Server, s3_client


class S3Contract(StoreContract):
    """The promises of every store, and those of S3. Subclass it with a `server` fixture."""

    @pytest.fixture
    def server(self) -> S3Server:
        raise NotImplementedError

    @pytest.fixture
    def low_limits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As if S3's limit of a copy in one request were a byte."""
        monkeypatch.setattr(obs, "LARGEST_COPY", 1)
        monkeypatch.setattr(obs, "COPY_PART", PART)

    @pytest.fixture
    def store(self, server: S3Server, folder: str) -> Store:
        return open_store(f"s3://{BUCKET}/odd #1/{folder}/", server.environ)

    def test_the_server_has_the_very_key(self, server: S3Server, store: Store) -> None:
        prefix = f"{path_of(store)}/"
        for key in ("ckpt#1", "100%", "a%41b", "a?b", "a b", "é", "a\\b", "[1]"):
            store.put(key, b"")
        found = s3_client(server).list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]
        assert {each["Key"].removeprefix(prefix) for each in found} == set(listed(store))

    def test_a_failed_upload_leaves_no_parts_behind(self, server: S3Server, store: Store) -> None:
        def moving() -> Iterator[bytes]:
            yield bytes(PART)
            yield bytes(PART)
            raise Moved

        with pytest.raises(Moved):
            store.put_parts("k", moving(), part_size=PART, concurrency=2)
        assert s3_client(server).list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []

    def test_at_most_one_part_more_than_the_concurrency_is_held(self, store: Store) -> None:
        alive, most, lock = [0], [0], threading.Lock()

        class Part(bytearray):
            def __init__(self) -> None:
                super().__init__(PART)
                with lock:
                    alive[0] += 1
                    most[0] = max(most[0], alive[0])

            def __del__(self) -> None:
                with lock:
                    alive[0] -= 1

        store.put_parts("k", (Part() for _ in range(12)), part_size=PART, concurrency=2)  # type: ignore[misc]
        assert most[0] <= 2 + 1 + 1  # and the one that is being made

    @pytest.mark.parametrize("key", ["k", *(key for key in ODD_KEYS if "/" not in key)])
    def test_what_is_too_large_for_one_request_is_copied_by_parts(
        self, store: Store, low_limits: None, key: str
    ) -> None:
        body = os.urandom(2 * PART + 1) if key == "k" else os.urandom(MIB)
        store.put(key, body)
        store.copy(key, f"to/{key}", len(body))
        assert store.get(f"to/{key}") == body

    def test_what_is_not_there_cannot_be_copied_by_parts(self, store: Store, low_limits: None) -> None:
        store.put("k", b"old")
        with pytest.raises(NotFound):
            store.copy("nothing", "k", MIB)
        assert store.get("k") == b"old"

    def test_no_upload_is_left_by_a_copy(self, server: S3Server, store: Store, low_limits: None) -> None:
        store.put("source", bytes(MIB))
        store.copy("source", "k", MIB)
        assert list(store.unfinished("")) == []

    def test_uploads_that_nobody_ended_are_found_and_ended(
        self, server: S3Server, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(multipart, "_PAGE", 2)
        path = path_of(store)
        begun = {f".osmo/a b+é%41#/objects/{number}": "" for number in range(5)} | {".osmo/a b+é%41#/log": "", "x": ""}
        for key in begun:
            answer = s3_client(server).create_multipart_upload(Bucket=BUCKET, Key=f"{path}/{key}")
            begun[key] = answer["UploadId"]
        objects = list(store.unfinished(".osmo/a b+é%41#/objects/"))
        assert {each.key: each.id for each in objects} == {key: begun[key] for key in begun if "objects" in key}
        assert all(each.begun.utcoffset() is not None for each in objects)
        assert {each.key for each in store.unfinished("")} == set(begun)
        for each in [*objects, objects[0]]:
            store.abort(each)
        assert {each.key for each in store.unfinished("")} == {".osmo/a b+é%41#/log", "x"}
        for each in store.unfinished(""):
            store.abort(each)

    def test_a_probe_of_a_store_that_works(self, server: S3Server) -> None:
        probe(f"s3://{BUCKET}", server.environ)
        probe(f"s3://{BUCKET}/not/there/yet", server.environ)

    def test_a_bucket_that_does_not_exist(self, server: S3Server) -> None:
        store = open_store("s3://nosuchbucket/x", server.environ)
        for request in (
            lambda: store.put("k", b""),
            lambda: store.put_new("k", b""),
            lambda: store.put_parts("k", iter((b"",)), part_size=PART, concurrency=1),
            lambda: store.get("k"),
            lambda: store.copy("a", "k", 1),
            lambda: list(store.list("")),
            lambda: store.folders(""),
            store.excludes,
            lambda: probe("s3://nosuchbucket/x", server.environ),
        ):
            with pytest.raises(NoBucket) as caught:
                request()
            assert str(caught.value).startswith("s3://nosuchbucket/x")
            assert "404 NoSuchBucket" in str(caught.value)
            assert "\n" not in str(caught.value)

    def test_no_credentials(self, server: S3Server, tmp_path: Path) -> None:
        environ = {**NO_METADATA, "HOME": str(tmp_path), "AWS_ENDPOINT_URL": server.endpoint}
        for request in (
            lambda: probe(f"s3://{BUCKET}", environ),
            lambda: open_store(f"s3://{BUCKET}", environ).put("k", b""),
        ):
            with pytest.raises(NoCredentials, match=f"^s3://{BUCKET}.*{server.endpoint}: no AWS credentials found$"):
                request()

    def test_credentials_endpoint_and_region_of_a_profile(self, server: S3Server, tmp_path: Path) -> None:
        environ = {**NO_METADATA, "HOME": str(tmp_path), "AWS_PROFILE": "work"}
        write_profile(tmp_path, server)
        probe(f"s3://{BUCKET}", environ)
        open_store(f"s3://{BUCKET}", environ).put("by profile", b"")
        open_store(f"s3://{BUCKET}", environ).delete("by profile")


def path_of(store: Store) -> str:
    """What stands before each key in the bucket."""
    return store.url.partition(f"/{BUCKET}/")[2]


def write_profile(home: Path, server: S3Server, secret: str = "") -> None:
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws/config").write_text(
        "[profile work]\nregion = us-east-1\nservices = mine\n"
        f"[services mine]\ns3 =\n  endpoint_url = {server.endpoint}\n"
    )
    keep_secret(
        home / ".aws/credentials",
        f"[work]\naws_access_key_id = {server.key}\naws_secret_access_key = {secret or server.secret}\n",
    )
