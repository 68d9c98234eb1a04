"""The values that a field of a spec may have: each type checks itself, in words for the person who wrote it."""

import re
import warnings
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainValidator

from osmo.spec import duration, quantity, tokens, url
from osmo.spec.problem import kind, shown

NAME: Final = re.compile(r"[a-zA-Z]([a-zA-Z0-9_-]*[a-zA-Z0-9])?")
NAME_LENGTH: Final = 64
VARIABLE_NAME: Final = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")  # what Kubernetes takes
RESERVED: Final = "osmo-ctrl"
_LABEL: Final = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_DOMAIN: Final = re.compile(r"(?=.{1,253}/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/")
MOST_LABELS: Final = 16
_TRUE: Final = frozenset({"1", "on", "t", "true", "y", "yes"})
_FALSE: Final = frozenset({"0", "off", "f", "false", "n", "no"})
# `wf-1:task`: a task of another run.
_TASK_OF_A_RUN: Final = re.compile(rf"([a-zA-Z0-9][a-zA-Z0-9_-]*:)?{NAME.pattern}")


class Model(BaseModel):
    """A value that never changes and holds nothing that is not named here."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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


def _task_of_a_run(text: str) -> str:
    if not _TASK_OF_A_RUN.fullmatch(text):
        raise ValueError(f"{shown(text)} names no task (accepted: a task's name, or one of another run: wf-1:task)")
    return text


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


def _url(text: str) -> str:
    url.checked(tokens.example(text))
    return text


def _regex(text: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that may mean something else in a later Python
            re.compile(tokens.example(text))
    except RecursionError:
        raise ValueError(f"{shown(text)} is not a regular expression: it is nested too deeply") from None
    except (re.error, OverflowError) as error:
        raise ValueError(f"{shown(text)} is not a regular expression: {error}") from error
    return text


def _flag(value: object) -> object:
    """What OSMO takes for true and false: a template may well have put it in quotes."""
    word = value.strip().lower() if isinstance(value, str) else str(value) if value in (0, 1) else ""
    if isinstance(value, bool):
        return value
    if word not in _TRUE | _FALSE:
        raise ValueError(f"must be true or false, not {shown(value)}")
    return word in _TRUE


def _count(value: object) -> object:
    number = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value.strip()) else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 10**9:
        raise ValueError(f"must be a whole number, 0 or more, not {shown(value)}")
    return number


def _mount(text: str) -> str:
    if not all(part.startswith("/") for part in text.split(":")) or text.count(":") > 1:
        raise ValueError(f"{shown(text)} is not a mount (accepted: /source, /source:/destination)")
    return text


def _download(text: str) -> str:
    if text != "download":
        raise ValueError(f"must be download, not {shown(text)}")
    return text


def _requirement(text: str) -> str:
    if text not in ("required", "preferred"):
        raise ValueError(f"must be required or preferred, not {shown(text)}")
    return text


def _label_name(name: str) -> str:
    domain = _DOMAIN.match(name)
    if not _LABEL.fullmatch(name[domain.end() if domain else 0 :]):
        raise ValueError(
            f"{shown(name)} cannot be the name of a label: it has at most 63 letters, digits, '-', '_' and '.', with a "
            "letter or digit at both ends, and may follow a domain and a slash"
        )
    return name


def _label(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise ValueError(
            f"{shown(value)} cannot be a label: it has 1 to 63 letters, digits, '-', '_' and '.', with a letter or "
            "digit at both ends"
        )
    return value


def _labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    if len(labels) > MOST_LABELS:
        raise ValueError(f"has {len(labels)} labels: at most {MOST_LABELS} are allowed")
    return labels


def _credential(value: object) -> str | Mapping[str, str]:
    """A directory to mount it at, or which of its keys becomes which variable."""
    if isinstance(value, str):
        return _no_nul(_not_empty(value))
    if not isinstance(value, dict) or not value:
        raise ValueError(f"must be a directory, or a mapping of variables to the credential's keys, not {kind(value)}")
    for name, key in value.items():
        _variable_name(name)
        if not isinstance(key, str) or not key:
            raise ValueError(f"{name}: must be the name of one of the credential's keys, not {kind(key)}")
    return dict(value)


Name = Annotated[str, AfterValidator(_name)]
TaskName = Annotated[Name, AfterValidator(_task_name)]
Text = Annotated[str, AfterValidator(_no_nul), AfterValidator(_not_empty)]
Argument = Annotated[str, BeforeValidator(_argument, json_schema_input_type=str | int | float), AfterValidator(_no_nul)]
VariableName = Annotated[str, AfterValidator(_variable_name)]
Variable = Annotated[
    str, BeforeValidator(_variable, json_schema_input_type=str | int | float | bool), AfterValidator(_no_nul)
]
Flag = Annotated[bool, BeforeValidator(_flag, json_schema_input_type=bool | str)]
Count = Annotated[int, BeforeValidator(_count, json_schema_input_type=int | str)]
Duration = Annotated[float, BeforeValidator(duration.seconds, json_schema_input_type=str | int | float)]
Bytes = Annotated[int, BeforeValidator(quantity.size, json_schema_input_type=str | int | float)]
Url = Annotated[Text, AfterValidator(_url)]
Regex = Annotated[str, AfterValidator(_regex)]
TaskOfARun = Annotated[Text, AfterValidator(_task_of_a_run)]
Mount = Annotated[Text, AfterValidator(_mount)]
Download = Annotated[str, AfterValidator(_download)]
Requirement = Annotated[str, AfterValidator(_requirement)]
LabelName = Annotated[str, AfterValidator(_label_name)]
Label = Annotated[str, AfterValidator(_label)]
Labels = Annotated[Mapping[LabelName, Label], AfterValidator(_labels)]
Credential = Annotated[
    str | Mapping[str, str], PlainValidator(_credential, json_schema_input_type=str | Mapping[str, str])
]
