"""`osmo workflow list`."""

import argparse
import sys
from collections.abc import Iterator
from itertools import islice

from osmo.cli import launch
from osmo.cli.output import print_json, print_table
from osmo.cli.settings import load
from osmo.cli.tags import tags_of
from osmo.cli.view import RunView, home_of, moment, summary, view
from osmo.errors import OsmoError, RunNotFound
from osmo.rundir import records
from osmo.rundir.home import Home
from osmo.rundir.paths import RunDir
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
        print_json([summary(seen) | {"tags": tags_of(seen.run)} for seen in found])
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
    _add(columns, rows, "Labels", [_labels(seen) for seen in found])
    _add(columns, rows, "Tags", [", ".join(tags_of(seen.run)) for seen in found])
    _add(columns, rows, "", ["; ".join(seen.troubles()) for seen in found])
    print_table(columns, rows)


def _add(columns: list[str], rows: list[list[str]], heading: str, cells: list[str]) -> None:
    """A column more, if there is anything in it."""
    if any(cells):
        columns.append(heading)
        for row, cell in zip(rows, cells, strict=True):
            row.append(cell)


def _labels(seen: RunView) -> str:
    return ", ".join(f"{key}={value}" for key, value in seen.record.get("labels", {}).items())


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
    labels = {str(key): str(value) for key, value in seen.record.get("labels", {}).items()}
    if not all(_has(labels, text) for text in args.label) or any(_has(labels, text) for text in args.no_label):
        return False
    if args.tags and not {*args.tags} <= {*tags_of(seen.run)}:
        return False
    return not wanted or seen.state in wanted


def _has(labels: dict[str, str], text: str) -> bool:
    """text: `key`, or `key=value`."""
    key, equals, value = text.partition("=")
    return key in labels and (not equals or labels[key] == value)


def _warn(line: str) -> None:
    print(f"WARNING: {line}", file=sys.stderr)
