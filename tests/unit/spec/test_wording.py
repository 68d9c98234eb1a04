"""Every error that the models can give rise to, in the words that the user reads."""

import datetime
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from osmo.spec import wording
from osmo.spec.problem import field_name
from osmo.spec.workflow import NOT_YET, Document

PYDANTICS_OWN = ("Input should", "Field required", "Extra inputs", "Value error", "valid", "pydantic")


def lines(value: object) -> list[str]:
    try:
        Document.model_validate(value)
    except ValidationError as error:
        found = list(wording.problems(error))
        return [f"{field_name(problem.field)}{' (key)' if problem.at_key else ''}: {problem.text}" for problem in found]
    return []


def task(**fields: object) -> dict[str, object]:
    return {"workflow": {"name": "w", "tasks": [{"name": "a", **fields}]}}


def checkpoint(**fields: object) -> dict[str, object]:
    return task(checkpoint=[{"path": "/a", "url": "s3://b", "frequency": 30, **fields}])


def file(**fields: object) -> dict[str, object]:
    return task(files=[{"path": "/f", **fields}])


T = "workflow.tasks[0]"
C = f"{T}.checkpoint[0]"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        # whole objects
        ({}, "workflow: is required, and missing"),
        ({"workflow": None}, "workflow: must be a mapping, not null"),
        ({"workflow": {"name": "w"}}, "workflow.tasks: is required, and missing"),
        ({"workflow": {"name": "w", "tasks": {}}}, "workflow.tasks: must be a list, not a mapping"),
        ({"workflow": {"name": "w", "tasks": ["a"]}}, f"{T}: must be a mapping, not text"),
        ({"workflow": {"name": 5, "tasks": []}}, "workflow.name: must be text, not 5: put it in quotes"),
        ({"workflow": {"name": None, "tasks": []}}, "workflow.name: must be text, not null"),
        ({"workflow": {"name": [], "tasks": []}}, "workflow.name: must be text, not a list"),
        # names
        (
            task(name="9a"),
            (
                f"{T}.name: '9a' is not a name: it has letters, digits, '-' and '_', begins with a letter "
                "and ends with a letter or a digit"
            ),
        ),
        (task(name="a" * 65), f"{T}.name: '{'a' * 57}...' is too long: a name has at most 64 characters"),
        (task(name="OSMO_ctrl"), f"{T}.name: 'OSMO_ctrl' is reserved: choose another name"),
        # command, args, environment
        (task(image=""), f"{T}.image: must not be empty"),
        (task(command="bash -c x"), f'{T}.command: must be a list, not text: ["bash", "-c", "..."]'),
        (task(args="x"), f'{T}.args: must be a list, not text: ["bash", "-c", "..."]'),
        (task(args={"a": 1}), f"{T}.args: must be a list, not a mapping"),
        (task(command=["x"], args=[True]), f"{T}.args[0]: must be text, not true: put it in quotes"),
        (task(command=["x"], args=[None]), f"{T}.args[0]: must be text, not null"),
        (
            task(command=[datetime.date(2024, 1, 2)]),
            f"{T}.command[0]: must be text, not the date 2024-01-02: put it in quotes",
        ),
        (task(command=["a\0"]), f"{T}.command[0]: must not hold a NUL character"),
        (task(environment=["A=1"]), f"{T}.environment: must be a mapping, not a list"),
        (task(environment={"A": None}), f'{T}.environment.A: has no value (write "" for an empty one)'),
        (task(environment={"A": [1]}), f"{T}.environment.A: must be text, not a list"),
        (
            task(environment={"A B": 1}),
            f"{T}.environment['A B'] (key): 'A B' cannot be the name of an environment variable",
        ),
        # files
        (file(), f"{T}.files[0]: needs contents or localpath"),
        (file(contents="", localpath="x"), f"{T}.files[0]: has both contents and localpath: one of them is the file"),
        (file(contents=5), f"{T}.files[0].contents: must be text, not 5: put it in quotes"),
        (file(contents="", base64="yes"), f"{T}.files[0].base64: must be true or false, not 'yes'"),
        (file(contents="", path=""), f"{T}.files[0].path: must not be empty"),
        (file(contents="", path="/a/"), f"{T}.files[0].path: '/a/' is a directory: a file has a name"),
        (file(contents="", path="/a/.."), f"{T}.files[0].path: '/a/..' is a directory: a file has a name"),
        (
            file(contents="", path="/osmo/x"),
            f"{T}.files[0].path: '/osmo/x': nothing may be written below /osmo but in /osmo/data/output",
        ),
        (
            file(contents="", path="{{output}}/../x"),
            f"{T}.files[0].path: '{{{{output}}}}/../x': nothing may be written below /osmo but in /osmo/data/output",
        ),
        # checkpoints
        (task(checkpoint=None), f"{T}.checkpoint: must be a list, not null"),
        (task(checkpoint={"path": "/a"}), f"{T}.checkpoint: must be a list, not a mapping"),
        (checkpoint(path=" "), f"{C}.path: must not be empty"),
        (checkpoint(path=["/a"]), f"{C}.path: must be text, not a list"),
        (
            checkpoint(url="gs://b"),
            f"{C}.url: gs:// is not supported yet (accepted: s3://bucket/path, file:///absolute/path)",
        ),
        (
            checkpoint(url="s3://b/{{output}}"),
            f"{C}.url: 's3://b//osmo/data/output': an empty, '.' or '..' segment cannot be part of a data-store url",
        ),
        (
            checkpoint(frequency="10x"),
            f"{C}.frequency: '10x' is not a duration (accepted: 30, 30s, 10m, 2h, 1d, 1h30m, ISO 8601 PT10S)",
        ),
        (
            checkpoint(regex="[a"),
            f"{C}.regex: '[a' is not a regular expression: unterminated character set at position 0",
        ),
        (
            checkpoint(regex="a{99999999999}"),
            f"{C}.regex: 'a{{99999999999}}' is not a regular expression: the repetition number is too large",
        ),
        (checkpoint(regex=None), f"{C}.regex: must be text, not null"),
        (checkpoint(keep=0), f"{C}.keep: must be a whole number, 1 or more, not 0"),
        (checkpoint(keep=True), f"{C}.keep: must be a whole number, 1 or more, not true"),
        (checkpoint(keep="1"), f"{C}.keep: must be a whole number, 1 or more, not '1'"),
        (checkpoint(restore="always"), f"{C}.restore: must be retry, true or false, not 'always'"),
        # unknown fields
        (checkpoint(frequncy=1), f"{C}.frequncy (key): unknown field 'frequncy' (did you mean 'frequency'?)"),
        (checkpoint(Regex="x"), f"{C}.Regex (key): unknown field 'Regex' (did you mean 'regex'?)"),
        (checkpoint(zzz=1), f"{C}.zzz (key): unknown field 'zzz' (known: path, url, frequency, regex, keep, restore)"),
        (
            file(contents="", content=""),
            f"{T}.files[0].content (key): unknown field 'content' (did you mean 'contents'?)",
        ),
        (task(exitaction={}), f"{T}.exitaction (key): unknown field 'exitaction' (did you mean 'exitActions'?)"),
    ],
)
def test_what_the_user_reads(value: object, line: str) -> None:
    assert lines(value) == [line]


OBJECTS: dict[str, Callable[[str], object]] = {
    "Document": lambda name: {"workflow": {"name": "w", "tasks": []}, name: 1},
    "Workflow": lambda name: {"workflow": {"name": "w", "tasks": [], name: 1}},
    "Task": lambda name: task(**{name: 1}),
}


@pytest.mark.parametrize(("model", "name"), [(model, name) for model in OBJECTS for name in sorted(NOT_YET[model])])
def test_a_field_of_osmo_s_that_is_not_supported_yet(model: str, name: str) -> None:
    assert [line.partition(": ")[2] for line in lines(OBJECTS[model](name))] == [f"{name!r} is not supported yet"]


WRONG: list[object] = [None, True, 5, 1.5, "", "x", [], ["x"], [[]], {}, {"x": 1}, b"x", datetime.date(2024, 1, 2)]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_no_sentence_of_pydantic_s_is_ever_shown(wrong: object) -> None:
    values = [wrong, {"workflow": wrong}, {"workflow": {"name": wrong, "tasks": wrong}}]
    values += [{"workflow": {"name": "w", "tasks": [wrong]}}]
    values += [
        task(**{name: wrong}) for name in ("name", "image", "command", "args", "environment", "files", "checkpoint")
    ]
    values += [task(command=[wrong]), task(environment={"A": wrong}), task(files=[wrong]), task(checkpoint=[wrong])]
    values += [file(**{name: wrong}) for name in ("path", "contents", "localpath", "base64")]
    values += [checkpoint(**{name: wrong}) for name in ("path", "url", "frequency", "regex", "keep", "restore")]
    for value in values:
        for line in lines(value):
            assert not any(words in line for words in PYDANTICS_OWN), line
            assert "is not accepted here" not in line, line
