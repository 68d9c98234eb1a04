"""What a spec may say of a task: frozen models, and the rules that one value can be checked by alone.

Their messages are the user's; what pydantic itself has to say is put into words by `osmo.spec.wording`.
"""

import base64
import binascii
import posixpath
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from osmo.spec import exit_actions, tokens
from osmo.spec.exit_actions import ACTIONS, Action, Ranges
from osmo.spec.problem import shown
from osmo.spec.scalars import (
    Argument,
    Bytes,
    Credential,
    Download,
    Duration,
    Flag,
    Model,
    Mount,
    Regex,
    TaskName,
    TaskOfARun,
    Text,
    Url,
    Variable,
    VariableName,
)


def _file_path(path: str) -> str:
    if path.endswith("/") or posixpath.basename(path) in (".", ".."):
        raise ValueError(f"{shown(path)} is a directory: a file has a name")
    place = posixpath.normpath(tokens.example(path))
    if (place + "/").startswith("/osmo/") and not place.startswith("/osmo/data/output/"):
        raise ValueError(f"{shown(path)}: nothing may be written below /osmo but in /osmo/data/output")
    return path


def _keep(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"must be a whole number, 1 or more, not {shown(value)}")
    return value


def _restore(value: object) -> object:
    if not isinstance(value, bool) and value != "retry":
        raise ValueError(f"must be retry, true or false, not {shown(value)}")
    return value


def _action(name: object) -> object:
    word = name.upper() if isinstance(name, str) else name
    if word not in ACTIONS:
        raise ValueError(f"{shown(name)} is no exit action (known: {', '.join(ACTIONS)})")
    return word


def _exit_actions(value: object) -> object:
    """Upper and lower case are the same, so a key may be there twice without YAML's noticing."""
    if isinstance(value, dict):
        words = [str(name).upper() for name in value]
        if twice := next((word for word in words if words.count(word) > 1), None):
            raise ValueError(f"{twice} is set twice")
    return value


def _no_overlap(actions: Mapping[Action, Ranges]) -> Mapping[Action, Ranges]:
    if (problem := exit_actions.overlap(actions)) is not None:
        raise ValueError(problem)
    return actions


ActionName = Annotated[Action, BeforeValidator(_action)]
Codes = Annotated[Ranges, BeforeValidator(exit_actions.ranges, json_schema_input_type=int | str | list[int | str])]
ExitActions = Annotated[Mapping[ActionName, Codes], BeforeValidator(_exit_actions), AfterValidator(_no_overlap)]


class File(Model):
    """A file that is written before the command starts.

    `contents` is its text or, if `base64` is set, its bytes in base64. After `load` it is never None: what `localpath`
    named is in it.
    """

    path: Annotated[Text, AfterValidator(_file_path)]
    contents: str | None = None
    localpath: Text | None = None
    base64: Flag = False

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if self.contents is None and self.localpath is None:
            raise ValueError("needs contents or localpath")
        if self.contents is not None and self.localpath is not None:
            raise ValueError("has both contents and localpath: one of them is the file")
        return self

    @property
    def data(self) -> bytes:
        """What is written. Raises `ValueError` if the contents are not base64 and should be, or not Unicode text."""
        contents = self.contents or ""
        if not self.base64:
            return contents.encode()
        try:
            return base64.b64decode("".join(contents.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("is not base64") from error


class CheckpointSpec(Model):
    """One item of a task's `checkpoint:`, as written. `frequency` is in seconds."""

    path: Text
    url: Url
    frequency: Duration
    regex: Regex = ""
    keep: Annotated[int, BeforeValidator(_keep)] = 1
    restore: Annotated[Literal["retry"] | bool, BeforeValidator(_restore)] = "retry"


class Input(Model):
    """What a task finds in `{{input:N}}`: the output of another task, or what lies at a url."""

    task: TaskOfARun | None = None
    url: Url | None = None
    regex: Regex = ""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.task is None) == (self.url is None):
            have = "needs" if self.task is None else "has both"
            raise ValueError(f"{have} task {'or' if self.task is None else 'and'} url: an input is one of them")
        return self

    @property
    def run(self) -> str | None:
        """The id of the finished run whose task it is; None for a task of this workflow, and for a url."""
        return self.task.partition(":")[0] if self.task and ":" in self.task else None

    @property
    def source(self) -> str | None:
        """The name of the task, without its run's; None for a url."""
        return self.task.rpartition(":")[2] if self.task else None

    @property
    def names(self) -> tuple[str, ...]:
        """What may stand in `{{input:NAME}}` for it, besides its number."""
        return tuple(dict.fromkeys(name for name in (self.task, self.source) if name))


class Output(Model):
    """Where all of `{{output}}` goes when the command has ended."""

    url: Url
    regex: Regex = ""


class Kpi(Model):
    """A file of measurements for OSMO's own pages."""

    index: Text
    path: Text


class Task(Model):
    """One command, what it needs, and what is kept of its data. Without a command a task ends at once.

    After `load` exactly one task of a group has `lead`.
    """

    name: TaskName
    lead: Flag = False
    image: Text | None = None
    command: tuple[Argument, ...] = ()
    args: tuple[Argument, ...] = ()
    environment: Mapping[VariableName, Variable] = Field(default_factory=dict)
    files: tuple[File, ...] = ()
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    checkpoint: tuple[CheckpointSpec, ...] = ()
    exit_actions: ExitActions = Field(default_factory=dict, alias="exitActions")
    resource: Text = "default"
    credentials: Mapping[str, Credential] = Field(default_factory=dict)
    volume_mounts: tuple[Mount, ...] = Field(default=(), alias="volumeMounts")
    privileged: Flag = False
    host_network: Flag = Field(default=False, alias="hostNetwork")
    kpis: tuple[Kpi, ...] = ()
    cache_size: Bytes | None = Field(default=None, alias="cacheSize")
    download_type: Download | None = Field(default=None, alias="downloadType")
    backend: Text | None = None
    resources: Mapping[str, object] | None = None

    @model_validator(mode="after")
    def _has_something_to_run(self) -> Self:
        if self.args and not self.command:
            raise ValueError("has args and no command to give them to")
        return self


def with_environment(task: Task, more: Mapping[str, str]) -> Task:
    """The task with more variables in its environment, which win over its own."""
    return task.model_copy(update={"environment": {**task.environment, **more}}) if more else task
