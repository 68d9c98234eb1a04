"""The tokens that stand in a spec until a run exists: `{{output}}` and `{{workflow_id}}`."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from osmo.spec.problem import shown

if TYPE_CHECKING:  # the models check their own values with tokens in them
    from osmo.spec.workflow import CheckpointSpec, File, Task

NAMES: Final = ("output", "workflow_id")
# What OSMO has for them, and a shape as good as any: for checks that need a value before there is a run.
EXAMPLE: Final = {"output": "/osmo/data/output", "workflow_id": "workflow-1"}

_TOKEN: Final = re.compile(rf"\{{\{{({'|'.join(NAMES)})\}}\}}")
_TEMPLATE: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|\{\{|\{%|\{#", re.DOTALL)


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`text` with each token replaced by its value. A value is not looked into again."""
    return _TOKEN.sub(lambda token: values[token[1]], text)


def unsupported(text: str) -> str | None:
    """What is wrong with the first template in `text` that is not one of our tokens, or None."""
    template = _TEMPLATE.search(_TOKEN.sub(lambda token: "\0" * len(token[0]), text))
    if template is None:
        return None
    line = text.count("\n", 0, template.start()) + 1
    where = f" (line {line} of the text)" if "\n" in text.rstrip("\n") else ""
    if (name := template[0][2:-2].strip()) in NAMES:
        return f"{shown(template[0])} is not supported yet: write {{{{{name}}}}} without spaces{where}"
    return f"template {shown(template[0])} is not supported yet, only {{{{output}}}} and {{{{workflow_id}}}} are{where}"


def resolve(task: "Task", values: Mapping[str, str]) -> "Task":
    """The task with its tokens replaced; `values` has one for each of `NAMES`. Everything else stays as written.

    What is replaced: image, command, args, values of the environment, paths and contents of files, and of a checkpoint
    its path, url and regex.
    """

    def text(raw: str) -> str:
        return substitute(raw, values)

    def file(raw: "File") -> "File":
        contents = raw.contents if raw.contents is None or raw.base64 else text(raw.contents)
        return raw.model_copy(update={"path": text(raw.path), "contents": contents})

    def checkpoint(raw: "CheckpointSpec") -> "CheckpointSpec":
        return raw.model_copy(update={"path": text(raw.path), "url": text(raw.url), "regex": text(raw.regex)})

    return task.model_copy(
        update={
            "image": task.image and text(task.image),
            "command": tuple(map(text, task.command)),
            "args": tuple(map(text, task.args)),
            "environment": {name: text(value) for name, value in task.environment.items()},
            "files": tuple(map(file, task.files)),
            "checkpoint": tuple(map(checkpoint, task.checkpoint)),
        }
    )
