"""Real processes in an attempt's directory; runs with a home, a store and a proxy of their own."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from osmo.rundir.paths import AttemptDir, RunDir
from support.cli import Osmo, osmo_in
from support.proxy import FaultProxy
from support.servers import S3Server, rclone_s3
from support.stored import Stored


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptDir:
    place = RunDir(tmp_path / "run-1").attempt("main", 0)
    place.path.mkdir(parents=True)
    return place


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with rclone_s3(tmp_path_factory.mktemp("s3") / "data") as running:
        yield running


@pytest.fixture
def between(s3: S3Server) -> Iterator[FaultProxy]:
    """A proxy before `s3`. A test that asks for it has an `osmo` that goes through it."""
    with FaultProxy(s3.endpoint) as running:
        yield running


@pytest.fixture
def osmo(tmp_path: Path, s3: S3Server, request: pytest.FixtureRequest) -> Iterator[Osmo]:
    way = request.getfixturevalue("between") if "between" in request.fixturenames else s3
    with osmo_in(tmp_path, s3.environ | {"AWS_ENDPOINT_URL_S3": way.endpoint}) as command:
        yield command


@pytest.fixture
def bucket(s3: S3Server, request: pytest.FixtureRequest) -> Stored:
    """A bucket of rclone's server, which is a directory: its name is the bucket's."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[-60:].strip("-")
    s3.make_bucket(name)
    return Stored(s3.directory / name)
