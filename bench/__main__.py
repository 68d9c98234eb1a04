"""Measures osmo side by side with other tools: `scripts/bench [CASE …]`."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import restoring, running, storing, table, tools
from bench.data import QUICK, Sizes
from bench.rig import Result, Rig, say

_NEEDED = 12 * 1024**3

Case = Callable[[Rig], list[Result]]
_NAMED = (*storing.COLD, *storing.AGAIN, *restoring.ALL, *running.TRAINING)
ALL: dict[str, Case] = {**{case.name: case for case in _NAMED}, **running.OTHERS}


def main() -> None:
    args = _arguments()
    unknown = [name for name in args.case if name not in ALL]
    if unknown:
        sys.exit(f"bench: there is no case {unknown[0]}; there are {', '.join(ALL)}, torn")
    sizes = QUICK if args.quick else Sizes()
    began = time.monotonic()
    results: list[Result] = []
    about = _about(args)
    print(f"{about['date']}, {about['machine']}. {args.runs} runs.\n")
    with tempfile.TemporaryDirectory(prefix="osmo-bench-", dir=args.directory) as directory:
        if not args.quick and shutil.disk_usage(directory).free < _NEEDED:
            sys.exit(f"bench: {directory}: 12 GiB have to be free there; --directory names another place")
        for name in args.case or ALL:
            for result in ALL[name](Rig(Path(directory), sizes, args.runs, tuple(args.only))):
                results.append(result)
                print("\n".join(table.lines(result)), flush=True)
            if args.json:
                found = {**about, "results": [table.record(each) for each in results]}
                args.json.write_text(json.dumps(found, indent=1))
    say(f"{time.monotonic() - began:.0f} s in all")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("case", nargs="*", metavar="CASE", help=f"{', '.join(ALL)}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="a tenth of the data: to see whether it works")
    parser.add_argument("--runs", type=int, default=3, help="of each tool (%(default)d)")
    parser.add_argument("--only", action="append", default=[], metavar="TOOL", help="osmo and this one, e.g. s5cmd")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the results are written, too")
    parser.add_argument("--directory", help="where all data lies meanwhile; else where temporary files do")
    return parser.parse_args()


def _about(args: argparse.Namespace) -> dict[str, Any]:
    """What the numbers are of."""
    found = (tools.THE_OSMO, *tools.ALL_PEERS, *tools.MORE_PEERS)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": tools.machine(),
        "quick": args.quick,
        "runs": args.runs,
        "versions": {tool.name: tool.asked_version() for tool in found if tool.is_here},
        "notes": {tool.name: tool.note for tool in found if tool.is_here},
    }


if __name__ == "__main__":
    main()
