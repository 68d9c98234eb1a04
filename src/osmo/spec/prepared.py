"""The text of a spec, rendered if it is a template, ready to be read as YAML."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from osmo.errors import SpecError
from osmo.spec import bounded, tokens
from osmo.spec.document import Document, DocumentError, parse
from osmo.spec.given import Given, reserved
from osmo.spec.misread import changed
from osmo.spec.problem import Field, Problem, one_line, shown
from osmo.spec.source import read
from osmo.spec.template import Rendered, TemplateProblem, is_template

Render = Callable[[str, Mapping[str, object]], Rendered]

_KEY: Final = "default-values"
# The key at the very left and all lines up to the next one there.
_BLOCK: Final = re.compile(
    rf"""^(?:{_KEY}|"{_KEY}"|'{_KEY}')[ \t]*:.*(?:\n(?![A-Za-z"'{{]|---|\.\.\.).*)*\n?""", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A spec as it can be read.

    text: without templates. template: what was rendered; None if the file is none. environment: more variables for
    every task. labels: more of them for the workflow. warnings: one line each.
    """

    path: Path
    text: str
    template: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What positions are positions in."""
        return str(self.path) if self.template is None else f"{self.path} (rendered)"

    @property
    def hint(self) -> str:
        """How to see the lines that positions are about; nothing if they are those of the file."""
        if self.template is None:
            return ""
        return "Lines are counted in the rendered spec: `osmo workflow submit ... --dry-run` prints it."


def prepare(
    path: Path, given: Given | None = None, text: str | None = None, render: Render = bounded.render
) -> Prepared:
    """The spec in a file, or in `text` if that is given, with the variables of its template replaced.

    Raises `SpecError`, whose lines are those of the file.
    """
    given = given or Given()
    try:
        text = read(path) if text is None else text
        body, document, defaults = _parted(text)
    except DocumentError as error:
        where = "".join(f":{number}" for number in error.position or ())
        raise SpecError((one_line(f"{path}{where}: {error}"),)) from error
    if document and document.problems:
        problems = sorted(document.problems, key=document.position)
        raise SpecError(tuple(document.line(str(path), problem) for problem in problems))
    warnings = [*given.warnings, *_lines(document, path)]
    values = {name: value for name, value in defaults.items() if name not in tokens.PLAIN} | dict(given.values)
    if body is text and not is_template(text):
        warnings += _unused(given, frozenset())
        return Prepared(path, text, None, given.environment, given.labels, tuple(warnings))
    try:
        rendered = render(body, values)
    except TemplateProblem as problem:
        where = "" if problem.line is None else f":{problem.line}"
        words = _with_hint(str(problem), values)
        raise SpecError((one_line(f"{path}{where}: {words}"),)) from problem
    warnings += _unused(given, rendered.used)
    return Prepared(path, rendered.text, text, given.environment, given.labels, tuple(warnings))


def _parted(text: str) -> tuple[str, Document | None, dict[str, object]]:
    """The spec without `default-values`, these as a document, and their values.

    The block gives way to a template's comment of as many lines, so that an error is in the line where the file has it.
    """
    block = _BLOCK.search(text)
    if block is None:
        return text, None, _in_flow(text)
    before, lines = text[: block.start()], block[0].count("\n")
    document = parse("\n" * before.count("\n") + block[0])
    values = document.at((_KEY,))
    if values is None:
        values = {}
    if not isinstance(values, dict):
        document.problems.append(Problem((_KEY,), f"must be a mapping, not {shown(values)}"))
        values = {}
    return before + "{#" + "\n" * lines + "#}" + text[block.end() :], document, values


def _in_flow(text: str) -> dict[str, object]:
    """The values of a spec in JSON, or in braces: they stay where they are."""
    if _KEY not in text or not is_template(text):
        return {}
    try:
        values = parse(text).at((_KEY,))
    except DocumentError:
        return {}
    return values if isinstance(values, dict) else {}


def _lines(document: Document | None, path: Path) -> Iterator[str]:
    """Numbers that YAML reads in another way than they are written, such as a version 22.10; names that are taken."""
    values = document.at((_KEY,)) if document else None
    if document is None or not isinstance(values, dict):
        return
    for name, value in values.items():
        where: Field = (_KEY, name)
        yield from (document.line(str(path), problem) for problem in changed(document, where, value))
        if name in tokens.PLAIN:
            yield document.line(str(path), Problem(where, reserved(name).partition(": ")[2], at_key=True))


def _unused(given: Given, used: frozenset[str]) -> list[str]:
    return [
        f"--set {name}: the spec has no variable of that name ({_near(name, used)})"
        for name in given.values
        if name not in used
    ]


def _near(name: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"it has {', '.join(sorted(known)[:8])}" if known else "it has none"


def _with_hint(problem: str, values: Mapping[str, object]) -> str:
    undefined = re.search(r"'([A-Za-z_]\w*)' is not defined", problem)
    if undefined is None:
        return problem
    if undefined[1] in ("input", "host"):
        return f"{problem}: write {{{{{undefined[1]}:...}}}}, with a colon"
    near = difflib.get_close_matches(undefined[1], [*values, *tokens.PLAIN], n=1)
    meant = f"did you mean {near[0]!r}? Else " if near else ""
    return f"{problem}: {meant}set it in {_KEY}, or with --set {undefined[1]}=..."
