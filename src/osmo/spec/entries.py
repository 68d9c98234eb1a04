"""What to checkpoint where there is no workflow: from options of the command line, or from a file."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from osmo.errors import SpecError
from osmo.spec import place as places
from osmo.spec import rules, tokens, wording
from osmo.spec.checkpoint import CheckpointEntry
from osmo.spec.document import Document, DocumentError, parse
from osmo.spec.place import Place
from osmo.spec.problem import Field, Problem, one_line, shown
from osmo.spec.source import read
from osmo.spec.task import CheckpointSpec

_SHAPE: Final = "it holds a list of checkpoints, as `checkpoint:` of a task does"
_LIST: Final[Field] = ("checkpoint",)
Lines = Callable[[Iterable[Problem]], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Entries:
    """What to checkpoint, and what its author should know, one line each."""

    entries: tuple[CheckpointEntry, ...]
    warnings: tuple[str, ...]


def from_options(options: Mapping[str, object], place: Place) -> Entries:
    """The one entry that options name: `path`, `url`, `frequency` and its other fields; None: it was not given.

    Raises `SpecError`: `--frequency: ...`.
    """

    def lines(problems: Iterable[Problem]) -> tuple[str, ...]:
        return tuple(one_line(f"--{problem.field[-1]}: {problem.text}") for problem in problems)

    return _entries({0: {name: value for name, value in options.items() if value is not None}}, _LIST, [], place, lines)


def from_file(path: Path, place: Place) -> Entries:
    """The entries of a YAML file: a list, or a mapping that has one as `checkpoint`.

    Raises `SpecError` with every problem there is: `saves.yaml:3:5: [0].url: ...`.
    """
    try:
        document = parse(read(path), _SHAPE)
    except DocumentError as error:
        where = "".join(f":{number}" for number in error.position or ())
        raise SpecError((one_line(f"{path}{where}: {error}"),)) from error
    start: Field = () if isinstance(document.value, list) else _LIST
    values = {int(where[-1]): value for where, value in document.items(start)}

    def lines(problems: Iterable[Problem]) -> tuple[str, ...]:
        ordered = sorted(problems, key=document.position)
        return tuple(dict.fromkeys(document.line(str(path), problem) for problem in ordered))

    return _entries(values, start, [*document.problems, *_misshapen(document)], place, lines)


def _entries(
    values: Mapping[int, object], start: Field, problems: list[Problem], place: Place, lines: Lines
) -> Entries:
    """start: the field of the list. lines: how problems and warnings are told."""
    specs: dict[int, CheckpointSpec] = {}
    for number, value in values.items():
        try:
            specs[number] = CheckpointSpec.model_validate(value)
        except ValidationError as error:
            problems.extend(wording.problems(error, (*start, number)))
    for number, spec in specs.items():
        problems.extend(_with_tokens((*start, number), spec))
    found = rules.entry_findings(specs, place)
    problems.extend(_from(start, found.problems))
    if problems:
        raise SpecError(lines(problems))
    placed = tuple(places.entry(spec, {}, place) for spec in specs.values())
    return Entries(placed, lines(_from(start, found.warnings)))


def _misshapen(document: Document) -> Iterator[Problem]:
    """What is wrong with the document as a whole."""
    value = document.value
    if isinstance(value, dict):
        for name in value.keys() - {"checkpoint"}:
            yield Problem((name,), f"unknown field {shown(name)}: {_SHAPE}", at_key=True)
        value = value.get("checkpoint", [])
    if not isinstance(value, list):
        yield Problem((), f"{shown(value)} is not what it should be: {_SHAPE}")
    elif not value:
        yield Problem((), f"nothing is to be checkpointed: {_SHAPE}")


def _with_tokens(field: Field, spec: CheckpointSpec) -> Iterator[Problem]:
    for name in ("path", "url", "regex"):
        if tokens.names(value := getattr(spec, name)):
            yield Problem((*field, name), f"{shown(value)}: there is no workflow whose tokens could be put in")


def _from(start: Field, problems: Iterable[Problem]) -> Iterator[Problem]:
    """Problems of entries in `checkpoint`, as those of a list that begins elsewhere."""
    return (replace(problem, field=(*start, *problem.field[1:])) for problem in problems)
