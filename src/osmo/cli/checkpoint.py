"""`osmo checkpoint`: what a url holds, with no workflow around it."""

import argparse
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from osmo.checkpoint import history
from osmo.checkpoint.manifest import Checkpoint, FileRecord
from osmo.checkpoint.restore import Onlooker, Restored
from osmo.checkpoint.restore import restore as bring_back
from osmo.checkpoint.verify import verify as check
from osmo.cli.main import FAILED, OK
from osmo.cli.output import files_of, plain, print_facts, print_json, print_table
from osmo.cli.settings import environment
from osmo.errors import NoRecord, OsmoError, UsageError
from osmo.logs.size import bytes_of
from osmo.spec import url as urls
from osmo.store.base import Store
from osmo.store.open import open_store

_MOST_LINES = 20


def list_checkpoints(args: argparse.Namespace) -> int:
    """The checkpoints of each stream, the newest first."""
    store = store_of(args.url)
    damaged: list[NoRecord] = []
    found = [
        (stream, checkpoint)
        for stream in history.streams(store)
        for checkpoint in [*reversed(history.checkpoints(store, stream, damaged))][: args.count]
    ]
    if args.format == "json":
        print_json([_summary(stream, checkpoint) for stream, checkpoint in found])
    elif not found and not damaged:
        print(f"There are no checkpoints at {args.url}.")
    else:
        columns = ("Stream", "Checkpoint", "Time", "Why", "Files", "Size", "Complete", "By")
        print_table(columns, [_row(stream, checkpoint) for stream, checkpoint in found])
    for error in damaged:
        print(plain(f"osmo: {error}"), f"      {error.hint}", sep="\n", file=sys.stderr)
    return FAILED if damaged else OK


def show(args: argparse.Namespace) -> int:
    """One checkpoint and its files."""
    stream, record = _chosen(store_of(args.url), args)
    if args.format == "json":
        print_json(_summary(stream, record) | {"files": [_file(file) for file in record.files]})
        return OK
    print_facts(_facts(stream, record))
    print()
    rows = ((file.name, bytes_of(file.size), file.digest[:16], _remark(file)) for file in record.files)
    print_table(("File", "Size", "BLAKE3", "Remark"), rows)
    return OK


def verify(args: argparse.Namespace) -> int:
    """Compare a checkpoint's record with what lies in the store."""
    store = store_of(args.url)
    stream, record = _chosen(store, args)
    with _progress("Verifying", len(record.files)) as step:
        problems = check(store, stream, record, deep=args.deep, report=lambda _: step())
    if args.format == "json":
        print_json(_summary(stream, record) | {"problems": problems})
    else:
        for name, problem in problems.items():
            print(plain(f"{name}: {problem}"))
        how = "every byte read" if args.deep else "sizes and etags compared"
        of = plain(f"checkpoint {record.number} of {stream}: {files_of(len(record.files))}")
        print(f"{of}, {how}: {f'{files_of(len(problems))} wrong' if problems else 'all as it should be'}")
    return FAILED if problems else OK


def restore(args: argparse.Namespace) -> int:
    """Bring a checkpoint back into a folder."""
    store = store_of(args.url)
    if not args.folder:
        raise UsageError("DEST is empty", hint="Name a folder; `.` is this one.")
    folder = Path(args.folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    stream = history.choose(store, args.stream)
    with _Bar() as bar:
        outcome = bring_back(store, stream, args.number, folder, bar.onlooker, partial=args.partial)
    record, failures = outcome.checkpoint, outcome.failures
    nothing = bool(failures) and not args.partial
    if args.format == "json":
        texts = {name: str(error) for name, error in failures.items()}
        whole = 0 if nothing else len(record.files) - len(failures)
        counts = {"restored_files": whole, "fetched_files": bar.fetched_files, "fetched_size": bar.fetched_size}
        old = [file.name for file in record.files if file.deferred]
        print_json(_summary(stream, record) | counts | {"failures": texts, "deferred": old})
    else:
        _say_failed(folder, failures, nothing=nothing)
        if not nothing:
            _say_restored(stream, record, folder, bar.fetched_size, len(record.files) - len(failures))
    return FAILED if failures else OK


def diff(args: argparse.Namespace) -> int:
    """What changed from one checkpoint to another."""
    store = store_of(args.url)
    one, other = (
        {file.name: file for file in history.find(store, args.stream, number)[1].files}
        for number in (args.number, args.other)
    )
    changes = {
        **dict.fromkeys(one.keys() - other.keys(), "removed"),
        **dict.fromkeys(other.keys() - one.keys(), "added"),
        **{name: "changed" for name in one.keys() & other.keys() if one[name].digest != other[name].digest},
    }
    if args.format == "json":
        print_json(dict(sorted(changes.items())))
        return OK
    marks = {"removed": "-", "added": "+", "changed": "~"}
    for name, change in sorted(changes.items()):
        size = (other if name in other else one)[name].size
        print(f"{marks[change]} {plain(name)}  {bytes_of(size)}")
    if not changes:
        print("the same files")
    return OK


def store_of(url: str) -> Store:
    """Raises UsageError if it is no url of a store."""
    try:
        return open_store(urls.checked(url), environment())
    except ValueError as error:
        raise UsageError(str(error)) from error  # the url itself may hold a secret


def _chosen(store: Store, args: argparse.Namespace) -> tuple[str, Checkpoint]:
    return history.find(store, args.stream, args.number)


def _say_failed(folder: Path, failures: Mapping[str, OsmoError], *, nothing: bool) -> None:
    """nothing: was restored."""
    for name, error in list(failures.items())[:_MOST_LINES]:
        print(plain(f"osmo: {name}: {error}"), file=sys.stderr)
    if len(failures) > _MOST_LINES:
        print(f"osmo: {len(failures) - _MOST_LINES:,} more files that cannot be restored", file=sys.stderr)
    if nothing:
        print(
            f"osmo: nothing in {folder} was changed. --partial restores the files that are whole, --at N another"
            " checkpoint",
            file=sys.stderr,
        )


def _say_restored(stream: str, record: Checkpoint, folder: Path, size: int, whole: int) -> None:
    for file in record.files:
        if file.deferred:
            print(f"{plain(file.name)} is of an earlier checkpoint: it was being written at the time", file=sys.stderr)
        elif problem := (record.problems or {}).get(file.name):
            print(plain(f"{file.name} is of an earlier checkpoint: {problem}"), file=sys.stderr)
    if record.unsent:
        print(f"not complete: {files_of(len(record.unsent))} did not reach the store", file=sys.stderr)
    print(
        f"Checkpoint {record.number} of {plain(stream)} ({record.committed:%Y-%m-%d %H:%M:%S} UTC) in {folder}: "
        f"{files_of(whole)} verified, {bytes_of(size)} fetched"
    )


class _Bar:
    """A bar on a terminal, nothing elsewhere; and what a restore has fetched. Safe to use from many threads."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            desc="Restoring", unit="B", unit_scale=True, disable=not sys.stderr.isatty(), leave=False, total=0
        )
        self._lock = threading.Lock()
        self.fetched_files = self.fetched_size = 0
        self.onlooker = Onlooker(begun=self._begun, received=self._received, done=self._done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _begun(self, record: Checkpoint) -> None:
        if self._bar.total:
            self._bar.write(f"a newer checkpoint was made meanwhile: going on with {record.number}", file=sys.stderr)
        self._bar.reset(total=record.files.size)

    def _received(self, _path: Path, count: int) -> None:
        with self._lock:
            self._bar.update(count)

    def _done(self, restored: Restored) -> None:
        with self._lock:
            self.fetched_files += bool(restored.fetched)
            self.fetched_size += restored.fetched


@contextmanager
def _progress(what: str, total: int) -> Iterator[Any]:
    """A bar on a terminal, nothing elsewhere. Gives a function to call for each file."""
    from tqdm import tqdm

    with tqdm(total=total, desc=what, unit=" files", disable=not sys.stderr.isatty(), leave=False) as bar:
        yield bar.update


def _summary(stream: str, record: Checkpoint) -> dict[str, Any]:
    return {
        "stream": stream,
        "checkpoint": record.number,
        "time": record.committed.isoformat(),
        "trigger": record.trigger,
        "complete": not record.unsent,
        "count": len(record.files),
        "size": record.files.size,
        "path": record.path,
        "run": record.writer.run_id,
        "task": record.writer.task,
        "host": record.writer.host,
        "exit_code": record.exit_code,
    }


def _facts(stream: str, record: Checkpoint) -> list[tuple[str, str]]:
    """The same for people."""
    facts = [
        ("Stream", stream),
        ("Checkpoint", str(record.number)),
        ("Time", f"{record.committed:%Y-%m-%d %H:%M:%S} UTC"),
        ("Why", record.trigger.value),
        ("Complete", "no" if record.unsent else "yes"),
        ("Files", f"{len(record.files):,}"),
        ("Size", bytes_of(record.files.size)),
        ("Path", record.path),
        ("By", f"{record.writer}{f', task {record.writer.task}' if record.writer.task else ''}"),
    ]
    return facts if record.exit_code is None else [*facts, ("Exit Code", str(record.exit_code))]


def _row(stream: str, record: Checkpoint) -> tuple[str, ...]:
    return (
        stream,
        str(record.number),
        f"{record.committed:%Y-%m-%d %H:%M:%S}",
        record.trigger.value,
        f"{len(record.files):,}",
        bytes_of(record.files.size),
        "no" if record.unsent else "yes",
        str(record.writer),
    )


def _file(file: FileRecord) -> dict[str, Any]:
    return {
        "name": file.name,
        "size": file.size,
        "mode": f"{file.mode:o}",
        "mtime_ns": file.mtime_ns,
        "digest": file.digest,
        "key": file.place,
        "deferred": file.deferred,
        "torn_possible": file.torn_possible,
        "live": file.live,
    }


def _remark(file: FileRecord) -> str:
    if file.deferred:
        return "of an earlier checkpoint"
    return "may be torn" if file.torn_possible else "as far as it was" if file.live else ""
