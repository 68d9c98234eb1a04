"""Regular expressions that may take forever."""

import re
from collections.abc import Iterator
from typing import Any


def repeats_in_repeats(text: str) -> bool:
    """Whether a repeat without an end holds another one, such as `(a+)+`.

    On a name that nearly matches, Python tries every way to share the letters between the two: twice as long for each
    further letter. Some such expressions are harmless; nobody can tell cheaply which.
    """
    # The parser is private to `re`, and the only one that reads what `re` reads.
    parser: Any = re._parser  # type: ignore[attr-defined]
    return any(_endless_within(body) for body in _endless(parser.parse(text)))


def _endless_within(tokens: Any) -> bool:
    return next(_endless(tokens), None) is not None


def _endless(tokens: Any) -> Iterator[Any]:
    """The bodies of all repeats without an end, at any depth."""
    for operation, argument in tokens:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT") and argument[1] is _ENDLESS:
            yield argument[2]
        for part in _parts(argument):
            yield from _endless(part)


def _parts(argument: Any) -> Iterator[Any]:
    """The expressions that an operation holds."""
    if hasattr(argument, "data"):  # a parsed expression
        yield argument
    elif isinstance(argument, tuple | list):
        for each in argument:
            yield from _parts(each)


_ENDLESS = re._constants.MAXREPEAT  # type: ignore[attr-defined]
