"""`$(VAR)` in commands, arguments and values of variables, as Kubernetes expands it before a container starts."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from osmo.spec.task import Task

_REFERENCE: Final = re.compile(r"\$?\$\(([^()]*)\)")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`text` with each `$(NAME)` of a known variable replaced; `$$(NAME)` is `$(NAME)` itself.

    What is not known stays as it is: for a shell `$(date)` is a command.
    """

    def value(reference: re.Match[str]) -> str:
        if reference[0].startswith("$$"):
            return reference[0][1:]
        return variables.get(reference[1], reference[0])

    return _REFERENCE.sub(value, text)


def expanded(task: "Task") -> "Task":
    """The task with its own variables put in: a variable may refer to those before it, a command to all of them."""
    environment: dict[str, str] = {}
    for name, text in task.environment.items():
        environment[name] = expand(text, environment)
    return task.model_copy(
        update={
            "command": tuple(expand(text, environment) for text in task.command),
            "args": tuple(expand(text, environment) for text in task.args),
            "environment": environment,
        }
    )
