"""What a workflow spec may say: frozen models, and the rules that one value can be checked by alone.

Their messages are the user's; what pydantic itself has to say is put into words by `osmo.spec.wording`.
"""

import base64
import binascii
import posixpath
import re
import warnings
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from osmo.spec import duration, tokens, url
from osmo.spec.problem import shown

NAME: Final = re.compile(r"[a-zA-Z]([a-zA-Z0-9_-]*[a-zA-Z0-9])?")
NAME_LENGTH: Final = 64
VARIABLE_NAME: Final = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")  # what Kubernetes takes
RESERVED: Final = "osmo-ctrl"
TASKS: Final = ("workflow", "tasks")
"""Where a document holds its tasks."""

# What OSMO has and we do not have yet, by the object it belongs to.
NOT_YET: Final[Mapping[str, frozenset[str]]] = {
    "Document": frozenset({"default-values", "version"}),
    "Workflow": frozenset({"backend", "groups", "labels", "pool", "resources", "timeout"}),
    "Task": frozenset(
        {"backend", "cacheSize", "credentials", "downloadType", "exitActions", "hostNetwork", "inputs", "kpis", "lead"}
        | {"outputs", "privileged", "resource", "resources", "volumeMounts"}
    ),
    "File": frozenset(),
    "CheckpointSpec": frozenset(),
}


def canonical(name: str) -> str:
    """Names that OSMO takes for the same: upper and lower case, `_` and `-`."""
    return name.lower().replace("_", "-")


def _name(name: str) -> str:
    if len(name) > NAME_LENGTH:
        raise ValueError(f"{shown(name)} is too long: a name has at most {NAME_LENGTH} characters")
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{shown(name)} is not a name: it has letters, digits, '-' and '_', begins with a letter and ends with "
            "a letter or a digit"
        )
    return name


def _task_name(name: str) -> str:
    if canonical(name) == RESERVED:
        raise ValueError(f"{shown(name)} is reserved: choose another name")
    return name


def _argument(value: object) -> object:
    """OSMO takes numbers for the text they print as; what else YAML made of a word, it refuses."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _variable(value: object) -> object:
    if value is None:
        raise ValueError('has no value (write "" for an empty one)')
    return value if isinstance(value, list | dict | bytes) else str(value)


def _variable_name(name: str) -> str:
    if not VARIABLE_NAME.fullmatch(name):
        raise ValueError(f"{shown(name)} cannot be the name of an environment variable")
    return name


def _no_nul(text: str) -> str:
    """The operating system ends every path, argument and variable there."""
    if "\0" in text:
        raise ValueError("must not hold a NUL character")
    return text


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _file_path(path: str) -> str:
    if path.endswith("/") or posixpath.basename(path) in (".", ".."):
        raise ValueError(f"{shown(path)} is a directory: a file has a name")
    place = posixpath.normpath(tokens.substitute(path, tokens.EXAMPLE))
    if (place + "/").startswith("/osmo/") and not place.startswith("/osmo/data/output/"):
        raise ValueError(f"{shown(path)}: nothing may be written below /osmo but in /osmo/data/output")
    return path


def _url(text: str) -> str:
    url.checked(tokens.substitute(text, tokens.EXAMPLE))
    return text


def _regex(text: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that may mean something else in a later Python
            re.compile(tokens.substitute(text, tokens.EXAMPLE))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{shown(text)} is not a regular expression: {error}") from error
    return text


def _keep(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"must be a whole number, 1 or more, not {shown(value)}")
    return value


def _restore(value: object) -> object:
    if not isinstance(value, bool) and value != "retry":
        raise ValueError(f"must be retry, true or false, not {shown(value)}")
    return value


Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, AfterValidator(_no_nul), AfterValidator(_not_empty)]
Argument = Annotated[str, BeforeValidator(_argument), AfterValidator(_no_nul)]
VariableName = Annotated[str, AfterValidator(_variable_name)]
Variable = Annotated[str, BeforeValidator(_variable), AfterValidator(_no_nul)]


class Model(BaseModel):
    """A value that never changes and holds nothing that is not named here."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class File(Model):
    """A file that is written before the command starts.

    `contents` is its text or, if `base64` is set, its bytes in base64. After `load` it is never None: what `localpath`
    named is in it.
    """

    path: Annotated[Text, AfterValidator(_file_path)]
    contents: str | None = None
    localpath: Text | None = None
    base64: StrictBool = False

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
    url: Annotated[Text, AfterValidator(_url)]
    frequency: Annotated[float, BeforeValidator(duration.seconds)]
    regex: Annotated[str, AfterValidator(_regex)] = ""
    keep: Annotated[int, BeforeValidator(_keep)] = 1
    restore: Annotated[Literal["retry"] | bool, BeforeValidator(_restore)] = "retry"


class Task(Model):
    """One command, what it needs, and what is kept of its data. Without a command a task ends at once."""

    name: Annotated[Name, AfterValidator(_task_name)]
    image: Text | None = None
    command: tuple[Argument, ...] = ()
    args: tuple[Argument, ...] = ()
    environment: Mapping[VariableName, Variable] = Field(default_factory=dict)
    files: tuple[File, ...] = ()
    checkpoint: tuple[CheckpointSpec, ...] = ()

    @model_validator(mode="after")
    def _has_something_to_run(self) -> Self:
        if self.args and not self.command:
            raise ValueError("has args and no command to give them to")
        return self


class Workflow(Model):
    """Tasks that run in parallel."""

    name: Name
    tasks: tuple[Task, ...]


class Document(Model):
    """A whole spec file."""

    workflow: Workflow
