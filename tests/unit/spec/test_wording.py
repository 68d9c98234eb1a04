"""Every error that the models can give rise to, in the words that the user reads."""

import datetime
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from osmo.spec import wording
from osmo.spec.problem import field_name
from osmo.spec.written import SpecFile
from support.specs import EVERY_FIELD

PYDANTICS_OWN = ("Input should", "Field required", "Extra inputs", "Value error", "valid", "pydantic")


def lines(value: object) -> list[str]:
    try:
        SpecFile.model_validate(value)
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


def workflow(**fields: object) -> dict[str, object]:
    return {"workflow": {"name": "w", "tasks": [], **fields}}


def resource(**fields: object) -> dict[str, object]:
    return workflow(resources={"big": fields})


T = "workflow.tasks[0]"
R = "workflow.resources.big"
LABEL = "it has 1 to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"
C = f"{T}.checkpoint[0]"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        # whole objects
        ({}, "workflow: is required, and missing"),
        ({"workflow": None}, "workflow: must be a mapping, not null"),
        ({"workflow": {"tasks": []}}, "workflow.name: is required, and missing"),
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
        (file(contents="", base64="si"), f"{T}.files[0].base64: must be true or false, not 'si'"),
        (file(contents="", base64=None), f"{T}.files[0].base64: must be true or false, not null"),
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
            checkpoint(url="azure://b"),
            f"{C}.url: 'azure://b' names no container (accepted: azure://account/container/path)",
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
        # inputs, outputs
        (task(inputs={}), f"{T}.inputs: must be a list, not a mapping"),
        (task(inputs=["a"]), f"{T}.inputs[0]: must be a mapping, not text"),
        (task(inputs=[{}]), f"{T}.inputs[0]: needs task or url: an input is one of them"),
        (
            task(inputs=[{"task": "a", "url": "s3://b"}]),
            f"{T}.inputs[0]: has both task and url: an input is one of them",
        ),
        (
            task(inputs=[{"task": "a:b:c"}]),
            f"{T}.inputs[0].task: 'a:b:c' names no task (accepted: a task's name, or one of another run: wf-1:task)",
        ),
        (task(outputs=[{"regex": ""}]), f"{T}.outputs[0].url: is required, and missing"),
        (
            task(outputs=[{"url": "s3://b", "path": "x"}]),
            f"{T}.outputs[0].path (key): unknown field 'path' (known: url, regex)",
        ),
        # exit actions
        (task(exitActions=[]), f"{T}.exitActions: must be a mapping, not a list"),
        (
            task(exitActions={"RESTART": 1}),
            f"{T}.exitActions.RESTART (key): 'RESTART' is no exit action (known: COMPLETE, FAIL, RESCHEDULE)",
        ),
        (task(exitActions={"FAIL": 1, "fail": 2}), f"{T}.exitActions: FAIL is set twice"),
        (
            task(exitActions={"FAIL": "9-1"}),
            f"{T}.exitActions.FAIL: '9-1' ends before it begins: write 1-9",
        ),
        (
            task(exitActions={"FAIL": True}),
            f"{T}.exitActions.FAIL: true is no exit code (accepted: 0, '1-9', '3,5-7', [3, '5-7'])",
        ),
        (
            task(exitActions={"FAIL": "1-9", "RESCHEDULE": "9-12"}),
            f"{T}.exitActions: exit code 9 is in FAIL and RESCHEDULE: a code has one action",
        ),
        # what a task asks of a cluster
        (task(lead="si"), f"{T}.lead: must be true or false, not 'si'"),
        (
            task(volumeMounts=["x"]),
            f"{T}.volumeMounts[0]: 'x' is not a mount (accepted: /source, /source:/destination)",
        ),
        (
            task(credentials={"c": 5}),
            f"{T}.credentials.c: must be a directory, or a mapping of variables to the credential's keys, not 5",
        ),
        (
            task(credentials={"c": {"A": None}}),
            f"{T}.credentials.c: A: must be the name of one of the credential's keys, not null",
        ),
        (task(kpis=[{"index": "a"}]), f"{T}.kpis[0].path: is required, and missing"),
        (task(downloadType="mount"), f"{T}.downloadType: must be download, not 'mount'"),
        # the workflow
        (workflow(labels={"a": ""}), f"workflow.labels.a: '' cannot be a label: {LABEL}"),
        (workflow(labels={"a": True}), "workflow.labels.a: must be text, not true: put it in quotes"),
        (
            workflow(labels={"-a": "b"}),
            (
                "workflow.labels.-a (key): '-a' cannot be the name of a label: it has at most 63 letters, digits, "
                "'-', '_' and '.', with a letter or digit at both ends, and may follow a domain and a slash"
            ),
        ),
        (
            workflow(labels={f"l{n}": "x" for n in range(17)}),
            "workflow.labels: has 17 labels: at most 16 are allowed",
        ),
        (
            workflow(timeout={"exec_timeout": "1 week"}),
            (
                "workflow.timeout.exec_timeout: '1 week' is not a duration (accepted: 30, 30s, 10m, 2h, 1d, 1h30m, ISO "
                "8601 PT10S)"
            ),
        ),
        (
            workflow(timeout={"exec": 1}),
            "workflow.timeout.exec (key): unknown field 'exec' (known: exec_timeout, queue_timeout)",
        ),
        (
            workflow(version=1),
            "workflow.version (key): unknown field 'version' (it belongs beside workflow:)",
        ),
        ({**task(), "version": 1}, "version: 1 is not a version of the spec (accepted: 2)"),
        (resource(cpu=0.5), f"{R}.cpu: must be a whole number, 0 or more, not 0.5"),
        (resource(gpu=-1), f"{R}.gpu: must be a whole number, 0 or more, not -1"),
        (resource(memory="16GB"), f"{R}.memory: '16GB' has the unknown unit 'GB' (did you mean Gi?)"),
        (
            resource(storage="lots"),
            f"{R}.storage: 'lots' is not a size (accepted: 16Gi, 512MiB, 100M, 1.5T, or a number of bytes)",
        ),
        (resource(mem="1Gi"), f"{R}.mem (key): unknown field 'mem' (did you mean 'memory'?)"),
        (
            resource(topology=[{"key": "rack", "requirementType": "maybe"}]),
            f"{R}.topology[0].requirementType: must be required or preferred, not 'maybe'",
        ),
        (resource(topology=[{"group": "a"}]), f"{R}.topology[0].key: is required, and missing"),
        (task(exitaction={}), f"{T}.exitaction (key): unknown field 'exitaction' (did you mean 'exitActions'?)"),
    ],
)
def test_what_the_user_reads(value: object, line: str) -> None:
    assert lines(value) == [line]


WRONG: list[object] = [None, True, 5, 1.5, "", "x", [], ["x"], [[]], {}, {"x": 1}, b"x", datetime.date(2024, 1, 2)]


def replaced(value: object, wrong: object) -> Iterator[object]:
    """The value with each of its parts replaced in turn."""
    yield wrong
    if isinstance(value, dict):
        for key in value:
            yield from ({**value, key: each} for each in replaced(value[key], wrong))
        yield {**value, "zzz": wrong}
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from ([*value[:number], each, *value[number + 1 :]] for each in replaced(item, wrong))


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_whatever_stands_in_any_field_is_said_in_our_words(wrong: object) -> None:
    for value in replaced(EVERY_FIELD, wrong):
        for line in lines(value):
            assert not any(words in line for words in PYDANTICS_OWN), line
            assert "is not accepted here" not in line, line
