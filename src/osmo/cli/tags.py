"""`osmo workflow tag`: words of a person's own on runs, to find them by."""

import argparse
import re
import sys

from osmo.cli.main import BAD_INPUT, OK
from osmo.cli.output import print_json
from osmo.cli.settings import load
from osmo.cli.view import home_of
from osmo.errors import OsmoError, UsageError
from osmo.rundir import records
from osmo.rundir.paths import RunDir

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,62}")


def tag(args: argparse.Namespace) -> int:
    """Add tags to runs, and remove some. A run that is not there does not keep the others from it."""
    if not args.add and not args.remove:
        raise UsageError("no tag was given", hint="`--add TAG` and `--remove TAG` say which.")
    if wrong := next((word for word in args.add if not _TAG.fullmatch(word)), None):
        raise UsageError(f"{wrong!r} is not a tag: letters, digits and . _ : / -, at most 63")
    home = home_of(load())
    found: dict[str, list[str]] = {}
    failed = False
    for run_id in dict.fromkeys(args.workflow):
        try:
            found[run_id] = _change(home.run(run_id), set(args.add), set(args.remove))
        except OsmoError as error:
            failed = True
            print(f"osmo: {error}", file=sys.stderr)
    if args.format == "json":
        print_json([{"name": run_id, "tags": tags} for run_id, tags in found.items()])
    else:
        for run_id, tags in found.items():
            print(f"Workflow {run_id} updated: {', '.join(tags) or 'no tags'}")
    return BAD_INPUT if failed else OK


def tags_of(run: RunDir) -> list[str]:
    """The run's tags, in alphabetical order."""
    return sorted((records.read(run.tags) or {}).get("tags", []))


def _change(run: RunDir, add: set[str], remove: set[str]) -> list[str]:
    tags = sorted(({*tags_of(run)} - remove) | add)
    records.write(run.tags, {"tags": tags})
    return tags
