"""Numbers that YAML 1.1 does not hand on as they are written: `1.10` is 1.1, `010` is 8, `1:30` is 90."""

from collections.abc import Iterator

from osmo.spec import graph
from osmo.spec.document import Document
from osmo.spec.problem import Field, Problem, shown


def misread(document: Document) -> Iterator[Problem]:
    """A warning for each such number that ends up as text, or as seconds. OSMO hands on the same: it is no error."""
    for task_field, task in graph.task_fields(document):
        if not isinstance(task, dict):
            continue
        for name in ("command", "args"):
            for field, value in document.items((*task_field, name)):
                yield from changed(document, field, value)
        environment = task.get("environment")
        if isinstance(environment, dict):
            for name, value in environment.items():
                yield from changed(document, (*task_field, "environment", name), value)
        for field, entry in document.items((*task_field, "checkpoint")):
            if isinstance(entry, dict):
                yield from changed(document, (*field, "frequency"), entry.get("frequency"))


def changed(document: Document, field: Field, value: object) -> Iterator[Problem]:
    """The warning, if the value at this field is such a number."""
    written = document.written(field)
    if written is None or isinstance(value, bool) or not isinstance(value, int | float):
        return
    if written != str(value) and not (field[-1] == "frequency" and _means(written, value)):
        yield Problem(field, f"YAML reads {shown(written)[1:-1]} as {shown(value)}: put it in quotes to keep it")


def _means(written: str, value: float) -> bool:
    """Is this the number that a person would read there: `30.50`, not `010`."""
    try:
        return float(written) == value
    except ValueError:
        return False
