"""What the command line says of a spec: `--set`, `--set-string` and `--set-env`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import TypeAdapter, ValidationError

from osmo.errors import UsageError
from osmo.spec import tokens
from osmo.spec.problem import one_line, shown
from osmo.spec.scalars import VARIABLE_NAME, Labels

_LABELS: Final = TypeAdapter(Labels)
_NO_SUCH: Final = "write NAME=VALUE; the spec stands before it"


@dataclass(frozen=True, slots=True)
class Given:
    """values: variables of the template. environment: variables of every task. labels: of the workflow, over the spec's
    own. warnings: what the user should know."""

    values: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def given(
    sets: Iterable[str] = (), strings: Iterable[str] = (), variables: Iterable[str] = (), labels: Iterable[str] = ()
) -> Given:
    """From the words behind the options, `lr=0.1`. Later ones win, and `--set-string` over `--set`.

    As on OSMO a value of `--set` is a whole number if it can be read as one, else a number, else text; and a value for
    one of our own tokens is left out. Raises `UsageError`.
    """
    values: dict[str, object] = {}
    texts: dict[str, str] = {}
    for word in sets:
        name, text = _template_variable("--set", word)
        values[name], texts[name] = _number(text), text
    for word in strings:
        name, text = _template_variable("--set-string", word)
        values[name] = texts[name] = text
    environment = dict(_environment_variable(word) for word in variables)
    changed = [
        one_line(f"--set {name}={texts[name]} becomes {values[name]}: --set-string keeps it")
        for name in values
        if str(values[name]) != texts[name]
    ]
    own = [f"--set {reserved(name)}" for name in tokens.PLAIN if values.pop(name, None) is not None]
    return Given(values, environment, dict(_label(word) for word in labels), (*changed, *own))


def reserved(name: str) -> str:
    """Why a variable of this name is left out."""
    return f"{name}: {{{{{name}}}}} is one of osmo's own and stays what it is"


def _template_variable(option: str, word: str) -> tuple[str, str]:
    name, text = _split(option, word)
    if not name.isidentifier():
        raise UsageError(one_line(f"{option}: {shown(name)} cannot be the name of a template's variable"))
    return name, text


def _environment_variable(word: str) -> tuple[str, str]:
    name, text = _split("--set-env", word)
    if not VARIABLE_NAME.fullmatch(name):
        raise UsageError(one_line(f"--set-env: {shown(name)} cannot be the name of an environment variable"))
    return name, text


def _label(word: str) -> tuple[str, str]:
    name, text = _split("--label", word)
    try:
        _LABELS.validate_python({name: text})
    except ValidationError as error:
        raise UsageError(one_line(f"--label: {error.errors()[0]['ctx']['error']}")) from error
    return name, text


def _split(option: str, word: str) -> tuple[str, str]:
    name, separator, text = word.partition("=")
    if not separator:
        raise UsageError(one_line(f"{option}: {shown(word)} sets nothing: {_NO_SUCH}"))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(one_line(f"{option}: the value of {shown(name)} is not UTF-8 text")) from None
    return name, text


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
