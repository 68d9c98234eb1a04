"""What pydantic finds, in the user's words. No sentence of pydantic's ever reaches him."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from osmo.spec.problem import Field, Problem, kind, shown
from osmo.spec.task import CheckpointSpec, File, Input, Kpi, Output, Task
from osmo.spec.written import Resource, SpecFile, Timeout, Topology, WrittenGroup, WrittenWorkflow

Reader = Callable[[ErrorDetails], str]


def _text(error: ErrorDetails) -> str:
    value = error["input"]
    quotes = "" if value is None or isinstance(value, list | dict) else ": put it in quotes"
    return f"must be text, not {shown(value)}{quotes}"


def _list(error: ErrorDetails) -> str:
    if error["loc"][-1] in ("command", "args") and isinstance(error["input"], str):
        return 'must be a list, not text: ["bash", "-c", "..."]'
    return f"must be a list, not {kind(error['input'])}"


def _mapping(error: ErrorDetails) -> str:
    return f"must be a mapping, not {kind(error['input'])}"


def _ours(error: ErrorDetails) -> str:
    return str(error["ctx"]["error"])


def _other(error: ErrorDetails) -> str:
    return f"{shown(error['input'])} is not accepted here"


# Every error that our models can give rise to; a test calls forth each.
WORDS: Final[Mapping[str, Reader]] = {
    "missing": lambda _error: "is required, and missing",
    "string_type": _text,
    "tuple_type": _list,
    "dict_type": _mapping,
    "model_type": _mapping,
    "value_error": _ours,
}


def problems(
    error: ValidationError, start: Field = (), written: Callable[[Field], str | None] = lambda _: None
) -> Iterator[Problem]:
    """What `error` is about, each in words of our own; `start` is the field that was validated.

    written: the word that stands at a field without quotes, if that is known.
    """
    for detail in error.errors(include_url=False):
        yield _problem(detail, start, written)


def _problem(error: ErrorDetails, start: Field, written: Callable[[Field], str | None]) -> Problem:
    field = start + error["loc"]
    if error["type"] == "extra_forbidden":
        return Problem(field, unknown(model_of(field[:-1]), str(field[-1])), at_key=True)
    if error["type"] == "string_type" and (word := written(field)) and word != shown(error["input"]):
        text = f"must be text, and YAML reads {shown(word)[1:-1]} as {shown(error['input'])}: put it in quotes"
        return Problem(field, text)
    at_key = field[-1:] == ("[key]",)
    read = WORDS.get(error["type"], _other)
    return Problem(field[:-1] if at_key else field, read(error), at_key)


def unknown(model: type[BaseModel], name: str) -> str:
    """Why a field is refused that does not exist."""
    known = _fields(model)
    if (elsewhere := _elsewhere(model, name)) is not None:
        return f"unknown field {shown(name)} ({elsewhere})"
    near = difflib.get_close_matches(name.lower(), [each.lower() for each in known], n=1)
    hint = next((f"did you mean {each!r}?" for each in known if near == [each.lower()]), f"known: {', '.join(known)}")
    return f"unknown field {shown(name)} ({hint})"


def _fields(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _elsewhere(model: type[BaseModel], name: str) -> str | None:
    """Where a field belongs that is known, but not here."""
    if name in ("dataset", "update_dataset"):
        return "OSMO has no datasets any more: name the url of the data"
    if model is SpecFile and name in _fields(WrittenWorkflow):
        return "it belongs beneath workflow:"
    if model is WrittenWorkflow and name in _fields(SpecFile):
        return "it belongs beside workflow:"
    return None


_TASK: Final[dict[tuple[Any, ...], type[BaseModel]]] = {
    (): Task,
    ("files", int): File,
    ("inputs", int): Input,
    ("outputs", int): Output,
    ("kpis", int): Kpi,
    ("checkpoint", int): CheckpointSpec,
}
_MODELS: Final[dict[tuple[Any, ...], type[BaseModel]]] = {
    (): SpecFile,
    ("workflow",): WrittenWorkflow,
    ("workflow", "timeout"): Timeout,
    ("workflow", "groups", int): WrittenGroup,
    **{("workflow", "groups", int, "tasks", int, *field): model for field, model in _TASK.items()},
    **{("workflow", "tasks", int, *field): model for field, model in _TASK.items()},
    ("checkpoint", int): CheckpointSpec,
    (int,): CheckpointSpec,
}


def model_of(field: Field) -> type[BaseModel]:
    """Which model stands at a field of a spec, or of a list of checkpoints without a workflow."""
    if field[:2] == ("workflow", "resources"):
        return Topology if "topology" in field[3:] else Resource
    return _MODELS[tuple(int if isinstance(part, int) else part for part in field)]
