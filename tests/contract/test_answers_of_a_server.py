"""What becomes of a server's answers on their way here: refusals, errors, none at all."""

import os
import re
import sys
from collections.abc import Iterator

import pytest

from contract.conftest import BUCKET
from contract.store import MIB, PART, listed
from osmo.errors import AccessDenied, NoCopy, NotFound, StoreError, Unavailable
from osmo.store import obs
from osmo.store.aws import place_of
from osmo.store.base import Object, Range, Splicing, Store
from osmo.store.clients import Clients, Purpose
from osmo.store.credentials import Credentials
from osmo.store.obs import ObsStore
from osmo.store.open import open_store
from osmo.store.url import parse
from support.faults import APPLIED_LOST, ERROR, SLOW_DOWN, Fault
from support.proxy import FaultProxy
from support.servers import S3Server, s3_client

PARTS = r"partNumber=\d+"


@pytest.fixture
def proxy(moto: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(moto.endpoint) as proxy:
        yield proxy


@pytest.fixture
def store(moto: S3Server, proxy: FaultProxy, folder: str) -> Store:
    return open_store(f"s3://{BUCKET}/{folder}", moto.environ | {"AWS_ENDPOINT_URL_S3": proxy.endpoint})


@pytest.fixture
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obs, "LARGEST_COPY", 2 * PART)
    monkeypatch.setattr(obs, "COPY_PART", PART)


@pytest.fixture
def large(store: Store) -> int:
    """The size of an object `large` that is copied by three parts."""
    store.put("large", os.urandom(2 * PART + 1))
    store.put("k", b"old")
    return 2 * PART + 1


def refused(status: int) -> Fault:
    return Fault(forward=False, answer=status)


def asked(proxy: FaultProxy, method: str, path: str) -> int:
    return sum(each.method == method and bool(re.search(path, each.path)) for each in proxy.exchanges)


def test_a_copy_is_one_request_up_to_the_limit(store: Store, proxy: FaultProxy, low_limits: None) -> None:
    store.put("source", bytes(2 * PART))
    before = len(proxy.exchanges)
    store.copy("source", "k", 2 * PART)
    assert len(proxy.exchanges) - before == 1
    assert "-" not in store.head("k").etag


def test_a_larger_copy_goes_by_parts(store: Store, proxy: FaultProxy, low_limits: None, large: int) -> None:
    store.copy("large", "k", large)
    assert store.get("k") == store.get("large")
    assert store.head("k").etag.endswith("-3")
    assert asked(proxy, "PUT", PARTS) == 3


@pytest.mark.parametrize("fault", [refused(200), SLOW_DOWN, ERROR, refused(409), APPLIED_LOST])
def test_a_copy_without_a_clear_yes_is_not_repeated(store: Store, proxy: FaultProxy, fault: Fault) -> None:
    """The first one: S3 says 200 before it is through, and an error later."""
    store.put("source", b"new")
    with proxy.fault(fault, method="PUT") as active:
        with pytest.raises(Unavailable):
            store.copy("source", "k", 3)
        assert active.hits == 1


@pytest.mark.parametrize("status", [400, 405, 501])
def test_a_server_that_copies_nothing(
    store: Store, proxy: FaultProxy, low_limits: None, large: int, status: int
) -> None:
    with proxy.fault(refused(status), method="PUT"):
        for size in (3, large):
            with pytest.raises(NoCopy, match=rf"/k at http.*{status}"):
                store.copy("large", "k", size)
    assert store.get("k") == b"old"
    assert list(store.unfinished("")) == []


def test_a_server_without_copies_by_parts_is_asked_for_a_whole_one(
    store: Store, proxy: FaultProxy, low_limits: None, large: int
) -> None:
    with proxy.fault(refused(501), method="PUT", path=PARTS):
        store.copy("large", "k", large)
    assert store.get("k") == store.get("large")
    assert "-" not in store.head("k").etag
    assert list(store.unfinished("")) == []


def test_a_part_is_repeated(store: Store, proxy: FaultProxy, low_limits: None, large: int) -> None:
    with proxy.fault(SLOW_DOWN, path="partNumber=2", times=1) as active:
        store.copy("large", "k", large)
        assert active.hits == 1
    assert store.get("k") == store.get("large")


@pytest.mark.parametrize(("status", "kind"), [(403, AccessDenied), (412, Unavailable)])
def test_a_copy_that_fails_halfway_leaves_what_was_there(
    store: Store, proxy: FaultProxy, low_limits: None, large: int, status: int, kind: type[StoreError]
) -> None:
    """412: the source is another object by now."""
    with proxy.fault(refused(status), path="partNumber=3"), pytest.raises(kind, match=rf"/k at http.*{status}"):
        store.copy("large", "k", large)
    assert store.get("k") == b"old"
    assert list(store.unfinished("")) == []


def test_the_end_of_a_copy_by_parts_is_not_repeated(
    store: Store, proxy: FaultProxy, low_limits: None, large: int
) -> None:
    with proxy.fault(APPLIED_LOST, method="POST", path="uploadId=") as active:
        with pytest.raises(Unavailable):
            store.copy("large", "k", large)
        assert active.hits == 1
    assert store.get("k") == store.get("large")  # it was applied


@pytest.fixture
def source(store: Store) -> Object:
    body = os.urandom(2 * PART)
    return Object("source", len(body), store.put("source", body))


def splice(store: Store, source: Object) -> str:
    """A new first part; the second one is copied."""
    tail = store.get_range(source.key, 2 * PART - 100, 100)
    return store.splice("k", source, iter((bytes(PART), Range(PART, PART, tail))), concurrency=1)


def test_what_is_copied_within_the_store_does_not_travel(store: Store, proxy: FaultProxy, source: Object) -> None:
    before = sum(each.up for each in proxy.exchanges)
    splice(store, source)
    assert PART < sum(each.up for each in proxy.exchanges) - before < PART + 64 * 1024
    assert store.get("k") == bytes(PART) + store.get("source")[PART:]


@pytest.mark.parametrize("header", ["x-amz-copy-source", "x-amz-copy-source-range"])
def test_a_server_that_does_not_read_what_is_to_be_copied_is_found_out(
    store: Store, proxy: FaultProxy, source: Object, header: str
) -> None:
    """It takes the part for an empty one, or copies the whole object into it."""
    assert store.splices() is Splicing.ANY
    with proxy.fault(Fault(without=(header,)), path="partNumber=2"), pytest.raises(NoCopy):
        splice(store, source)
    assert store.splices() is None
    assert list(store.unfinished("")) == []


def test_a_server_that_copies_other_bytes_is_found_out(store: Store, source: Object) -> None:
    part = Range(0, 2 * PART, b"what is not there")
    with pytest.raises(NoCopy, match="put together wrongly: other bytes at"):
        store.splice("k", source, iter((part,)), concurrency=1)
    assert store.splices() is None


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_a_server_that_refuses_to_copy_parts_is_not_asked_again(
    store: Store, proxy: FaultProxy, source: Object, status: int
) -> None:
    """403: one may write there, and not read."""
    with proxy.fault(refused(status), path="partNumber=2"), pytest.raises(NoCopy, match=str(status)):
        splice(store, source)
    assert store.splices() is None
    assert list(store.unfinished("")) == []


def test_who_gets_no_answer_twice_in_a_row_is_not_asked_again(store: Store, proxy: FaultProxy, source: Object) -> None:
    for trusted in (True, False):
        with proxy.fault(ERROR, method="POST", path="uploadId="), pytest.raises(Unavailable):
            splice(store, source)
        assert (store.splices() is not None) == trusted
    assert list(store.unfinished("")) == []


def test_one_that_goes_well_makes_up_for_one_without_an_answer(store: Store, proxy: FaultProxy, source: Object) -> None:
    for _ in range(2):
        with proxy.fault(ERROR, method="POST", path="uploadId="), pytest.raises(Unavailable):
            splice(store, source)
        splice(store, source)
    assert store.splices() is not None


def test_a_source_that_is_overwritten_meanwhile_is_told(store: Store, source: Object) -> None:
    def parts() -> Iterator[bytes | Range]:
        yield bytes(PART)
        yield Range(PART, PART)
        store.put(source.key, bytes(2 * PART))

    with pytest.raises(NotFound, match="another object by now"):
        store.splice("k", source, parts(), concurrency=1)
    assert store.splices() is not None


def test_without_botocore_nothing_is_put_together(
    store: Store, source: Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "botocore.config", None)
    with pytest.raises(NoCopy, match="botocore cannot be loaded"):
        splice(store, source)


def test_without_botocore_a_large_copy_is_tried_whole(
    store: Store, low_limits: None, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package was replaced beneath us by one that lacks what we had not imported yet."""
    monkeypatch.setitem(sys.modules, "botocore.config", None)
    store.copy("large", "k", large)
    assert store.get("k") == store.get("large")
    assert list(store.unfinished("")) == []


def test_a_copy_has_the_time_that_its_size_needs(moto: S3Server, folder: str) -> None:
    class Noting(Clients):
        def get(self, purpose: Purpose, size: int = 0):  # type: ignore[no-untyped-def]
            wanted.append((purpose, size))
            return super().get(purpose, size)

    wanted: list[tuple[Purpose, int]] = []
    url, place, credentials = (
        parse(f"s3://{BUCKET}/{folder}"),
        place_of(BUCKET, moto.environ),
        Credentials(moto.environ),
    )
    store = ObsStore(url, place, credentials, Noting(url.bucket, url.path, place, credentials))
    store.put("source", b"")
    store.copy("source", "k", 4 * 1024**3)
    assert wanted[-1] == (Purpose.WRITE, 4 * 1024**3 // 20)


@pytest.mark.parametrize("status", [400, 501])
def test_a_server_that_refuses_create_only_is_written_to_without(store: Store, proxy: FaultProxy, status: int) -> None:
    store.put("k", b"old")
    with proxy.fault(refused(status), method="PUT", times=2) as active:  # the write, and the probe that explains it
        store.put_new("k", b"new")
        assert active.hits == 2
    assert store.get("k") == b"new"
    before = asked(proxy, "PUT", "")
    store.put_new("k", b"newer")
    assert asked(proxy, "PUT", "") == before + 1
    assert store.excludes() is False
    assert set(listed(store)) == {"k"}


def test_what_a_server_refuses_for_another_reason_is_not_overwritten(store: Store, proxy: FaultProxy) -> None:
    store.put("k", b"old")
    with proxy.fault(refused(400), method="PUT", times=1), pytest.raises(StoreError, match="400"):
        store.put_new("k", b"new")
    assert store.get("k") == b"old"
    assert store.excludes() is True


def test_a_server_that_refuses_all_writes_is_not_judged(store: Store, proxy: FaultProxy) -> None:
    with proxy.fault(refused(501), method="PUT"), pytest.raises(StoreError, match="501"):
        store.excludes()
    assert store.excludes() is True


@pytest.mark.parametrize("number", [1, 2])
def test_no_answer_about_create_only_is_not_remembered(store: Store, proxy: FaultProxy, number: int) -> None:
    writes = iter(range(1, 100))
    with (
        proxy.fault(SLOW_DOWN, when=lambda method, _: method == "PUT" and next(writes) == number),
        pytest.raises(Unavailable),
    ):
        store.excludes()
    assert store.excludes() is True


def test_create_only_is_asked_about_once_for_all_stores_of_a_bucket(
    store: Store, proxy: FaultProxy, moto: S3Server, folder: str
) -> None:
    assert store.excludes() is True
    before = len(proxy.exchanges)
    environ = moto.environ | {"AWS_ENDPOINT_URL_S3": proxy.endpoint}
    assert open_store(f"s3://{BUCKET}/{folder}/below", environ).excludes() is True
    assert len(proxy.exchanges) == before


def test_who_may_not_delete_can_be_asked(store: Store, proxy: FaultProxy) -> None:
    with proxy.fault(refused(403), method="DELETE"):
        assert store.excludes() is True
    (left,) = listed(store)
    assert left.startswith(".osmo/probe-")


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
def test_uploads_that_cannot_be_listed_or_aborted_are_left_alone(
    store: Store, proxy: FaultProxy, moto: S3Server, folder: str, status: int
) -> None:
    s3_client(moto).create_multipart_upload(Bucket=BUCKET, Key=f"{folder}/k")
    (begun,) = store.unfinished("")
    with proxy.fault(refused(status)):
        assert list(store.unfinished("")) == []
        store.abort(begun)
    assert list(store.unfinished("")) == [begun]
    store.abort(begun)


def test_uploads_of_a_server_that_does_not_answer(store: Store, proxy: FaultProxy, moto: S3Server, folder: str) -> None:
    s3_client(moto).create_multipart_upload(Bucket=BUCKET, Key=f"{folder}/k")
    (begun,) = store.unfinished("")
    proxy.stop()
    for request in (lambda: list(store.unfinished("")), lambda: store.abort(begun)):
        with pytest.raises(Unavailable, match=f"at {proxy.endpoint}: connection refused$"):
            request()
    proxy.start()
    store.abort(begun)
    assert list(store.unfinished("")) == []


def test_folders_of_a_server_that_does_not_answer(store: Store, proxy: FaultProxy) -> None:
    store.put("a/b", bytes(MIB))
    with proxy.fault(ERROR), pytest.raises(Unavailable, match="500"):
        store.folders("")
    assert store.folders("") == ("a",)
