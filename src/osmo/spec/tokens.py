"""The tokens that stand in a spec until a run exists: `{{output}}`, `{{input:0}}`, `{{host:task}}` …

They are written with or without spaces inside the braces, and may stand anywhere in a task.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # the models check their own values with tokens in them
    from osmo.spec.task import CheckpointSpec, File, Input, Output, Task

PLAIN: Final = ("output", "workflow_id", "uuid")

TOKEN: Final = re.compile(rf"\{{\{{[ \t]*({'|'.join(PLAIN)}|(?:input|host):[\w:-]+)[ \t]*\}}\}}", re.ASCII)


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`text` with each token replaced by its value, known by what stands between the braces: `input:0`.

    A value is not looked into again. A token without a value stays as it is.
    """
    return TOKEN.sub(lambda token: values.get(token[1], token[0]), text)


def example(text: str) -> str:
    """`text` with a value as good as any for each token: for checks that come before there is a run."""
    return TOKEN.sub(lambda token: _EXAMPLES.get(token[1]) or _EXAMPLES[token[1].partition(":")[0]], text)


def names(text: str) -> list[str]:
    """The tokens in `text`: `["output", "input:0"]`."""
    return TOKEN.findall(text)


def values(
    task: "Task", *, output: str, inputs: Sequence[str], hosts: Mapping[str, str], workflow_id: str, uuid: str
) -> dict[str, str]:
    """What each token of this task stands for.

    inputs: a directory for each of the task's inputs, in their order. hosts: the host of each task of its group.
    """
    found = {"output": output, "workflow_id": workflow_id, "uuid": uuid}
    for number, (source, directory) in enumerate(zip(task.inputs, inputs, strict=True)):
        found[f"input:{number}"] = directory
        for name in source.names:
            found.setdefault(f"input:{name}", directory)
    return found | {f"host:{name}": host for name, host in hosts.items()}


def resolve(task: "Task", values: Mapping[str, str]) -> "Task":
    """The task with its tokens replaced. Everything else stays as written.

    What is replaced: image, command, args, values of the environment, paths and contents of files, urls and regexes of
    inputs and outputs, and of a checkpoint its path, url and regex.
    """

    def text(raw: str) -> str:
        return substitute(raw, values)

    def file(raw: "File") -> "File":
        contents = raw.contents if raw.contents is None or raw.base64 else text(raw.contents)
        return raw.model_copy(update={"path": text(raw.path), "contents": contents})

    def checkpoint(raw: "CheckpointSpec") -> "CheckpointSpec":
        return raw.model_copy(update={"path": text(raw.path), "url": text(raw.url), "regex": text(raw.regex)})

    def source(raw: "Input") -> "Input":
        return raw.model_copy(update={"url": raw.url and text(raw.url), "regex": text(raw.regex)})

    def destination(raw: "Output") -> "Output":
        return raw.model_copy(update={"url": text(raw.url), "regex": text(raw.regex)})

    return task.model_copy(
        update={
            "image": task.image and text(task.image),
            "command": tuple(map(text, task.command)),
            "args": tuple(map(text, task.args)),
            "environment": {name: text(value) for name, value in task.environment.items()},
            "files": tuple(map(file, task.files)),
            "checkpoint": tuple(map(checkpoint, task.checkpoint)),
            "inputs": tuple(map(source, task.inputs)),
            "outputs": tuple(map(destination, task.outputs)),
        }
    )


# What OSMO has for them.
_EXAMPLES: Final = {
    "output": "/osmo/data/output",
    "input": "/osmo/data/input/0",
    "host": "localhost",
    "workflow_id": "workflow-1",
    "uuid": "00000000000000000000000000000000",
}
