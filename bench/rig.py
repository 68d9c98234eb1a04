"""How a case is measured: every tool in turn, again and again, then once more through a proxy that counts."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.data import Sizes
from bench.measure import Cost, Failed
from bench.tools import ALL_PEERS, MORE_PEERS, THE_OSMO, Peer

_SLOW = 3.0  # times the fastest: such a tool is run twice, the others as often as asked


@dataclass(frozen=True, slots=True)
class Rig:
    """directory: where all data lies. runs: of each tool. only: names of tools, empty for all of them."""

    directory: Path
    sizes: Sizes
    runs: int
    only: tuple[str, ...] = ()

    @property
    def tools(self) -> tuple[Peer, ...]:
        found = (THE_OSMO, *ALL_PEERS, *MORE_PEERS)
        wanted = {"osmo", *self.only} if self.only else {tool.name.split()[0] for tool in found}
        return tuple(tool for tool in found if tool.is_here and tool.name.split()[0] in wanted)


@dataclass(slots=True)
class Row:
    """What one tool cost in one case, run for run; `counted` once through the proxy. failed: why, if it did not."""

    tool: str
    costs: list[Cost] = field(default_factory=list)
    counted: Cost | None = None
    failed: str = ""


@dataclass(slots=True)
class Result:
    """One case. target: what the design wants of it. rows: osmo's first. values: further measured numbers by name."""

    case: str
    title: str
    target: str = ""
    rows: list[Row] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    note: str = ""


Run = Callable[[int], Cost]


def in_turn(result: Result, runs: Mapping[str, Run], count: int) -> None:
    """Run them alternating, `count` times; every other round the other way round. What is much slower than the fastest
    is run twice at most."""
    rows = {name: row_of(result, name) for name in runs}
    for number in range(count):
        order: Sequence[str] = list(runs) if number % 2 == 0 else list(runs)[::-1]
        fastest = min((row.costs[0].seconds for row in rows.values() if row.costs), default=0.0)
        for name in order:
            row = rows[name]
            if row.failed or (number >= 2 and row.costs[0].seconds > _SLOW * fastest):
                continue
            attempt(row, partial(runs[name], number))
            say(f"{result.case}: {name}: {_news(row)}")


def attempt(row: Row, run: Callable[[], Cost], *, counted: bool = False) -> None:
    """One run, into its row."""
    try:
        cost = run()
    except (Failed, OSError) as error:
        row.failed = str(error)
        return
    if counted:
        row.counted = cost
    else:
        row.costs.append(cost)


def _news(row: Row) -> str:
    return row.failed or f"{row.costs[-1].seconds:.2f} s"


def row_of(result: Result, name: str) -> Row:
    """The row of a tool, made if there is none yet."""
    for row in result.rows:
        if row.tool == name:
            return row
    result.rows.append(Row(name))
    return result.rows[-1]


def say(text: str) -> None:
    """To whoever watches; the table goes to standard output."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
