"""The files that SQLite keeps beside a database: part of it, not files of their own."""

import os
from contextlib import suppress

from osmo.checkpoint import sqlite
from osmo.checkpoint.sqlite import JOURNAL, SHARED_MEMORY, SIDECARS, WAL, Mode
from osmo.checkpoint.tree import Stat, Tree
from osmo.checkpoint.walk import Scan


def owner(name: str) -> str | None:
    """The database that the file would belong to, if there is one; None if its name says that it belongs to none."""
    return next((name.removesuffix(suffix) for suffix in SIDECARS if name.endswith(suffix)), None)


def fold(tree: Tree, scan: Scan) -> None:
    """Make each database one file of the scan.

    In WAL mode its `-wal` and `-shm` are no files; it is among `databases`, and looks different when its -wal does, for
    commits go there. In rollback mode its `-journal` is no file while it is cold; a hot one is: without it the database
    is not whole.
    """
    if tree.is_file:
        _fold_single(tree, scan)
        return
    for name in [name for name in scan.files.suspects() if name.endswith(SIDECARS)]:
        database = owner(name)
        if database is not None and database in scan.files and name in scan.files:
            with suppress(OSError):  # unreadable: told when it is to be read
                _fold(tree, scan, database, name)


def _fold(tree: Tree, scan: Scan, database: str, name: str) -> None:
    with tree.open(database) as descriptor:
        mode = sqlite.mode(descriptor)
    if mode is Mode.WAL and name.endswith(WAL):
        scan.databases.add(database)
        scan.files[database] = _together(scan.files[database], scan.files.pop(name))
    elif mode is Mode.WAL and name.endswith(SHARED_MEMORY):
        del scan.files[name]
    elif mode is Mode.ROLLBACK and name.endswith(JOURNAL):
        with tree.open(name) as journal:
            if not sqlite.is_hot(journal):
                del scan.files[name]


def _fold_single(tree: Tree, scan: Scan) -> None:
    for name, stat in list(scan.files.items()):
        with suppress(OSError), tree.open(name) as descriptor:
            if sqlite.mode(descriptor) is Mode.WAL:
                with tree.beside(name) as (folder, part):
                    wal = Stat.of(os.stat(part + WAL, dir_fd=folder))
                scan.databases.add(name)
                scan.files[name] = _together(stat, wal)


def _together(database: Stat, wal: Stat) -> Stat:
    """How both look. Only ever compared: their times of change are added, so neither changes unseen."""
    return database.but(mtime_ns=max(database.mtime_ns, wal.mtime_ns), ctime_ns=database.ctime_ns + wal.ctime_ns)
