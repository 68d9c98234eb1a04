"""`osmo data`: files to a url and back, with OSMO's arguments; exit codes say what happened."""

import argparse
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from osmo.cli.output import files_of, plain, print_json
from osmo.cli.settings import environment
from osmo.clock import SystemClock
from osmo.errors import UsageError
from osmo.logs.size import bytes_of
from osmo.spec import url as urls
from osmo.store.base import Object, Store
from osmo.store.limit import Bandwidth, rate
from osmo.store.open import open_store
from osmo.transfer.download import download
from osmo.transfer.find import find
from osmo.transfer.names import Takes, is_own, matcher, wanted
from osmo.transfer.run import Done, Report, each
from osmo.transfer.upload import AT_ONCE, upload
from osmo.transfer.walk import Source, walk

_MOST_AT_ONCE = 64


def upload_files(args: argparse.Namespace) -> int:
    takes, url = _takes(args), _checked(args.url)
    store = open_store(url, environment(), _cap(args))
    sources = [source for path in args.paths for source in walk(path, takes)]
    _warn_of_doubles(sources)
    if not sources:
        print(f"WARNING: {' '.join(args.paths)}: no file{' matches' if args.regex else 's'}", file=sys.stderr)
    if args.dry_run:
        return _shown([(f"{url}/{each.key}", each.size) for each in sources if not each.problem], "would be uploaded")
    with _bar(sum(source.size for source in sources), args) as progress:
        report = upload(store, sources, at_once=_at_once(args), progress=progress)
    return _said(report, "uploaded", "Upload", args)


def download_files(args: argparse.Namespace) -> int:
    takes, url, folder = _takes(args), _checked(args.url), Path(args.folder).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    store, found = _found(url, takes)
    if not found:
        print(f"No entries found for {url}", file=sys.stderr)
        return 1
    if args.dry_run:
        return _shown([(str(folder / each.key), each.size) for each in found], "would be downloaded")
    folder.mkdir(parents=True, exist_ok=True)
    with _bar(sum(each.size for each in found), args) as progress:
        report = download(store, found, folder, resume=args.resume, at_once=_at_once(args), progress=progress)
    return _said(report, "downloaded", "Download", args)


def list_objects(args: argparse.Namespace) -> int:
    takes, url = _takes(args), _checked(args.url)
    beneath = f"{url}/{args.prefix.strip('/')}" if args.prefix else url
    if args.recursive or args.regex:
        _, found = _found(beneath, takes, own=args.all)
        rows: list[tuple[str, Object | None]] = [(each.key, each) for each in found]
    else:
        rows = _level(open_store(beneath, environment()), own=args.all)
    if args.format == "json":
        print_json([_row(beneath, key, found) for key, found in rows])
        return 0
    lines = [f"{plain(key)}" for key, _ in rows] + [f"Total {len(rows)} objects found"]
    if args.file:
        Path(args.file).write_text("".join(f"{key}\n" for key, _ in rows), encoding="utf-8", errors="surrogateescape")
        lines = lines[-1:]
    print("\n".join(lines))
    return 0


def delete_objects(args: argparse.Namespace) -> int:
    takes, url = _takes(args), _checked(args.url)
    store, found = _found(url, takes, own=args.all)
    if args.dry_run:
        return _shown([(f"{url}/{each.key}", each.size) for each in found], "would be deleted")
    if not found:
        print(f"No entries found for {url}", file=sys.stderr)
        return 0
    if not args.yes:
        _confirm(url, found)
    report = each(found, _deleting(store), lambda one: f"{url}/{one.key}", at_once=_at_once(args), clock=SystemClock())
    _failures(report, "Delete")
    print(f"Data has been deleted, success_count={len(report.done)}, failures={len(report.failed)}")
    return 1 if report.failed else 0


def _deleting(store: Store) -> Callable[[Object], Done]:
    def delete(found: Object) -> Done:
        store.delete(found.key)
        return Done()

    return delete


def _confirm(url: str, found: Sequence[Object]) -> None:
    """Ask whoever sits there; a script has to say it in advance."""
    what = f"{files_of(len(found))}, {bytes_of(sum(one.size for one in found))}, at {url}"
    if not sys.stdin.isatty():
        raise UsageError(f"nobody is there to be asked whether to delete {what}", hint="--yes deletes them.")
    print(f"Delete {what}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was deleted")


def _found(url: str, takes: Takes, *, own: bool = False) -> tuple[Store, list[Object]]:
    return find(url, lambda each: open_store(each, environment()), takes, own=own)


def _level(store: Store, *, own: bool) -> list[tuple[str, Object | None]]:
    """One level: objects, and folders with a slash behind them."""
    folders = [(f"{name}/", None) for name in store.folders("") if own or not is_own(name)]
    files = [(each.key, each) for each in wanted(store.list(""), lambda _: True, own=own) if "/" not in each.key]
    return sorted([*folders, *files], key=lambda row: row[0])


def _row(url: str, key: str, found: Object | None) -> dict[str, Any]:
    if found is None:
        return {"url": f"{url}/{key}", "key": key}
    return {"url": f"{url}/{key}", "key": key, "size": found.size, "etag": found.etag, "modified": found.modified}


def _takes(args: argparse.Namespace) -> Takes:
    try:
        return matcher(args.regex or "")
    except ValueError as error:
        raise UsageError(f"--regex: {error}") from error


def _checked(url: str) -> str:
    try:
        return urls.checked(url)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _cap(args: argparse.Namespace) -> Bandwidth | None:
    try:
        return Bandwidth(rate(args.max_bandwidth)) if args.max_bandwidth else None
    except ValueError as error:
        raise UsageError(f"--max-bandwidth: {error}") from error


def _at_once(args: argparse.Namespace) -> int:
    """OSMO counts threads of each process; here there is one process, so both are the number of requests at once."""
    if not args.threads and not args.processes:
        return AT_ONCE
    return min(_MOST_AT_ONCE, (args.threads or 1) * (args.processes or 1))


def _warn_of_doubles(sources: Sequence[Source]) -> None:
    seen: dict[str, Path] = {}
    for source in sources:
        other = seen.setdefault(source.key, source.path)
        if other != source.path:
            raise UsageError(f"{other} and {source.path} would both be {source.key!r} there: upload them one by one")


@contextmanager
def _bar(total: int, args: argparse.Namespace) -> Iterator[Callable[[str, int], None]]:
    """A bar on a terminal; elsewhere nothing."""
    from tqdm import tqdm

    lock = threading.Lock()
    shape: Any = {"unit": "B", "unit_scale": True, "unit_divisor": 1024, "leave": False}
    with tqdm(total=total, disable=not sys.stderr.isatty() or args.format == "json", **shape) as bar:

        def progress(_path: str, size: int) -> None:
            with lock:
                bar.update(size)

        yield progress


def _shown(rows: Sequence[tuple[str, int]], what: str) -> int:
    for name, _ in rows:
        print(plain(name))
    print(f"{files_of(len(rows))}, {bytes_of(sum(size for _, size in rows))}, {what}")
    return 0


def _said(report: Report, what: str, verb: str, args: argparse.Namespace) -> int:
    if args.format == "json":
        failed = [{"name": name, "error": why} for name, why in report.failed]
        print_json({what: report.done, "skipped": report.skipped, "failed": failed, "bytes": report.size})
        return 1 if report.failed else 0
    _failures(report, verb)
    skipped = f", {len(report.skipped):,} there already" if report.skipped else ""
    counts = f"{files_of(len(report.done))}, {bytes_of(report.size)}{skipped}"
    print(f"{counts} {what}, {len(report.failed):,} failed" if report.failed else f"Data has been {what}: {counts}")
    return 1 if report.failed else 0


def _failures(report: Report, verb: str) -> None:
    if report.failed:
        print(f"{verb} failed on files:", file=sys.stderr)
    for _, why in report.failed:
        print(plain(why), file=sys.stderr)
