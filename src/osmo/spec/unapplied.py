"""Fields that are accepted because they mean something on a cluster, and change nothing here."""

from collections.abc import Iterator
from typing import Final

from osmo.spec import graph
from osmo.spec.document import Document
from osmo.spec.problem import Field, Problem

WORKFLOW: Final = ("pool", "backend")
RESOURCE: Final = ("storage", "platform", "nodesExcluded", "topology")
_NOTHING: Final[tuple[object, ...]] = (None, False, "", "false", [], {})
TASK: Final = (
    *("credentials", "volumeMounts", "privileged", "hostNetwork", "kpis", "cacheSize", "downloadType", "backend"),
    "resources",
)


def unapplied(document: Document) -> Iterator[Problem]:
    """One warning that names all fields which this spec sets and this backend does not apply."""
    found = list(_set(document))
    if found:
        names = ", ".join(dict.fromkeys(str(field[-1]) for field in found))
        warnings = [Problem(field, f"not applied on this machine: {names}", at_key=True) for field in found]
        yield min(warnings, key=document.position)


def _set(document: Document) -> Iterator[Field]:
    yield from _of(document, ("workflow",), WORKFLOW)
    resources = document.at(("workflow", "resources"))
    for name in resources if isinstance(resources, dict) else ():
        yield from _of(document, ("workflow", "resources", name), RESOURCE)
    for field, _ in graph.task_fields(document):
        yield from _of(document, field, TASK)


def _of(document: Document, where: Field, names: tuple[str, ...]) -> Iterator[Field]:
    values = document.at(where)
    for name in names:
        if isinstance(values, dict) and values.get(name) not in _NOTHING:
            yield (*where, name)
