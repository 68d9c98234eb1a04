"""`osmo workflow delete`."""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from osmo.cli.main import BAD_INPUT, INTERRUPTED, OK
from osmo.cli.output import files_of, print_json, runs_of
from osmo.cli.settings import load
from osmo.cli.view import RunView, age_s, home_of, live, view
from osmo.clock import SystemClock
from osmo.errors import OsmoError, RunNotFound, UsageError
from osmo.logs.size import bytes_of
from osmo.logs.span import span
from osmo.rundir import records
from osmo.rundir.discard import discard, size, sweep
from osmo.rundir.home import Home
from osmo.rundir.paths import RunDir


@dataclass(slots=True)
class _Outcome:
    """What becomes of a run: deleted if `why_not` is empty."""

    run: RunDir
    why_not: str = ""
    size: int = 0


def delete(args: argparse.Namespace) -> int:
    """Delete runs that are over. One that cannot be deleted does not keep the others from it."""
    if not args.ids and args.older_than is None:
        raise UsageError("which runs? Name them, or say how old they are: --older-than 30d")
    older_s = None if args.older_than is None else age("--older-than", args.older_than)
    home = home_of(load())
    sweep(home, SystemClock().now())
    outcomes = _named(home, args.ids, older_s) if args.ids else _all_older(home, older_s or 0.0)
    if not args.force:
        going = live(home)
        for outcome in outcomes:
            outcome.why_not = outcome.why_not or _who_reads(outcome.run, going) or _what_would_be_lost(outcome.run)
    chosen = [outcome for outcome in outcomes if not outcome.why_not]
    for outcome in chosen:
        outcome.size = size(outcome.run)
    if len(chosen) > 1 and not args.yes and sys.stdin.isatty() and not _agreed(chosen):
        print("Nothing was deleted.", file=sys.stderr)
        return INTERRUPTED
    for outcome in chosen:
        try:
            discard(home, outcome.run)
        except (OSError, OsmoError) as error:
            outcome.why_not = str(error)
    _say(outcomes, as_json=args.format == "json")
    return BAD_INPUT if any(outcome.why_not for outcome in outcomes) else OK


def age(option: str, text: str) -> float:
    """The seconds that an option's value stands for. Raises UsageError."""
    from osmo.spec.duration import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def _named(home: Home, ids: list[str], older_s: float | None) -> list[_Outcome]:
    return [_named_one(home, run_id, older_s) for run_id in dict.fromkeys(ids)]


def _named_one(home: Home, run_id: str, older_s: float | None) -> _Outcome:
    run = RunDir(home.workflows / run_id)
    try:
        seen = view(home.run(run_id))
    except OsmoError as error:
        return _Outcome(run, str(error))
    if not seen.state.over:
        return _Outcome(run, _why_it_lives(seen))
    ended_s = age_s(_ended(run, seen)) or 0.0
    if older_s is not None and ended_s < older_s:
        return _Outcome(run, f"is kept: it ended {span(ended_s)} ago")
    return _Outcome(run)


def _why_it_lives(seen: RunView) -> str:
    if seen.rebooted:
        return (
            f"was {seen.state} when its machine was rebooted: `osmo workflow resume {seen.run.id}` brings it to its end"
        )
    return f"is {seen.state}: end it first, with `osmo workflow cancel {seen.run.id}`"


def _all_older(home: Home, older_s: float) -> list[_Outcome]:
    """Of all runs of this machine. Those that live, or ended not so long ago, are not spoken of."""
    found = []
    for run in home.newest_first():
        try:
            ended = _ended(run, None)
        except RunNotFound:
            continue
        except OsmoError as error:
            found.append(_Outcome(run, str(error)))
            continue
        if ended is not None and (age_s(ended) or 0.0) >= older_s:
            found.append(_Outcome(run))
    return sorted(found, key=lambda outcome: outcome.run.id)


def _ended(run: RunDir, seen: RunView | None) -> str | None:
    """When it ended, ISO 8601; None if it lives."""
    if (record := records.read(run.ended)) is not None:
        return str(record["ended"])
    seen = seen or view(run)
    if not seen.state.over:
        return None
    submitted = str(seen.record["submitted"])
    moments = [str(task.status.get("ended") or submitted) for task in seen.tasks]
    return max(moments, key=datetime.fromisoformat, default=submitted)


def _who_reads(run: RunDir, going: Iterable[RunView]) -> str:
    """What still needs the run's own folder: one that was restarted from it, or has an output of it for an input."""
    mark = f"{run.path}/"
    for other in going:
        for task in other.tasks:
            if other.run.id != run.id and not task.state.over and mark in task.attempt.task.read_text():
                return f"is read by {other.run.id} ({task.name}), which has not ended; --force deletes it nevertheless"
    return ""


def _what_would_be_lost(run: RunDir) -> str:
    """Files in the run's own folder that belong in a data store and are not there as they are."""
    try:
        below = str(run.path)
        lost = [task.unsaved(below) for task in view(run).tasks]
    except OsmoError as error:
        return f"{error}; --force deletes it nevertheless"
    files, length = sum(one.files for one in lost), sum(one.size for one in lost)
    if not files:
        return ""
    verb = "is" if files == 1 else "are"
    return f"{files_of(files)}, {bytes_of(length)}, in it {verb} not in the data store; --force deletes it nevertheless"


def _agreed(chosen: list[_Outcome]) -> bool:
    total = bytes_of(sum(outcome.size for outcome in chosen))
    names = ", ".join(outcome.run.id for outcome in chosen[:5]) + (" …" if len(chosen) > 5 else "")
    print(f"Delete {runs_of(len(chosen))}, {total} ({names})? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _say(outcomes: list[_Outcome], *, as_json: bool) -> None:
    deleted = [outcome for outcome in outcomes if not outcome.why_not]
    if as_json:
        print_json(
            [
                {"name": one.run.id, "deleted": not one.why_not, "size": one.size, "message": one.why_not}
                for one in outcomes
            ]
        )
        return
    for outcome in outcomes:
        if outcome.why_not:
            print(f"osmo: {outcome.run.id}: {outcome.why_not}", file=sys.stderr)
        else:
            print(f"Deleted {outcome.run.id}, {bytes_of(outcome.size)}")
    if len(deleted) > 1:
        print(f"{runs_of(len(deleted))}, {bytes_of(sum(outcome.size for outcome in deleted))} in all")
    if not outcomes:
        print("There is nothing to delete.")
