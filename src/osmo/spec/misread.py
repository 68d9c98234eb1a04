"""What YAML 1.1 does not hand on as it is written: `1.10` is 1.1, `010` is 8, `1:30` is 90, `no` is false."""

from collections.abc import Iterator
from typing import Final

from osmo.spec.document import Document
from osmo.spec.problem import Field, Problem, shown

# What becomes text again, so that `1.10` is not `1.1`; elsewhere they are the same number.
_TEXT: Final = frozenset({"command", "args", "environment", "default-values"})


def misread(document: Document) -> Iterator[Problem]:
    """A warning for each such value. OSMO hands on the same: it is no error."""
    for field, value in document.values():
        yield from changed(document, field, value)


def changed(document: Document, field: Field, value: object) -> Iterator[Problem]:
    """The warning, if the value at this field is such a value."""
    written = document.written(field)
    if written is None or not isinstance(value, int | float):
        return
    if isinstance(value, bool):
        lost = "environment" in field and written.lower() != str(value).lower()
    else:
        lost = written != str(value) and (bool(_TEXT & {*field}) or not _means(written, value))
    if lost:
        yield Problem(field, f"YAML reads {shown(written)[1:-1]} as {shown(value)}: put it in quotes to keep it")


def _means(written: str, value: float) -> bool:
    """Is this the number that a person would read there: `30.50`, not `010`."""
    try:
        return float(written) == value
    except ValueError:
        return False
