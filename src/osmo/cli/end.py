"""`osmo workflow cancel`."""

import argparse
import sys

from osmo.cli import launch
from osmo.cli.main import BAD_INPUT, OK
from osmo.cli.output import print_json
from osmo.cli.settings import load
from osmo.cli.view import home_of, rebooted, view
from osmo.clock import SystemClock
from osmo.errors import RunDirectoryError, RunNotFound
from osmo.rundir.home import Home
from osmo.rundir.orders import write_cancel


def cancel(args: argparse.Namespace) -> int:
    """Ask each run to end. One that is over, or not there, does not keep the others from it."""
    home = home_of(load())
    results = {run_id: _cancel(home, run_id, args) for run_id in dict.fromkeys(args.ids)}
    if args.format == "json":
        print_json([{"name": run_id, "canceled": not why, "message": why} for run_id, why in results.items()])
    else:
        for run_id, why in results.items():
            if why:
                print(f"osmo: {run_id}: {why}", file=sys.stderr)
            else:
                print(f"Cancel job for workflow {run_id} is submitted!")
    return BAD_INPUT if any(results.values()) else OK


def _cancel(home: Home, run_id: str, args: argparse.Namespace) -> str:
    """Why it cannot be canceled, empty if it is."""
    try:
        run = home.run(run_id)
    except (RunNotFound, RunDirectoryError) as error:
        return str(error)
    state = view(run).state
    if state.over:
        return f"is over already ({state})"
    write_cancel(run, args.message, at_once=args.force, moment=SystemClock().now().isoformat())
    if rebooted(run):
        launch.start_supervisor(run)  # nobody else would bring it to its end
    else:
        launch.see_to(run)
    return ""
