"""The fenced blocks of a page, and what of them was not printed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What is never the same twice: times, durations, rates; the width of a table.
_ALWAYS = (
    (r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(\+0000)?", "TIME"),
    (r"\d\d:\d\d<\d\d:\d\d", "TIME"),
    (r"\d[\d.]*[kMG]?B/s", "RATE"),
    (r"\d[\d.]* s\b", "# s"),
    (r"[ ─]+", " "),
)
# And where it depends on the machine how far a program is: all numbers, with what follows from them.
_NUMBERS = (
    (r"\d+(?:[.,]\d+)*", "#"),
    (r"# (file|object)s?\b", r"# \1s"),
    (r"# [kMG]?B\b", "# B"),
    (r"#[kM]?/#[kM]?", "#/#"),
    (r" (is|are) not$", " are not"),
)


@dataclass(frozen=True)
class Block:
    """What stands in one fence. kind: the word after the fence. line: where its text begins."""

    line: int
    kind: str
    text: str


def blocks(page: Path) -> list[Block]:
    """In the order of the page."""
    text = page.read_text()
    return [Block(text.count("\n", 0, found.start(2)) + 1, *found.groups()) for found in FENCE.finditer(text)]


def session(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, without their prompts, each with the output that is shown below it."""
    found = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
    assert found, f"no command in {text!r}"
    return found


def not_printed(shown: str, printed: str, *, loosely: bool = False) -> str | None:
    """The first line that a page shows and that was not printed there; "the end" if more was printed; None if all is
    right. Times and durations count as equal, `...` stands for any lines, `…` for anything within one.

    loosely: where it depends on the machine how far a program is: numbers are not compared, and lines may be left out.
    """
    lines = (_line(line, loosely) for line in printed.splitlines())
    if loosely:
        return next((line for line in shown.splitlines() if not _comes(_line(line, loosely), lines)), None)
    got, wanted = "".join(f"{line}\n" for line in lines), ""
    for line in shown.splitlines():
        wanted += r"(?:.*\n)*?" if line == "..." else _like(_line(line, loosely)) + r"\n"
        if not re.match(wanted, got):
            return line
    return None if re.fullmatch(wanted, got) else "the end"


def _comes(line: str, left: Iterator[str]) -> bool:
    return line in ("", "...") or any(re.fullmatch(_like(line), each) for each in left)


def _like(line: str) -> str:
    return ".*".join(map(re.escape, line.split("…")))


def _line(line: str, loosely: bool) -> str:
    for pattern, word in (*_ALWAYS, *_NUMBERS) if loosely else _ALWAYS:
        line = re.sub(pattern, word, line)
    return line.rstrip()
