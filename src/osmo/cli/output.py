"""How results are printed: JSON for programs, tables for people."""

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

_FIRST = 1000  # rows
_BETWEEN = " " * 3  # as rich has it between two columns


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table with a line of headings. Never cut or folded: a terminal can scroll, a pipe has no width.

    Of many rows the columns are as wide as the first thousand need, and no more of them is ever in memory.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table

    lines = (tuple(map(plain, row)) for row in rows)
    first = list(islice(lines, _FIRST))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for line in first:
        table.add_row(*line)
    console = Console(file=sys.stdout, width=10_000, markup=False, highlight=False, emoji=False)
    with console.capture() as drawn:
        console.print(table)
    print(*(line.rstrip() for line in drawn.get().split("\n")), sep="\n", end="")
    widths = [max(map(cell_len, cells)) for cells in zip(columns, *first, strict=True)]
    for line in lines:
        print(_BETWEEN.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """A line each, `Name : value`, with the colons below each other."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        print(f"{name:<{width}} : {plain(value)}")


def print_text(text: str) -> None:
    """A file's text, letter by letter; what could move a terminal's cursor is escaped there."""
    if sys.stdout.isatty():
        text = "".join(char if char in "\n\t" else plain(char) for char in text)
    print(text, end="" if text.endswith("\n") else "\n", flush=True)


def plain(text: str) -> str:
    """What lies in a folder may have any name: nothing of it reaches the terminal as a command."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def files_of(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def runs_of(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"
