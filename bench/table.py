"""Results as a table, and as JSON."""

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from bench.measure import Cost
from bench.rig import Result, Row

COLUMNS = ("tool", "seconds", "osmo takes", "CPU s", "of the server", "memory", "requests", "up", "down")
_MIB = 1024 * 1024


def lines(result: Result) -> Iterator[str]:
    """A title, a table in Markdown, what else there is to say."""
    target = f" (goal: {result.target})" if result.target else ""
    yield f"### {result.title}{target}"
    yield ""
    if result.rows:
        yield _line(COLUMNS)
        yield _line(["---"] * len(COLUMNS))
        osmo = next((row for row in result.rows if row.tool == "osmo"), None)
        for row in result.rows:
            yield _line(_cells(row, osmo))
        yield ""
    for name, value in result.values.items():
        yield f"- {name}: {value:,.3g}" if value < 1000 else f"- {name}: {value:,.0f}"
    if result.values:
        yield ""
    if result.note:
        yield f"{result.note}."
        yield ""


def ratios(osmo: Row, other: Row) -> list[float]:
    """Seconds of osmo by those of another tool, round for round."""
    return [mine.seconds / its.seconds for mine, its in zip(osmo.costs, other.costs, strict=False) if its.seconds]


def record(result: Result) -> dict[str, Any]:
    return asdict(result)


def result(record: dict[str, Any]) -> Result:
    """The same back from JSON."""
    rows = [
        Row(
            row["tool"],
            [Cost(**cost) for cost in row["costs"]],
            Cost(**row["counted"]) if row["counted"] else None,
            row["failed"],
        )
        for row in record["rows"]
    ]
    return Result(**{**record, "rows": rows})


def _cells(row: Row, osmo: Row | None) -> Iterable[str]:
    if not row.costs:
        return (row.tool, "failed", *[""] * (len(COLUMNS) - 2))
    costs, counted = row.costs, row.counted
    against = ratios(osmo, row) if osmo is not None and osmo is not row else []
    return (
        row.tool,
        _seconds(statistics.median(cost.seconds for cost in costs)),
        f"{statistics.median(against):.2f} × ({min(against):.2f}–{max(against):.2f})" if against else "",
        _seconds(statistics.median(cost.cpu_s for cost in costs)),
        _seconds(statistics.median(cost.server_cpu_s for cost in costs)),
        f"{most / _MIB:.0f} MiB" if (most := max(cost.memory for cost in costs)) else "",
        "" if counted is None else f"{counted.requests:,}",
        "" if counted is None else _size(counted.sent),
        "" if counted is None else _size(counted.received),
    )


def _seconds(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _size(count: int | None) -> str:
    if count is None:
        return ""
    return f"{count / 1024:.0f} KiB" if count < _MIB else f"{count / _MIB:.1f} MiB"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
