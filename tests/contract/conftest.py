"""The servers, once for all tests of this directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from osmo.clock import SystemClock
from osmo.store import obs, splice
from osmo.store.trust import Trust
from support.servers import S3Server, moto_s3, rclone_s3
from support.swift import swift as swift_s3

BUCKET = "bucket"


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with rclone_s3(tmp_path_factory.mktemp("rclone") / "data", buckets=(BUCKET,)) as server:
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    with moto_s3(buckets=(BUCKET,)) as server:
        yield server


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with swift_s3(tmp_path_factory.mktemp("swift"), (BUCKET,)) as server:
        yield server


@pytest.fixture(autouse=True)
def trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test finds out about a server, the next one does not know."""
    fresh = Trust(SystemClock())
    for module in (obs, splice):
        monkeypatch.setattr(module, "TRUST", fresh)


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> str:
    """A name of its own for each test beneath a shared bucket."""
    name: str = request.node.nodeid
    return "".join(character if character.isalnum() else "-" for character in Path(name).name)[-80:]
