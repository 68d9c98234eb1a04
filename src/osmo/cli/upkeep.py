"""`osmo checkpoint prune` and `mirror`: what becomes of a url that a run has left."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from osmo.checkpoint import history, log, tidy, upkeep
from osmo.checkpoint.manifest import Checkpoint
from osmo.checkpoint.table import Unread
from osmo.cli.checkpoint import store_of
from osmo.cli.main import FAILED, OK
from osmo.cli.output import files_of, plain, print_json
from osmo.clock import SystemClock
from osmo.errors import OsmoError, StoreError, UsageError
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
    refused: dict[str, OsmoError] = {}
    for plan in plans:
        if not args.dry_run and (why := _carried_out(store, plan, force=args.force)) is not None:
            refused[plan.stream] = why
            _complain(plan.stream, why)
        elif args.format != "json":
            print(plain(_told(plan, "would be removed" if args.dry_run else "removed")), flush=True)
    if args.format == "json":
        print_json([_summary(plan, refused.get(plan.stream)) for plan in plans])
    return FAILED if refused else OK


def mirror(args: argparse.Namespace) -> int:
    """Bring plain files up that are older than the newest checkpoint."""
    store = store_of(args.url)
    tried = []
    for stream in _streams(store, args.stream):
        tried.append(one := _brought(store, stream, force=args.force))
        if args.format != "json":
            still = f"; {files_of(one['behind'])} still older than the checkpoint" if one["behind"] else ""
            print(plain(f"{stream}: {files_of(one['brought_up'])} brought up{still}"), flush=True)
    if args.format == "json":
        print_json(tried)
    return FAILED if any(each["behind"] or each["lost"] or each["error"] for each in tried) else OK


def _brought(store: Store, stream: str, *, force: bool) -> dict[str, Any]:
    """What came of one stream: what `--json` shows of it. Its troubles are said at once."""
    try:
        with upkeep.owned(store, stream, "osmo checkpoint mirror", host(), SystemClock(), force=force) as epoch:
            brought = upkeep.bring_up(store, epoch)
            behind = len(epoch.behind)
    except OsmoError as error:
        brought, behind = upkeep.Brought(error=error), 0
    if brought.error is not None:
        _complain(stream, brought.error)
    _say_lost(store, stream, brought.lost)
    return {
        "stream": stream,
        "brought_up": brought.count,
        "behind": behind,
        "lost": brought.lost,
        "error": str(brought.error) if brought.error is not None else None,
    }


def _planned(store: Store, stream: str, keep: int) -> _Plan:
    reader = log.Reader(stream)
    garbage = tidy.find(store, reader, keep, spare=False)
    made = {key: record for key, record in reader.all(store).items() if isinstance(record, Checkpoint)}
    for checkpoint in log.kept(made.values(), keep, spare=False):
        if isinstance(checkpoint.files, Unread):
            raise checkpoint.files.why  # nothing is removed as long as it is not known what it needs
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


def _complain(stream: str, error: OsmoError) -> None:
    text = f"osmo: {stream}: {str(error).removeprefix(f'{stream}: ')}"
    print(plain(text), *([f"      {error.hint}"] if error.hint else []), sep="\n", file=sys.stderr)


def _say_lost(store: Store, stream: str, names: Sequence[str]) -> None:
    """names: of files that the newest checkpoint holds and nobody can bring back."""
    for name in names[:_SHOWN]:
        print(plain(f"osmo: {stream}: {name}: the plain file was the only copy, and is not there"), file=sys.stderr)
    if len(names) > _SHOWN:
        what = f"and {len(names) - _SHOWN:,} more: `osmo checkpoint verify {store.url} --from {stream}` names all"
        print(plain(f"      {what}"), file=sys.stderr)


def _carried_out(store: Store, plan: _Plan, *, force: bool) -> OsmoError | None:
    """Why not, if it was not: what is to go of other streams goes nevertheless."""
    try:
        left = _carry_out(store, plan, force=force)
    except OsmoError as error:
        return error
    if not left:
        return None
    return type(left[0])(f"{left[0]}: {_counted(len(left), 'key')} could not be removed", hint=left[0].hint)


def _carry_out(store: Store, plan: _Plan, *, force: bool) -> list[StoreError]:
    """Checkpoints go without a lock; plain files only while nobody else can write there. Why anything is left."""
    if not plan.gone:
        return tidy.remove(store, plan.garbage, at_once=16)
    with upkeep.owned_beneath(store, plan.prefix, "osmo checkpoint prune", host(), SystemClock(), force=force):
        if left := tidy.remove(store, plan.garbage, at_once=16):
            return left
        still = {each.key for each in upkeep.gone(store, plan.prefix)}
        keys = tuple(each.key for each in plan.gone if each.key in still)
        return tidy.remove(store, tidy.Garbage(objects=keys), at_once=16)


def _summary(plan: _Plan, refused: OsmoError | None) -> dict[str, Any]:
    return {
        "stream": plan.stream,
        "kept": plan.kept,
        "checkpoints": plan.dropped,
        "objects": len(plan.garbage.objects),
        "plain_files": [each.key for each in plan.gone],
        "size": plan.size,
        "error": str(refused) if refused is not None else None,
    }


def _told(plan: _Plan, verb: str) -> str:
    kept = f"{plan.stream}: {_counted(plan.kept, 'checkpoint')} kept"
    if not (plan.dropped or plan.garbage.objects or plan.gone):
        return f"{kept}; there is nothing to remove"
    what = [_counted(plan.dropped, "checkpoint"), _counted(len(plan.garbage.objects), "object")]
    if plan.gone:
        what.append(_counted(len(plan.gone), "plain file"))
    return f"{kept}; {', '.join(what)}, {bytes_of(plan.size)} {verb}"


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
