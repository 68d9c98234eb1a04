"""`osmo checkpoint prune` and `mirror`: what becomes of a url that a run has left."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from osmo.checkpoint import history, log, tidy, upkeep
from osmo.cli.checkpoint import store_of
from osmo.cli.main import FAILED, OK
from osmo.cli.output import files_of, plain, print_json
from osmo.clock import SystemClock
from osmo.errors import UsageError
from osmo.logs.size import bytes_of
from osmo.rundir.identity import host
from osmo.store.base import Object, Store

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class _Pruned:
    """What was, or would be, removed of one stream. size: bytes."""

    stream: str
    kept: int
    records: int
    objects: int
    plain_files: int
    size: int


def prune(args: argparse.Namespace) -> int:
    """Remove all checkpoints but the newest, and, if it is asked for, plain files that are in none of them."""
    store = store_of(args.url)
    pruned = [_prune_one(store, stream, args) for stream in _streams(store, args.stream)]
    if args.format == "json":
        print_json([asdict(one) for one in pruned])
        return OK
    for one in pruned:
        kept = f"{one.kept} checkpoint{'' if one.kept == 1 else 's'} kept"
        what = [f"{one.records} records", f"{one.objects} objects"]
        what += [f"{files_of(one.plain_files)} that are gone"] if args.mirror else []
        verb = "would be removed" if args.dry_run else "removed"
        print(f"{one.stream}: {kept}; {', '.join(what)}, {bytes_of(one.size)} {verb}")
    return OK


def mirror(args: argparse.Namespace) -> int:
    """Bring plain files up that are older than the newest checkpoint."""
    store = store_of(args.url)
    left = 0
    summary = []
    for stream in _streams(store, args.stream):
        with upkeep.owned(store, stream, "osmo checkpoint mirror", host(), SystemClock(), force=args.force) as epoch:
            brought, error = upkeep.bring_up(store, epoch)
            behind = len(epoch.behind)
        left += behind
        summary.append({"stream": stream, "brought_up": brought, "behind": behind})
        if error is not None:
            print(f"osmo: {stream}: {error}", file=sys.stderr)
        if args.format != "json":
            still = f"; {files_of(behind)} still older than the checkpoint" if behind else ""
            print(f"{stream}: {files_of(brought)} brought up{still}")
    if args.format == "json":
        print_json(summary)
    return FAILED if left else OK


def _prune_one(store: Store, stream: str, args: argparse.Namespace) -> _Pruned:
    garbage = tidy.find(store, log.Reader(stream), args.keep, spare=False)
    found = history.checkpoints(store, stream)
    if not args.dry_run:
        tidy.remove(store, garbage, at_once=16)
    gone: Sequence[Object] = ()
    if args.mirror and args.dry_run:
        gone = upkeep.gone(store, found[-1].prefix)
    elif args.mirror:
        gone = _remove_gone(store, stream, args)
    size = garbage.size + sum(each.size for each in gone)
    return _Pruned(stream, min(len(found), args.keep), len(garbage.records), len(garbage.objects), len(gone), size)


def _remove_gone(store: Store, stream: str, args: argparse.Namespace) -> Sequence[Object]:
    with upkeep.owned(store, stream, "osmo checkpoint prune", host(), SystemClock(), force=args.force) as epoch:
        gone = upkeep.gone(store, epoch.place.prefix)
        if not gone or not _agreed(store, gone, yes=args.yes):
            return ()
        tidy.remove(store, tidy.Garbage(objects=tuple(each.key for each in gone)), at_once=16)
        return gone


def _agreed(store: Store, gone: Sequence[Object], *, yes: bool) -> bool:
    """Whether these files may go. Raises UsageError if there is nobody to ask."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("--mirror removes files for good, and there is nobody to ask", hint="Say --yes, or --dry-run.")
    for each in gone[:_SHOWN]:
        print(plain(f"{store.url}/{each.key}  {bytes_of(each.size)}"), file=sys.stderr)
    if len(gone) > _SHOWN:
        print(f"and {len(gone) - _SHOWN:,} more", file=sys.stderr)
    print(f"Remove {files_of(len(gone))} that are in no checkpoint? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _streams(store: Store, chosen: str | None) -> list[str]:
    """Those that hold a checkpoint, or the one that was chosen. Raises UsageError if there is none."""
    if chosen is not None:
        return [history.choose(store, chosen)]
    found = [stream for stream in history.streams(store) if history.checkpoints(store, stream)]
    if not found:
        raise UsageError(f"{store.url}: there is no checkpoint", hint="Is it the url that the spec says?")
    return found
