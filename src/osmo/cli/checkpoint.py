"""`osmo checkpoint`: what a url holds, with no workflow around it."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from osmo.checkpoint import history
from osmo.checkpoint.manifest import Checkpoint, FileRecord
from osmo.checkpoint.restore import restore as bring_back
from osmo.checkpoint.verify import verify as check
from osmo.cli.main import FAILED, OK
from osmo.cli.output import files_of, plain, print_json, print_table
from osmo.cli.settings import environment
from osmo.errors import UsageError
from osmo.logs.size import bytes_of
from osmo.spec import url as urls
from osmo.store.base import Store
from osmo.store.open import open_store


def list_checkpoints(args: argparse.Namespace) -> int:
    """The checkpoints of each stream, the newest first."""
    store = store_of(args.url)
    found = [
        (stream, checkpoint)
        for stream in history.streams(store)
        for checkpoint in [*reversed(history.checkpoints(store, stream))][: args.count]
    ]
    if args.format == "json":
        print_json([_summary(stream, checkpoint) for stream, checkpoint in found])
    elif not found:
        print(f"There are no checkpoints at {args.url}.")
    else:
        columns = ("Stream", "Checkpoint", "Time", "Why", "Files", "Size", "Complete", "By")
        print_table(columns, [_row(stream, checkpoint) for stream, checkpoint in found])
    return OK


def show(args: argparse.Namespace) -> int:
    """One checkpoint and its files."""
    stream, record = _chosen(store_of(args.url), args)
    if args.format == "json":
        print_json(_summary(stream, record) | {"files": [_file(file) for file in record.files]})
        return OK
    print_table(("", ""), [(name, str(value)) for name, value in _summary(stream, record).items()])
    print()
    rows = [(file.name, bytes_of(file.size), file.digest[:16], _remark(file)) for file in record.files]
    print_table(("File", "Size", "BLAKE3", ""), rows)
    return OK


def verify(args: argparse.Namespace) -> int:
    """Compare a checkpoint's record with what lies in the store."""
    store = store_of(args.url)
    stream, record = _chosen(store, args)
    with _progress("Verifying", len(record.files)) as step:
        problems = check(store, record, deep=args.deep, report=lambda _: step())
    if args.format == "json":
        print_json(_summary(stream, record) | {"problems": problems})
    else:
        for name, problem in problems.items():
            print(plain(f"{name}: {problem}"))
        how = "every byte read" if args.deep else "sizes and etags compared"
        of = f"checkpoint {record.number} of {stream}: {files_of(len(record.files))}"
        print(f"{of}, {how}: {f'{files_of(len(problems))} wrong' if problems else 'all as it should be'}")
    return FAILED if problems else OK


def restore(args: argparse.Namespace) -> int:
    """Bring a checkpoint back into a folder."""
    store = store_of(args.url)
    stream, record = _chosen(store, args)
    folder = Path(args.folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    fetched: list[int] = []
    with _progress("Restoring", len(record.files)) as step:

        def done(restored: Any) -> None:
            fetched.append(restored.fetched)
            step()

        failures = bring_back(store, record, folder, done)
    old = [file.name for file in record.files if file.deferred]
    if args.format == "json":
        counts = {"fetched_files": sum(map(bool, fetched)), "fetched_size": sum(fetched)}
        texts = {name: str(error) for name, error in failures.items()}
        print_json(_summary(stream, record) | counts | {"failures": texts, "deferred": old})
    else:
        _say_restored(stream, record, folder, sum(fetched), failures, old)
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
        raise UsageError(f"{url}: {error}") from error


def _chosen(store: Store, args: argparse.Namespace) -> tuple[str, Checkpoint]:
    return history.find(store, args.stream, args.number)


def _say_restored(
    stream: str, record: Checkpoint, folder: Path, size: int, failures: dict[str, Any], old: list[str]
) -> None:
    for name, error in failures.items():
        print(plain(f"osmo: {name}: {error}"), file=sys.stderr)
    for name in old:
        print(f"{plain(name)} is of an earlier checkpoint: it was being written at the time", file=sys.stderr)
    if record.unsent:
        print(f"not complete: {files_of(len(record.unsent))} did not reach the store", file=sys.stderr)
    whole = len(record.files) - len(failures)
    print(
        f"Checkpoint {record.number} of {stream} ({record.committed:%Y-%m-%d %H:%M:%S} UTC) in {folder}: "
        f"{files_of(whole)} verified, {bytes_of(size)} fetched"
    )


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
        "size": sum(file.size for file in record.files),
        "path": record.path,
        "run": record.writer.run_id,
        "task": record.writer.task,
        "host": record.writer.host,
        "exit_code": record.exit_code,
    }


def _row(stream: str, record: Checkpoint) -> tuple[str, ...]:
    return (
        stream,
        str(record.number),
        f"{record.committed:%Y-%m-%d %H:%M:%S}",
        record.trigger.value,
        f"{len(record.files):,}",
        bytes_of(sum(file.size for file in record.files)),
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
    }


def _remark(file: FileRecord) -> str:
    return "of an earlier checkpoint" if file.deferred else "may be torn" if file.torn_possible else ""
