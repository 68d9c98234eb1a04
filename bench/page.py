"""docs/performance.md from the JSON of a run: `scripts/bench page FILE`."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import table
from bench.tools import TOP

PAGE = TOP / "docs" / "performance.md"
WHY = TOP / "bench" / "why.md"
_HEAD = """\
# Performance

What osmo costs, side by side with the tools that people put into a loop instead of it. `scripts/bench` measures it
again; `bench/README.md` says how. A goal in brackets is the one after the next.

"osmo takes" is the time of osmo as a multiple of that of the tool in the line: the median over the rounds, with the
least and the greatest. Below 1 osmo is faster. Times are medians. Processor time is that of the tool; the
server's is apart. Requests and bytes were counted at a proxy, in a run of its own.
"""


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: scripts/bench page FILE…")
    runs = [json.loads(Path(name).read_text()) for name in sys.argv[1:]]
    found = runs[0] | {"results": [result for run in runs for result in run["results"]]}
    PAGE.write_text("\n".join([*lines(found), WHY.read_text()]).rstrip("\n") + "\n")
    print(PAGE)


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The page, from what `scripts/bench --json` has written."""
    yield _HEAD
    size = " A tenth of the data that the titles say." if found["quick"] else ""
    yield f"{found['date']}, {found['machine']}; {found['runs']} runs.{size}"
    yield ""
    yield "| tool | version | what it does less, or more |"
    yield "| --- | --- | --- |"
    for name, version in found["versions"].items():
        yield f"| {name} | {version} | {found['notes'].get(name, '')} |"
    yield ""
    for each in found["results"]:
        yield from (line.replace("### ", "## ", 1) for line in table.lines(table.result(each)))


if __name__ == "__main__":
    main()
