"""The fault proxy does what it says: real clients, real servers, one fault at a time."""

import contextlib
import http.client
import io
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import obstore
import pytest
from boto3.s3.transfer import TransferConfig
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError
from obstore.store import S3Store

from support.faults import (
    APPLIED_409,
    APPLIED_500,
    APPLIED_LOST,
    ERROR,
    HANG,
    LATER,
    OVERWRITES,
    SLOW_DOWN,
    Answer,
    Fault,
)
from support.proxy import FaultProxy
from support.servers import REGION, S3Server, moto_s3, rclone_s3

BUCKET = "bucket"
MIB = 1 << 20


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with rclone_s3(tmp_path_factory.mktemp("rclone") / "data", buckets=(BUCKET,)) as server:
        yield server


@pytest.fixture(scope="module")
def moto() -> Iterator[S3Server]:
    with moto_s3(buckets=(BUCKET,)) as server:
        yield server


@pytest.fixture(params=["rclone", "moto"])
def server(request: pytest.FixtureRequest) -> S3Server:
    found: S3Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def proxy(rclone: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(rclone.endpoint) as proxy:
        yield proxy


@pytest.fixture
def store(rclone: S3Server, proxy: FaultProxy) -> S3Store:
    return store_at(rclone, proxy)


@pytest.fixture
def direct(rclone: S3Server) -> S3Store:
    """What is in the store, seen past the proxy."""
    return store_at(rclone, rclone)


def store_at(server: S3Server, at: S3Server | FaultProxy, timeout_s: float = 10.0) -> S3Store:
    return S3Store(
        BUCKET,
        endpoint=at.endpoint,
        access_key_id=server.key,
        secret_access_key=server.secret,
        region=REGION,
        client_options={"allow_http": True, "timeout": f"{timeout_s}s"},
        retry_config={"max_retries": 0},
    )


def boto(server: S3Server, at: S3Server | FaultProxy):  # type: ignore[no-untyped-def]  # boto's clients have no types
    return boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=at.endpoint,
        aws_access_key_id=server.key,
        aws_secret_access_key=server.secret,
    )


def read(store: S3Store, key: str) -> bytes:
    return bytes(obstore.get(store, key).bytes())


def keys(store: S3Store) -> set[str]:
    return {each["path"] for page in obstore.list(store) for each in page}


class TestRealTraffic:
    def test_a_large_multipart_upload_arrives_whole(self, server: S3Server) -> None:
        data = bytes(range(256)) * (40 * MIB // 256)
        with FaultProxy(server.endpoint) as proxy:
            store = store_at(server, proxy)
            obstore.put(store, "large", data, use_multipart=True, chunk_size=8 * MIB, max_concurrency=4)
            assert read(store, "large") == data
        parts = [each for each in proxy.exchanges if each.method == "PUT" and "partNumber=" in each.path]
        assert [each.status for each in parts] == [200] * 5
        assert 40 * MIB < sum(each.up for each in parts) < 40 * MIB + 5 * 2000

    def test_many_small_uploads_by_many_threads_arrive(self, server: S3Server) -> None:
        with FaultProxy(server.endpoint) as proxy, ThreadPoolExecutor(16) as pool:
            store = store_at(server, proxy)
            # rclone answers 500 to one of several first objects that make a folder at once; this store does not retry.
            obstore.put(store, "small/0", b"0")
            list(pool.map(lambda i: obstore.put(store, f"small/{i}", b"%d" % i), range(1, 200)))
            names = {each["path"] for page in obstore.list(store, "small/") for each in page}
            assert names == {f"small/{i}" for i in range(200)}
            assert list(pool.map(lambda i: read(store, f"small/{i}"), range(200))) == [b"%d" % i for i in range(200)]
        assert sum(each.method == "PUT" and each.status == 200 for each in proxy.exchanges) == 200

    def test_boto_passes(self, server: S3Server) -> None:
        """It says `Expect: 100-continue` and sends checksums as trailers."""
        data = bytes(range(256)) * (20 * MIB // 256)
        with FaultProxy(server.endpoint) as proxy, contextlib.closing(boto(server, proxy)) as client:
            client.upload_fileobj(io.BytesIO(data), BUCKET, "boto/large", Config=TransferConfig(8 * MIB, 4, 8 * MIB))
            client.put_object(Bucket=BUCKET, Key="boto/small", Body=b"small")
            listed = client.list_objects_v2(Bucket=BUCKET, Prefix="boto/")["Contents"]
            assert [(each["Key"], each["Size"]) for each in listed] == [("boto/large", len(data)), ("boto/small", 5)]
            assert client.get_object(Bucket=BUCKET, Key="boto/large")["Body"].read() == data
        assert {each.status for each in proxy.exchanges} == {200}


class TestAnswers:
    @pytest.mark.parametrize(("fault", "says"), [(ERROR, "InternalError"), (SLOW_DOWN, "SlowDown")])
    def test_a_refused_request_does_not_reach_the_server(
        self, proxy: FaultProxy, store: S3Store, direct: S3Store, fault: Fault, says: str
    ) -> None:
        with proxy.fault(fault), pytest.raises(GenericError, match=says):
            obstore.put(store, says, b"x" * MIB)
        assert says not in keys(direct)
        obstore.put(store, says, b"now")
        assert [(each.status, each.applied) for each in proxy.exchanges] == [(fault.answer, None), (200, 200)]

    @pytest.mark.parametrize("fault", [APPLIED_500, APPLIED_409, APPLIED_LOST])
    def test_an_applied_request_is_denied(
        self, proxy: FaultProxy, store: S3Store, direct: S3Store, fault: Fault
    ) -> None:
        with proxy.fault(fault), pytest.raises(BaseError):
            obstore.put(store, f"applied/{fault.answer}", b"data")
        assert read(direct, f"applied/{fault.answer}") == b"data"
        (exchange,) = proxy.exchanges
        assert exchange.applied == 200
        assert exchange.status == (fault.answer if isinstance(fault.answer, int) else None)

    def test_a_head_is_refused_without_a_body(self, proxy: FaultProxy) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
        with proxy.fault(SLOW_DOWN):
            for method in ("HEAD", "GET"):  # over one connection
                connection.request(method, "/bucket/x")
                answer = connection.getresponse()
                assert (answer.status, bool(answer.read())) == (503, method == "GET")
        connection.close()

    def test_who_waits_to_be_asked_for_the_body_is_refused_without(self, rclone: S3Server, proxy: FaultProxy) -> None:
        with proxy.fault(SLOW_DOWN, times=1), contextlib.closing(boto(rclone, proxy)) as client:
            client.put_object(Bucket=BUCKET, Key="asked", Body=b"x" * MIB)  # boto tries again
        refused, applied = proxy.exchanges
        assert refused.up < 10_000 < MIB < applied.up

    def test_a_write_that_must_create_overwrites(self, moto: S3Server) -> None:
        with FaultProxy(moto.endpoint) as proxy:
            store = store_at(moto, proxy)
            obstore.put(store, "once", b"first", mode="create")
            with pytest.raises(AlreadyExistsError):
                obstore.put(store, "once", b"second", mode="create")
            with proxy.fault(OVERWRITES):
                obstore.put(store, "once", b"third", mode="create")
            assert read(store, "once") == b"third"


class TestConnections:
    def test_an_upload_is_reset_halfway(self, proxy: FaultProxy, store: S3Store, direct: S3Store) -> None:
        with proxy.fault(Fault(reset_up_at=3 * MIB)), pytest.raises(GenericError):
            obstore.put(store, "half", b"x" * 8 * MIB, use_multipart=False)
        assert "half" not in keys(direct)
        (exchange,) = proxy.exchanges
        assert 3 * MIB < exchange.up < 4 * MIB
        assert exchange.status is None

    def test_a_short_upload_passes_a_reset_further_on(self, proxy: FaultProxy, store: S3Store) -> None:
        with proxy.fault(Fault(reset_up_at=3 * MIB)):
            obstore.put(store, "short", b"x")

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            (Fault(reset_down_at=MIB), ConnectionResetError),
            (Fault(truncate_at=MIB), http.client.IncompleteRead),
            (Fault(truncate_at=10), http.client.BadStatusLine),
        ],
    )
    def test_an_answer_breaks_off(self, moto: S3Server, fault: Fault, error: type[Exception]) -> None:
        obstore.put(store_at(moto, moto), "long", b"x" * 4 * MIB)
        with FaultProxy(moto.endpoint) as proxy, proxy.fault(fault), pytest.raises(error):
            download(boto(moto, proxy).generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "long"}))
        (exchange,) = proxy.exchanges
        assert (exchange.status, exchange.down) == (None, fault.reset_down_at or fault.truncate_at)

    def test_a_hanging_request_is_never_answered(self, rclone: S3Server, proxy: FaultProxy) -> None:
        store = store_at(rclone, proxy, timeout_s=0.5)
        with proxy.fault(HANG), pytest.raises(GenericError, match=r"(?i)timed? ?out|sending"):
            obstore.put(store, "hanging", b"x")
        assert proxy.exchanges[0].status is None

    def test_a_stop_releases_what_hangs(self, rclone: S3Server) -> None:
        with FaultProxy(rclone.endpoint) as proxy, ThreadPoolExecutor(1) as pool:
            hang = proxy.fault(HANG)
            put = pool.submit(obstore.put, store_at(rclone, proxy), "hanging", b"x")
            hang.wait()
            assert not put.done()
            proxy.stop()
            assert put.exception(5)

    def test_the_server_is_down_for_a_while(self, proxy: FaultProxy, store: S3Store) -> None:
        obstore.put(store, "before", b"x")
        proxy.stop()
        with pytest.raises(GenericError):
            obstore.put(store, "during", b"x")
        with pytest.raises(ConnectionRefusedError):
            http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=1).connect()
        proxy.start()
        obstore.put(store, "after", b"x")
        assert [each.path for each in proxy.exchanges] == ["/bucket/before", "/bucket/after"]

    def test_the_server_behind_it_ends(self, tmp_path: Path) -> None:
        with rclone_s3(tmp_path / "data", buckets=(BUCKET,)) as server, FaultProxy(server.endpoint) as proxy:
            store = store_at(server, proxy)
            obstore.put(store, "before", b"x")
            server.stop()
            with pytest.raises(GenericError):
                obstore.put(store, "during", b"x")
            server.start()
            obstore.put(store, "after", b"x")


class TestTime:
    def test_a_request_is_late(self, proxy: FaultProxy, store: S3Store) -> None:
        begun = time.monotonic()
        with proxy.fault(Fault(latency_s=0.3)):
            obstore.put(store, "late", b"x")
        assert time.monotonic() - begun >= 0.3

    def test_the_end_of_a_latency_is_felt_at_once(self, proxy: FaultProxy, store: S3Store) -> None:
        with ThreadPoolExecutor(1) as pool, proxy.fault(Fault(latency_s=60)) as late:
            put = pool.submit(obstore.put, store, "late", b"x")
            late.wait()
            late.end()
            put.result(5)

    def test_uploads_share_a_narrow_line(self, proxy: FaultProxy, store: S3Store) -> None:
        begun = time.monotonic()
        with proxy.fault(Fault(up=400_000)), ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i: obstore.put(store, f"narrow/{i}", b"x" * 50_000), range(4)))
        assert time.monotonic() - begun > 0.4

    def test_downloads_share_a_narrow_line(self, proxy: FaultProxy, store: S3Store) -> None:
        obstore.put(store, "narrow-down", b"x" * 100_000)
        begun = time.monotonic()
        with proxy.fault(Fault(down=400_000)), ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: read(store, "narrow-down"), range(2)))
        assert time.monotonic() - begun > 0.4

    def test_a_write_is_applied_after_its_client_gave_up(
        self, proxy: FaultProxy, store: S3Store, direct: S3Store
    ) -> None:
        with proxy.fault(LATER):
            with pytest.raises(GenericError):
                obstore.put(store, "late", b"zombie" * 50_000)
            obstore.put(direct, "late", b"successor")
            assert read(direct, "late") == b"successor"
        wait_until(lambda: proxy.exchanges[0].applied == 200)
        assert read(direct, "late") == b"zombie" * 50_000

    def test_a_held_request_is_answered_in_the_end(self, proxy: FaultProxy, store: S3Store, direct: S3Store) -> None:
        with ThreadPoolExecutor(1) as pool, proxy.fault(Fault(hold=True)) as held:
            put = pool.submit(obstore.put, store, "held", b"x")
            held.wait()
            assert "held" not in keys(direct)
            held.end()
            put.result(5)
        assert read(direct, "held") == b"x"

    def test_what_is_held_at_a_stop_is_lost(self, proxy: FaultProxy, store: S3Store, direct: S3Store) -> None:
        proxy.fault(LATER)
        with pytest.raises(GenericError):
            obstore.put(store, "lost", b"x")
        proxy.stop()
        assert "lost" not in keys(direct)


class TestWhich:
    def test_the_next_two_requests(self, proxy: FaultProxy, store: S3Store) -> None:
        fault = proxy.fault(ERROR, times=2)
        assert [works(store, f"next/{i}") for i in range(4)] == [False, False, True, True]
        assert fault.hits == 2

    def test_requests_of_a_method_and_a_path(self, proxy: FaultProxy, store: S3Store) -> None:
        proxy.fault(ERROR, method="PUT", path=r"\.json$")
        assert [works(store, key) for key in ("a.json", "a.bin")] == [False, True]
        proxy.fault(SLOW_DOWN, when=lambda method, path: method == "GET" and "list-type" in path)
        with pytest.raises(GenericError, match="SlowDown"):
            keys(store)

    def test_the_newest_fault_wins_until_it_ends(self, proxy: FaultProxy, store: S3Store) -> None:
        proxy.fault(ERROR)
        with proxy.fault(Fault(answer=Answer.THEIRS)):
            assert works(store, "newest")
        assert not works(store, "newest")
        proxy.clear()
        assert works(store, "newest")


def download(url: str) -> bytes:
    at = urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(at.netloc, timeout=5)) as connection:
        connection.request("GET", f"{at.path}?{at.query}")
        return connection.getresponse().read()


def works(store: S3Store, key: str) -> bool:
    try:
        obstore.put(store, key, b"x")
    except GenericError:
        return False
    return True


def wait_until(true: Callable[[], bool], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
