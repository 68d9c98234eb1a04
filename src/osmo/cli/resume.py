"""`osmo workflow resume`."""

import argparse
import sys

from osmo.cli import launch
from osmo.cli.main import BAD_INPUT, OK
from osmo.cli.output import print_json
from osmo.cli.settings import load
from osmo.cli.view import home_of, live, moment, view
from osmo.errors import OsmoError, UsageError
from osmo.rundir.home import Home
from osmo.rundir.identity import host


def resume(args: argparse.Namespace) -> int:
    """Take care again of runs that nobody takes care of: after a reboot, or when all of osmo's processes were killed.

    One that cannot be resumed does not keep the others from it.
    """
    if bool(args.ids) == args.all:
        raise UsageError("name the runs to go on with, or say --all")
    home = home_of(load())
    ids = _all(home) if args.all else list(dict.fromkeys(args.ids))
    results = {run_id: _resume(home, run_id) for run_id in ids}
    if args.format == "json":
        print_json([{"name": run_id, "resumed": not why, "message": why} for run_id, why in results.items()])
    else:
        for run_id, why in results.items():
            if why:
                print(f"osmo: {run_id}: {why}", file=sys.stderr)
            else:
                print(f"{run_id} goes on")
        if not results:
            print("There is nothing to resume.")
    return BAD_INPUT if any(results.values()) else OK


def _all(home: Home) -> list[str]:
    """Every run of this machine that is not over and that nobody takes care of."""
    found = []
    for seen in live(home):
        last = launch.supervisor(seen.run)
        where, alive = (seen.host, False) if last is None else (last.host, last.alive)
        if where == host() and not alive:
            found.append(seen.run.id)
    return sorted(found)


def _resume(home: Home, run_id: str) -> str:
    """Why it is not resumed, empty if it is."""
    try:
        seen = view(home.run(run_id))
    except OsmoError as error:
        return str(error)
    if seen.state.over:
        return f"is over already ({seen.state})"
    last = launch.supervisor(seen.run)
    where = seen.host if last is None else last.host
    if where != host():
        return f"runs on {where}, last seen {moment(seen.last_seen)}; resume it there"
    if last is not None and last.alive:
        return "is alive already"
    launch.start_supervisor(seen.run)
    return ""
