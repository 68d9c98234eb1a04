"""What the pages for people promise: links lead somewhere, tables are tables, commands are commands."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from osmo.cli.parser import build, split
from osmo.spec.duration import seconds
from support.pages import FENCE, TOP, blocks, not_printed, session

PAGES = sorted([*TOP.glob("*.md"), *TOP.glob("docs/*.md"), TOP / "bench/README.md"])
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    """The page without what stands in fences."""
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """What its headings can be linked by, as GitHub makes it of them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def dangling(page: Path) -> Iterator[str]:
    """The links of a page that lead nowhere in this repository; others are not asked."""
    for link in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or (anchor and anchor not in anchors(to)):
            yield link


def cells(row: str) -> int:
    return len(re.split(r"(?<!\\)\|", row.strip().strip("|")))


def uneven(text: str) -> Iterator[str]:
    """Rows with more or fewer cells than the head of their table; the first row of what has no head."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, *rows = table.splitlines()
        if not rows or not re.fullmatch(r"[|: -]+", rows[0]):
            yield head
        else:
            yield from (row for row in rows if cells(row) != cells(head))


def commands(page: Path) -> Iterator[str]:
    """What a person would paste: lines of shell, those behind a prompt, and ENTRYPOINT, CMD and exec of our command."""
    for block in blocks(page):
        if block.kind == "dockerfile":
            yield shlex.join(word for line in block.text.splitlines() for word in json.loads(line.partition(" ")[2]))
        joined = block.text.replace("\\\n", " ")
        for line in joined.splitlines():
            if block.kind == "console":
                found = re.match(r"\$ (osmo .*)", line)
            elif block.kind == "sh":
                found = re.match(r"(?:exec |! ?)?(osmo .*)", line)
            else:
                found = None
            if found:
                yield found[1]


def test_there_is_something_to_look_at() -> None:
    assert len(PAGES) > 8
    assert sum(1 for page in PAGES for _ in commands(page)) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page: Path) -> None:
    assert [*dangling(page)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_rows_have_as_many_cells_as_the_head(page: Path) -> None:
    assert [*uneven(prose(page))] == []
    assert "\\|" not in prose(page)  # of which GitHub and MkDocs make different things


@pytest.mark.parametrize(
    ("table", "want"),
    [
        ("| a | b |\n|---|---|\n| 1 | `x\\|y` |\n", []),
        ("| a | b |\n|---|---|\n| 1 |\n", ["| 1 |"]),
        ("| 1 | 2 |\n| 3 | 4 |\n", ["| 1 | 2 |"]),
    ],
)
def test_what_is_a_table(table: str, want: list[str]) -> None:
    assert [*uneven(table)] == want


@pytest.mark.parametrize(
    ("page", "line"),
    [
        pytest.param(page, line, id=f"{page.name}: {line[:60]}")
        for page in PAGES
        for line in dict.fromkeys(commands(page))
    ],
)
def test_a_command_of_the_docs_can_be_typed(page: Path, line: str) -> None:
    words = shlex.split(line, comments=True)
    end = next((at for at, word in enumerate(words) if re.fullmatch(r"\d?>.*|\||\|\||&&|&|;", word)), len(words))
    given, rest = split(words[1:end])
    assert build(id).parse_args(given).command
    assert rest is None or rest


def test_a_pod_of_the_docs_runs_a_command_that_there_is_and_gives_it_time_to_end() -> None:
    [block] = [block for block in blocks(TOP / "docs/running.md") if "kind: Pod" in block.text]
    spec = yaml.safe_load(block.text)["spec"]
    [container] = spec["containers"]
    given, rest = split([*container["command"], *container["args"]][1:])
    args = build(id).parse_args(given)
    assert rest == container["args"]
    assert seconds(args.grace) < spec["terminationGracePeriodSeconds"]
    assert {volume["name"] for volume in spec["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [args.path]


@pytest.mark.parametrize(
    ("shown", "printed", "missing"),
    [
        ("a 1\n", "a 1\n", None),
        ("a 1\n", "a 2\n", "a 1"),
        ("a\n", "a\nand more\n", "the end"),
        ("a\n...\nd\n", "a\nb\nc\nd\n", None),
        ("a\n...\nd\n", "a\nb\nc\n", "d"),
        ("to x...\n", "to x...\n", None),
        ("to x...\n", "to y\n", "to x..."),
        ("in /tmp/…/x done\n", "in /tmp/1/2/x done\n", None),
        ("in /tmp/…/x done\n", "in /tmp/1/2/y done\n", "in /tmp/…/x done"),
        ("2026-11-23 22:10:50   -\n", "2026-12-01 01:02:03 -\n", None),
        ("took 3 s\n", "took 0.1 s\n", None),
    ],
)
def test_what_a_page_shows_was_printed(shown: str, printed: str, missing: str | None) -> None:
    assert not_printed(shown, printed) == missing


@pytest.mark.parametrize(
    ("shown", "printed", "missing"),
    [
        ("a 1 file, 3.0 kB\n", "a 2,000 files, 1 MB\n", None),
        ("a 1 file\n", "b 1 file\n", "a 1 file"),
        ("a\n\n...\nd\n", "x\na\nb\nd\ne\n", None),
        ("a\nb\n", "b\na\n", "b"),
    ],
)
def test_what_depends_on_the_machine_is_compared_loosely(shown: str, printed: str, missing: str | None) -> None:
    assert not_printed(shown, printed, loosely=True) == missing


def test_commands_behind_a_prompt_have_what_is_below_them() -> None:
    assert session("$ a\n1\n2\n$ b\n$ c\n3\n") == [("a", "1\n2\n"), ("b", ""), ("c", "3\n")]
