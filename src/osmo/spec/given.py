"""What the command line says of a spec: `--set`, `--set-string` and `--set-env`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from osmo.errors import UsageError
from osmo.spec import tokens
from osmo.spec.problem import one_line, shown
from osmo.spec.scalars import VARIABLE_NAME

_NO_SUCH: Final = "write NAME=VALUE; the spec stands before it"


@dataclass(frozen=True, slots=True)
class Given:
    """values: variables of the template. environment: variables of every task. warnings: what the user should know."""

    values: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def given(sets: Iterable[str] = (), strings: Iterable[str] = (), variables: Iterable[str] = ()) -> Given:
    """From the words behind the options, `lr=0.1`. Later ones win, and `--set-string` over `--set`.

    As on OSMO a value of `--set` is a whole number if it can be read as one, else a number, else text. Raises
    `UsageError`.
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
    return Given(values, environment, tuple(changed))


def _template_variable(option: str, word: str) -> tuple[str, str]:
    name, text = _split(option, word)
    if name in tokens.PLAIN:
        raise UsageError(f"{option}: {{{{{name}}}}} is one of osmo's own and cannot be set")
    if not name.isidentifier():
        raise UsageError(one_line(f"{option}: {shown(name)} cannot be the name of a template's variable"))
    return name, text


def _environment_variable(word: str) -> tuple[str, str]:
    name, text = _split("--set-env", word)
    if not VARIABLE_NAME.fullmatch(name):
        raise UsageError(one_line(f"--set-env: {shown(name)} cannot be the name of an environment variable"))
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
