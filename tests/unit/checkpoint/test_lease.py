import mmap
import os
from pathlib import Path

import pytest

from osmo.checkpoint import mounts
from osmo.checkpoint.lease import open_for_writing

pytestmark = pytest.mark.skipif(not hasattr(__import__("fcntl"), "F_SETLEASE"), reason="leases are Linux's")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 4096)
    return path


def asked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return open_for_writing(descriptor)
    finally:
        os.close(descriptor)


def test_a_file_that_nobody_writes_is_not_open_for_writing(path: Path) -> None:
    with path.open("rb"):
        assert not asked(path)


def test_a_writer_is_seen_until_it_closes(path: Path) -> None:
    with path.open("r+b"):
        assert asked(path)
    assert not asked(path)


def test_a_memory_map_is_seen_although_its_descriptor_is_closed(path: Path) -> None:
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    assert asked(path)
    mapped.close()
    assert not asked(path)


def test_asking_leaves_nothing_behind(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    assert not open_for_writing(descriptor)
    with path.open("r+b") as file:  # would wait, and we with it, if the lease were still there
        file.write(b"y")
    os.close(descriptor)


def test_on_a_network_filesystem_a_refused_lease_means_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFSv4 and SMB refuse it for every file that the server did not delegate, too."""
    device = path.stat().st_dev
    table = tmp_path / "mountinfo"
    table.write_text(f"91 27 {os.major(device)}:{os.minor(device)} / / rw - nfs4 server:/export rw\n")
    monkeypatch.setattr(mounts, "_MOUNTS", str(table))
    mounts._kind.cache_clear()
    try:
        with path.open("r+b"):
            assert not asked(path)
    finally:
        mounts._kind.cache_clear()
    with path.open("r+b"):
        monkeypatch.undo()
        assert asked(path)
