"""A large file that changes in part, at real servers: what travels, and what becomes of it when somebody dies."""

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.cli import Osmo, osmo_in
from support.faults import HANG
from support.proxy import FaultProxy
from support.servers import S3Server, moto_s3, rclone_s3, s3_client

MIB = 1 << 20
SIZE = 72 * MIB + 12_345  # more than the least that is worth it


@dataclass
class Place:
    """A server behind a proxy, a file that is checkpointed there, a command that does it."""

    server: S3Server
    proxy: FaultProxy
    osmo: Osmo

    @property
    def file(self) -> Path:
        return self.osmo.directory / "data/model.bin"

    def words(self) -> list[str]:
        return ["checkpoint", "run", "--path", "data", "--url", "s3://bucket", "--frequency", "1h", "--", "true"]

    def save(self) -> tuple[int, str]:
        """One checkpoint, by a process of its own. How many bytes travelled, and what was said."""
        before = sum(each.up for each in self.proxy.exchanges)
        result = self.osmo(*self.words())
        assert result.returncode == 0, result.stderr
        return sum(each.up for each in self.proxy.exchanges) - before, result.stderr

    def check(self) -> None:
        """The newest checkpoint gives the file, and other tools see it."""
        result = self.osmo("checkpoint", "restore", "s3://bucket", "back")
        assert result.returncode == 0, result.stderr
        assert (self.osmo.directory / "back/model.bin").read_bytes() == self.file.read_bytes()
        (self.osmo.directory / "back/model.bin").unlink()
        (self.osmo.directory / "back").rmdir()
        (plain,) = (each for each in self.listed() if each["Key"] == "data/model.bin")
        assert plain["Size"] == self.file.stat().st_size

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = s3_client(self.server).list_objects_v2(Bucket="bucket")["Contents"]
        return found

    def objects(self) -> list[str]:
        """The keys of contents, and of the digests of their blocks."""
        return [each["Key"] for each in self.listed() if "/objects/" in each["Key"]]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/model.bin").write_bytes(os.urandom(SIZE))
    return tmp_path


@contextmanager
def place(directory: Path, starting: AbstractContextManager[S3Server]) -> Iterator[Place]:
    with starting as server, FaultProxy(server.endpoint) as proxy:
        way = {"AWS_ENDPOINT_URL_S3": proxy.endpoint}
        with osmo_in(directory, server.environ | way) as osmo:
            yield Place(server, proxy, osmo)


@pytest.fixture
def moto(directory: Path) -> Iterator[Place]:
    with place(directory, moto_s3(("bucket",))) as made:
        yield made


@pytest.fixture
def rclone(directory: Path) -> Iterator[Place]:
    with place(directory, rclone_s3(directory / "rclone", buckets=("bucket",))) as made:
        yield made


def append(place: Place, count: int) -> None:
    with place.file.open("ab") as file:
        file.write(os.urandom(count))


def overwrite(place: Place, at: int, count: int) -> None:
    with place.file.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(count))


def test_only_what_changed_travels_also_after_somebody_was_killed_meanwhile(moto: Place) -> None:
    assert moto.save()[0] > SIZE
    append(moto, MIB)
    travelled, said = moto.save()
    assert MIB < travelled < 10 * MIB  # and the block that was not full
    assert "75.5 MB of it, unchanged, copied within the store" in said
    before = moto.objects()
    overwrite(moto, 20 * MIB, 10)
    with moto.proxy.fault(HANG, method="PUT", path="partNumber=") as hanging:
        process = moto.osmo.start(*moto.words())
        hanging.wait(2, timeout_s=30)
        process.send_signal(signal.SIGKILL)
        process.wait()
    client = s3_client(moto.server)
    assert len(client.list_multipart_uploads(Bucket="bucket")["Uploads"]) == 1
    assert moto.objects() == before
    assert 8 * MIB < moto.save()[0] < 9 * MIB
    assert "Uploads" not in client.list_multipart_uploads(Bucket="bucket")  # what was left behind is gone
    moto.check()


def test_a_server_that_cannot_copy_ranges_gets_whole_files(rclone: Place) -> None:
    rclone.save()
    append(rclone, MIB)
    travelled, said = rclone.save()
    assert travelled > SIZE
    assert "copied within the store" not in said
    rclone.check()
