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
from osmo.spec.given import Given
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

    text: without templates. template: what was rendered; None if the file is none. warnings: one line each.
    """

    path: Path
    text: str
    template: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
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
    problems = [*document.problems, *_reserved(defaults)] if document else []
    if document and problems:
        raise SpecError(tuple(document.line(str(path), problem) for problem in sorted(problems, key=document.position)))
    warnings = [*given.warnings, *_lines(document, path)]
    values = {**defaults, **given.values}
    if body is text and not is_template(text):
        return Prepared(path, text, None, given.environment, (*warnings, *_unused(given, frozenset())))
    try:
        rendered = render(body, values)
    except TemplateProblem as problem:
        where = "" if problem.line is None else f":{problem.line}"
        words = _with_hint(str(problem), values)
        raise SpecError((one_line(f"{path}{where}: {words}"),)) from problem
    warnings += _unused(given, rendered.used)
    return Prepared(path, rendered.text, text, given.environment, tuple(warnings))


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


def _reserved(values: Mapping[str, object]) -> Iterator[Problem]:
    for name in values:
        if name in tokens.PLAIN:
            yield Problem((_KEY, name), f"{{{{{name}}}}} is one of osmo's own and cannot be set", at_key=True)


def _lines(document: Document | None, path: Path) -> Iterator[str]:
    """Numbers that YAML reads in another way than they are written, such as a version 22.10."""
    if document is not None:
        values = document.at((_KEY,))
        for name, value in values.items() if isinstance(values, dict) else ():
            where: Field = (_KEY, name)
            yield from (document.line(str(path), problem) for problem in changed(document, where, value))


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
