"""A server whose answers look well and are not: what is brought back is right, or nothing is."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.restore import Onlooker, restore
from osmo.errors import OsmoError
from osmo.store import ahead
from osmo.store.base import Store
from osmo.store.open import open_store
from support.cli import Osmo
from support.faults import Fault
from support.proxy import FaultProxy
from support.servers import S3Server, moto_s3
from support.stored import Stored
from unit.checkpoint.records import STREAM, checkpoint, claim, file, put

RANGE = 1 << 16
LARGE, SMALL = random.Random(1).randbytes(5 * RANGE // 2), b"small"  # three ranges, and one
ERROR = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>We lied.</Message></Error>"
WHOLE = {"large": LARGE, "deep/small": SMALL}
LIES = {
    "cut": Fault(body_to=1000),
    "cut by one": Fault(body_to=RANGE - 1),
    "nothing": Fault(body=b""),
    "an error": Fault(body=ERROR),
    "other bytes": Fault(body=bytes(RANGE)),
    "more": Fault(body=LARGE + b"more"),
    "closed": Fault(truncate_at=RANGE // 2),
    "reset": Fault(reset_down_at=RANGE // 2),
    "another etag": Fault(headers=(("etag", '"another"'),)),
    "no etag": Fault(headers=(("etag", ""),)),
    "another length": Fault(headers=(("content-length", "5"),)),
    "another range": Fault(headers=(("content-range", "bytes 5-10/11"),)),
}


@pytest.fixture(autouse=True)
def short_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "RANGE", RANGE)


@pytest.fixture(scope="module")
def moto() -> Iterator[S3Server]:
    with moto_s3() as running:
        yield running


@pytest.fixture(scope="module", params=["ranges", "no ranges"])
def server(request: pytest.FixtureRequest, moto: S3Server, s3: S3Server) -> S3Server:
    """rclone's answers to a range with all of the object."""
    found = moto if request.param == "ranges" else s3
    assert isinstance(found, S3Server)
    return found


@pytest.fixture(scope="module")
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(server.endpoint) as running:
        yield running


@pytest.fixture(scope="module")
def store(server: S3Server, proxy: FaultProxy) -> Store:
    """Its server lies if the proxy is told to. A checkpoint of two files is there."""
    server.make_bucket("lies")
    direct = open_store("s3://lies", server.environ)
    large, small = file("large", LARGE), file("deep/small", SMALL)
    for each, content in ((large, LARGE), (small, SMALL)):
        direct.put(each.place, content)
    put(direct, claim(1), checkpoint(2, files=[_with_etag(direct, each) for each in (large, small)]))
    return open_store("s3://lies", server.environ | {"AWS_ENDPOINT_URL_S3": proxy.endpoint})


def _with_etag(store: Store, record: FileRecord) -> FileRecord:
    return replace(record, etag=store.head(record.place).etag)


def contents(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: body for name, body in found.items() if ".osmo-restore." not in name}


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
@pytest.mark.parametrize("lie", LIES)
def test_what_comes_back_is_right_or_nothing_does(
    store: Store, proxy: FaultProxy, tmp_path: Path, lie: str, times: int | None
) -> None:
    failures: object = None
    with proxy.fault(LIES[lie], method="GET", path="/ckpt/", times=times) as met:
        try:
            failures = restore(store, STREAM, None, tmp_path, Onlooker()).failures
        except OsmoError as error:
            failures = error
        assert met.hits
    assert contents(tmp_path) == ({} if failures else WHOLE)
    assert not failures or times is None or lie == "another range"  # it was asked once more
    assert restore(store, STREAM, None, tmp_path, Onlooker()).failures == {}
    assert contents(tmp_path) == WHOLE


@pytest.mark.parametrize("lie", LIES)
def test_records_that_come_otherwise_are_not_believed(
    store: Store, proxy: FaultProxy, tmp_path: Path, lie: str
) -> None:
    found = WHOLE
    with proxy.fault(LIES[lie], method="GET", path=r"/log/|list-type") as met:
        try:
            assert restore(store, STREAM, None, tmp_path, Onlooker()).failures == {}
        except OsmoError as error:
            assert "\n" not in str(error)
            found = {}
        assert met.hits
    assert contents(tmp_path) == found


@pytest.mark.parametrize(
    ("method", "lie"), [("PUT", "an error"), ("PUT", "another etag"), ("GET", "an error"), ("HEAD", "another length")]
)
def test_only_what_can_be_restored_is_called_a_checkpoint(
    osmo: Osmo, between: FaultProxy, bucket: Stored, method: str, lie: str
) -> None:
    url = f"s3://{bucket.directory.name}"
    script = "mkdir data; echo 1 >data/a; echo 1 >data/b; osmo checkpoint now --wait; echo 2 >data/a; cp data/b data/c"
    options = ("--path", "data", "--url", url, "--frequency", "1h", "--", "sh", "-c", script)
    with between.fault(LIES[lie], method=method) as met:
        result = osmo("checkpoint", "run", *options, OSMO_FINAL_TIMEOUT="2s")
        assert met.hits
    assert "Traceback" not in result.stderr
    said = [int(number) for number in re.findall(r"\] Checkpoint (\d+)[:,]", result.stderr)]
    found = [each["checkpoint"] for each in json.loads(osmo("checkpoint", "list", url, "--json").stdout)]
    assert max(said, default=0) <= max(found, default=0)
    back = osmo("checkpoint", "restore", url, "back")
    assert (back.returncode == 0) == bool(found)
    if result.returncode == 0:
        assert contents(osmo.directory / "back") == contents(osmo.directory / "data")
