"""`osmo workflow list`."""

import argparse
import sys
from collections.abc import Iterator
from itertools import islice

from osmo.cli import launch
from osmo.cli.output import print_json, print_table
from osmo.cli.settings import load
from osmo.cli.view import RunView, home_of, moment, summary, view
from osmo.errors import OsmoError, RunNotFound
from osmo.rundir import records
from osmo.rundir.paths import Home, RunDir
from osmo.states import State


def list_runs(args: argparse.Namespace) -> int:
    """The newest runs of this machine, those that were asked for."""
    home = home_of(load())
    strangers: list[str] = []
    found = list(islice(_chosen(home, args, strangers), args.offset, args.offset + args.count))
    for seen in found:
        if seen.is_here and not seen.state.over:
            launch.see_to(seen.run)
    if args.order == "asc":
        found.reverse()
    if args.quiet:
        for seen in found:
            print(seen.run.id)
    elif args.format == "json":
        print_json([summary(seen) for seen in found])
    elif not found:
        print("There are no workflows to view.")
    else:
        _print(found)
    if strangers:
        _warn(f"left out, for they belong to another user: {', '.join(sorted(strangers))} ({home.workflows})")
    return 0


def _print(found: list[RunView]) -> None:
    columns = ["Workflow ID", "Submit Time", "Status", "Host"]
    rows = [[seen.run.id, moment(seen.record["submitted"]), seen.state.value, seen.host] for seen in found]
    troubles = ["; ".join(seen.troubles()) for seen in found]
    if any(troubles):
        columns.append("")
        for row, text in zip(rows, troubles, strict=True):
            row.append(text)
    print_table(columns, rows)


def _chosen(home: Home, args: argparse.Namespace, strangers: list[str]) -> Iterator[RunView]:
    """The newest first; read one by one, as far as they are wanted."""
    wanted = frozenset(map(State, args.status))
    for run in home.newest_first(args.name, strangers.append):
        try:
            if _may_be(run, wanted) and _fits(seen := view(run), wanted, args):
                yield seen
        except RunNotFound:
            continue
        except OsmoError as error:  # one broken record does not hide the other runs
            _warn(str(error))


def _may_be(run: RunDir, wanted: frozenset[State]) -> bool:
    """Whether a run can have one of these states, as far as a look tells that costs little."""
    if not wanted:
        return True
    if not any(state.over for state in wanted):
        return not run.ended.exists()
    ended = records.read(run.ended)
    return ended is None or State(ended["state"]) in wanted


def _fits(seen: RunView, wanted: frozenset[State], args: argparse.Namespace) -> bool:
    day = seen.record["submitted"][:10]
    if (args.submitted_after and day < args.submitted_after) or (
        args.submitted_before and day >= args.submitted_before
    ):
        return False
    return not wanted or seen.state in wanted


def _warn(line: str) -> None:
    print(f"WARNING: {line}", file=sys.stderr)
