"""`osmo checkpoint prune` and `mirror`: what becomes of a url that a run has left."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from osmo.checkpoint import history, log, tidy, upkeep
from osmo.checkpoint.manifest import Checkpoint
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
class _Plan:
    """What is to be removed of one stream. dropped: checkpoints. gone: plain files that are in no checkpoint then."""

    stream: str
    prefix: str
    kept: int
    dropped: int
    garbage: tidy.Garbage
    gone: tuple[Object, ...] = ()

    @property
    def size(self) -> int:
        return self.garbage.size + sum(each.size for each in self.gone)


def prune(args: argparse.Namespace) -> int:
    """Remove all checkpoints but the newest, and, if it is asked for, plain files that are in none of them."""
    store = store_of(args.url)
    plans = [_planned(store, stream, args.keep) for stream in _streams(store, args.stream)]
    if args.mirror:
        plans = _with_gone(store, plans)
    gone = [each for plan in plans for each in plan.gone]
    if args.dry_run:
        _list(store, gone)
    elif gone and not _agreed(store, gone, yes=args.yes):
        print("osmo: nothing was removed", file=sys.stderr)
        return FAILED
    else:
        for plan in plans:
            _carry_out(store, plan, force=args.force)
    if args.format == "json":
        print_json([_summary(plan) for plan in plans])
        return OK
    for plan in plans:
        print(_told(plan, "would be removed" if args.dry_run else "removed"))
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


def _planned(store: Store, stream: str, keep: int) -> _Plan:
    reader = log.Reader(stream)
    garbage = tidy.find(store, reader, keep, spare=False)
    made = {key: record for key, record in reader.all(store).items() if isinstance(record, Checkpoint)}
    kept = {record.number for key, record in made.items() if key not in garbage.records}
    dropped = {record.number for record in made.values()} - kept
    return _Plan(stream, [*made.values()][-1].prefix, len(kept), len(dropped), garbage)


def _with_gone(store: Store, plans: Sequence[_Plan]) -> list[_Plan]:
    """Each plain file in one plan only, although streams may share them."""
    dropped = frozenset(key for plan in plans for key in plan.garbage.records)
    found: dict[str, Object] = {}
    more = []
    for plan in plans:
        gone = {each.key: each for each in upkeep.gone(store, plan.prefix, dropped) if each.key not in found}
        found |= gone
        more.append(replace(plan, gone=tuple(gone.values())))
    return more


def _carry_out(store: Store, plan: _Plan, *, force: bool) -> None:
    """Checkpoints go without a lock; plain files only while nobody else can write there."""
    if not plan.gone:
        tidy.remove(store, plan.garbage, at_once=16)
        return
    with upkeep.owned_beneath(store, plan.prefix, "osmo checkpoint prune", host(), SystemClock(), force=force):
        tidy.remove(store, plan.garbage, at_once=16)
        still = {each.key for each in upkeep.gone(store, plan.prefix)}
        keys = tuple(each.key for each in plan.gone if each.key in still)
        tidy.remove(store, tidy.Garbage(objects=keys), at_once=16)


def _summary(plan: _Plan) -> dict[str, object]:
    return {
        "stream": plan.stream,
        "kept": plan.kept,
        "checkpoints": plan.dropped,
        "objects": len(plan.garbage.objects),
        "plain_files": [each.key for each in plan.gone],
        "size": plan.size,
    }


def _told(plan: _Plan, verb: str) -> str:
    what = [_counted(plan.dropped, "checkpoint"), _counted(len(plan.garbage.objects), "object")]
    if plan.gone:
        what.append(_counted(len(plan.gone), "plain file"))
    return f"{plan.stream}: {_counted(plan.kept, 'checkpoint')} kept; {', '.join(what)}, {bytes_of(plan.size)} {verb}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _agreed(store: Store, gone: Sequence[Object], *, yes: bool) -> bool:
    """Whether these files may go. Raises UsageError if there is nobody to ask."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("--mirror removes files for good, and there is nobody to ask", hint="Say --yes, or --dry-run.")
    _list(store, gone)
    print(f"Remove {files_of(len(gone))} that are in no checkpoint? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _list(store: Store, gone: Sequence[Object]) -> None:
    for each in gone[:_SHOWN]:
        print(plain(f"{store.url}/{each.key}  {bytes_of(each.size)}"), file=sys.stderr)
    if len(gone) > _SHOWN:
        print(f"and {len(gone) - _SHOWN:,} more", file=sys.stderr)


def _streams(store: Store, chosen: str | None) -> list[str]:
    """Those that hold a checkpoint, or the one that was chosen. Raises UsageError if there is none."""
    streams = history.streams(store) if chosen is None else [history.choose(store, chosen)]
    found = [stream for stream in streams if history.checkpoints(store, stream)]
    if not found:
        raise UsageError(f"{store.url}: there is no checkpoint", hint="Is it the url that the spec says?")
    return found
