"""Databases that another process uses while they are looked at and copied."""

import errno
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from osmo.checkpoint import sidecars, sqlite
from osmo.checkpoint.sqlite import Mode
from osmo.checkpoint.tree import Tree
from osmo.checkpoint.walk import Scan, walk
from osmo.errors import FileMoved
from support.other import Other, other
from support.trees import grow

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="locks are asked for on Linux only")

CONNECT = """
import sqlite3
def connect(path, mode):
    global connection
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    assert connection.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode.lower(),)
    connection.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER, b BLOB)")
def insert(*rows):
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t VALUES (?, zeroblob(5000))", [(row,) for row in rows])
    connection.execute("COMMIT")
"""


class Database:
    """`folder`/run.db, which another process writes."""

    def __init__(self, folder: Path, writer: Other) -> None:
        self.folder = folder
        self.path = folder / "run.db"
        self.scratch = folder.parent / "scratch"
        self.writer = writer
        folder.mkdir()
        writer.do(CONNECT)

    def connect(self, mode: str) -> None:
        self.writer.do(f"connect({str(self.path)!r}, {mode!r})")

    def scan(self) -> Scan:
        tree = Tree(str(self.folder))
        scan = walk(tree)
        sidecars.fold(tree, scan)
        return scan

    def copied(self) -> list[int]:
        """The rows of a whole copy. Nothing of the making stays."""
        copy = self.scratch.parent / "restored.db"
        with sqlite.snapshot(Tree(str(self.folder)), "run.db", self.scratch) as descriptor:
            copy.write_bytes(os.pread(descriptor, 2**30, 0))
        assert list(self.scratch.iterdir()) == []
        return rows(copy)

    def quiet(self) -> bool:
        folder = os.open(self.folder, os.O_RDONLY)
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            return sqlite.quiet(descriptor, folder, "run.db")
        finally:
            os.close(descriptor)
            os.close(folder)

    @property
    def mode(self) -> Mode | None:
        with self.path.open("rb") as file:
            return sqlite.mode(file.fileno())


def rows(path: Path) -> list[int]:
    """Of a database that stands alone, and is sound."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row for (row,) in connection.execute("SELECT a FROM t ORDER BY rowid")]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with other() as writer:
        yield Database(tmp_path / "ckpt", writer)


def test_a_copy_holds_what_is_committed_and_only_in_the_wal(database: Database) -> None:
    database.connect("WAL")
    database.writer.do("insert(1, 2)")
    assert database.mode is Mode.WAL
    assert database.copied() == [1, 2]
    database.writer.do("insert(3)")
    assert database.copied() == [1, 2, 3]


def test_a_transaction_that_is_open_is_not_in_the_copy_and_goes_on(database: Database) -> None:
    database.connect("WAL")
    database.writer.do("insert(1); connection.execute('BEGIN IMMEDIATE')")
    database.writer.do("connection.execute('INSERT INTO t VALUES (2, 0)')")
    assert database.copied() == [1]
    database.writer.do("connection.execute('INSERT INTO t VALUES (3, 0)'); connection.execute('COMMIT')")
    assert database.copied() == [1, 2, 3]


def test_the_same_content_gives_the_same_bytes(database: Database) -> None:
    database.connect("WAL")
    database.writer.do("insert(1)")
    copies = []
    for _ in range(2):
        with sqlite.snapshot(Tree(str(database.folder)), "run.db", database.scratch) as descriptor:
            copies.append(os.pread(descriptor, 2**20, 0))
    assert copies[0] == copies[1]


def test_a_copy_changes_nothing_in_the_task_s_folder(database: Database) -> None:
    def looks() -> dict[str, int]:  # but for the marks of who reads, in -shm
        return {path.name: path.stat().st_mtime_ns * (not path.match("*-shm")) for path in database.folder.iterdir()}

    database.connect("WAL")
    database.writer.do("insert(1)")
    before = looks()
    database.copied()
    assert looks() == before
    database.writer.do("connection.close()")
    assert [path.name for path in database.folder.iterdir()] == ["run.db"]


@pytest.mark.parametrize("kept", [("-wal", "-shm"), ("-wal",)])
def test_what_a_writer_that_was_killed_had_committed_is_in_the_copy(database: Database, kept: tuple[str, ...]) -> None:
    database.connect("WAL")
    database.writer.do("insert(1, 2); connection.execute('BEGIN'); connection.execute('INSERT INTO t VALUES (3, 0)')")
    database.writer.kill()
    if "-shm" not in kept:
        (database.folder / "run.db-shm").unlink()
    before = sorted(database.folder.iterdir())
    assert database.copied() == [1, 2]
    assert sorted(database.folder.iterdir()) == before


def test_a_database_that_its_writer_shares_with_nobody_waits(database: Database) -> None:
    database.writer.do(f"import sqlite3; connection = sqlite3.connect({str(database.path)!r}, isolation_level=None)")
    database.writer.do("connection.execute('PRAGMA locking_mode = EXCLUSIVE')")
    database.writer.do("connection.execute('PRAGMA journal_mode = WAL'); connection.execute('CREATE TABLE t (a)')")
    with pytest.raises(FileMoved):
        database.copied()
    assert list(database.scratch.iterdir()) == []


def test_a_lock_on_a_shared_database_is_not_waited_for_for_ever(database: Database) -> None:
    database.connect("WAL")
    database.writer.do("insert(1); connection.execute('PRAGMA locking_mode = EXCLUSIVE')")
    database.writer.do("insert(2)")
    assert (database.folder / "run.db-shm").exists()
    with pytest.raises(FileMoved):
        database.copied()


def test_a_name_with_every_odd_character_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "a?b#c%20 d"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "x?mode=rw&.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (7)")
        connection.commit()
        with sqlite.snapshot(Tree(str(folder)), "x?mode=rw&.db", tmp_path / "scratch") as descriptor:
            (tmp_path / "copy").write_bytes(os.pread(descriptor, 2**20, 0))
    assert rows(tmp_path / "copy") == [7]


def test_a_disk_that_has_no_room_for_the_copy_is_seen_before_it_is_filled(database: Database) -> None:
    database.connect("WAL")
    database.writer.do("insert(1)")
    disk = os.statvfs(database.folder)
    os.truncate(database.path, disk.f_bavail * disk.f_frsize)  # sparse
    with pytest.raises(OSError, match="no room in .*scratch") as error:
        database.copied()
    assert error.value.errno == errno.ENOSPC
    assert list(database.scratch.iterdir()) == []


def test_a_file_that_only_begins_like_a_database_waits(database: Database) -> None:
    database.path.write_bytes(b"SQLite format 3\0" + b"\x00\x03\x02\x02" + bytes(5000))
    (database.folder / "run.db-wal").touch()
    with pytest.raises(FileMoved):
        database.copied()
    assert list(database.scratch.iterdir()) == []


@pytest.mark.parametrize("mode", ["DELETE", "TRUNCATE", "PERSIST"])
def test_between_two_transactions_a_database_in_rollback_mode_is_quiet(database: Database, mode: str) -> None:
    database.connect(mode)
    database.writer.do("insert(1)")
    assert database.mode is Mode.ROLLBACK
    assert database.quiet()
    database.writer.do("connection.execute('BEGIN IMMEDIATE')")
    assert not database.quiet()
    database.writer.do("connection.execute('INSERT INTO t VALUES (2, 0)')")
    assert not database.quiet()
    database.writer.do("connection.execute('COMMIT')")
    assert database.quiet()
    assert rows(database.path) == [1, 2]


@pytest.mark.parametrize("mode", ["MEMORY", "OFF"])
def test_a_transaction_without_a_journal_on_disk_is_seen_by_its_locks(database: Database, mode: str) -> None:
    database.connect(mode)
    database.writer.do("connection.execute('PRAGMA cache_size = 2'); insert(1); connection.execute('BEGIN')")
    database.writer.do("[connection.execute('INSERT INTO t VALUES (2, zeroblob(9000))') for _ in range(50)]")
    assert not database.quiet()
    database.writer.do("connection.execute('COMMIT')")
    assert database.quiet()


def test_a_reader_does_not_make_it_unquiet(database: Database) -> None:
    database.connect("DELETE")
    database.writer.do("insert(1, 2); rows = connection.execute('SELECT a FROM t'); rows.fetchone()")
    assert database.quiet()


def test_a_journal_that_a_killed_writer_left_is_hot_and_part_of_the_set(database: Database) -> None:
    database.connect("DELETE")
    database.writer.do("insert(*range(50)); connection.execute('PRAGMA cache_size = 2'); connection.execute('BEGIN')")
    database.writer.do("connection.execute('UPDATE t SET a = -1, b = zeroblob(7000)')")
    database.writer.kill()
    assert not database.quiet()
    assert set(database.scan().files) == {"run.db", "run.db-journal"}
    assert rows(database.path) == list(range(50))  # as whoever restores both will see it


@pytest.mark.parametrize("mode", ["TRUNCATE", "PERSIST"])
def test_a_cold_journal_is_no_file_of_the_set(database: Database, mode: str) -> None:
    database.connect(mode)
    database.writer.do("insert(1)")
    assert (database.folder / "run.db-journal").exists()
    assert set(database.scan().files) == {"run.db"}


def test_a_commit_into_the_wal_makes_the_database_look_different(database: Database) -> None:
    database.connect("WAL")
    database.writer.do("insert(1)")
    before, itself = database.scan(), database.path.stat()
    database.writer.do("insert(2)")
    now = database.scan()
    assert database.path.stat().st_mtime_ns == itself.st_mtime_ns
    assert set(now.files) == {"run.db"}
    assert now.databases == {"run.db"}
    assert now.files != before.files
    assert database.scan().files == now.files


def test_a_commit_is_seen_although_the_database_itself_has_a_time_to_come(database: Database) -> None:
    database.connect("WAL")
    database.writer.do("insert(1)")
    os.utime(database.path, (4e9, 4e9))
    before = database.scan()
    database.writer.do("insert(2)")
    assert database.scan().files != before.files


def test_a_single_file_that_is_a_database_is_looked_at_with_its_wal(database: Database) -> None:
    def scan() -> Scan:
        found = walk(tree)
        sidecars.fold(tree, found)
        return found

    tree = Tree(str(database.path))
    database.connect("WAL")
    database.writer.do("insert(1)")
    before = scan()
    assert before.databases == {"run.db"}
    database.writer.do("insert(2)")
    assert scan().files != before.files
    with sqlite.snapshot(tree, "run.db", database.scratch) as descriptor:
        (database.scratch / "copy").write_bytes(os.pread(descriptor, 2**20, 0))
    assert rows(database.scratch / "copy") == [1, 2]


def test_files_that_are_only_named_like_sqlite_s_are_files(tmp_path: Path) -> None:
    grow(tmp_path / "t", {"model": "x", "model-wal": "y", "model-shm": "z", "other-wal": "v", "a-journal": "w"})
    tree = Tree(str(tmp_path / "t"))
    scan = walk(tree)
    sidecars.fold(tree, scan)
    assert set(scan.files) == {"model", "model-wal", "model-shm", "other-wal", "a-journal"}
    assert not scan.databases
