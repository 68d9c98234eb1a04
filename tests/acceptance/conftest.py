"""One S3 server for all tests, and for each test a home, a bucket and a command of its own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.cli import Osmo, osmo_in
from support.servers import S3Server, rclone_s3
from support.stored import Stored


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with rclone_s3(tmp_path_factory.mktemp("rclone") / "data") as running:
        yield running


@dataclass
class Bucket(Stored):
    """A bucket of rclone's server. A directory: what is in it can be seen with other eyes."""

    name: str


@pytest.fixture
def bucket(server: S3Server, request: pytest.FixtureRequest) -> Bucket:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[-60:].strip("-")
    server.make_bucket(name)
    return Bucket(server.directory / name, name)


@pytest.fixture
def osmo(tmp_path: Path, server: S3Server) -> Iterator[Osmo]:
    with osmo_in(tmp_path, server.environ) as command:
        yield command
