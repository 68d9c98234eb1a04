"""The rules of names, groups and data flow: which task is whose, and which group waits for which."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from osmo.spec import tokens
from osmo.spec.document import Document
from osmo.spec.problem import Field, Problem, shown
from osmo.spec.scalars import canonical
from osmo.spec.task import Input
from osmo.spec.workflow import group_name

TASKS: Final[Field] = ("workflow", "tasks")
GROUPS: Final[Field] = ("workflow", "groups")


@dataclass(frozen=True, slots=True)
class TaskNode:
    """What is valid of one task, as far as its place among the others goes. Names are as written, valid or not."""

    field: Field
    name: str | None
    lead: bool
    inputs: Mapping[int, Input]
    count: int
    """How many inputs there are, valid or not."""


@dataclass(frozen=True, slots=True)
class GroupNode:
    """A group; that of a bare task has the task's field."""

    field: Field
    name: str | None
    tasks: Sequence[TaskNode]
    bare: bool = False


def task_fields(document: Document) -> list[tuple[Field, object]]:
    """All tasks of a document, whatever they are, in the order of `Workflow.tasks`."""
    in_groups = [task for field, _ in document.items(GROUPS) for task in document.items((*field, "tasks"))]
    return in_groups + document.items(TASKS)


def problems(groups: Sequence[GroupNode], document: Document) -> Iterator[Problem]:
    """All that is wrong between tasks."""
    yield from _names(groups)
    yield from _leads(groups)
    yield from _inputs(groups)
    yield from _tokens(groups, document)
    yield from _resources(document)


def _names(groups: Sequence[GroupNode]) -> Iterator[Problem]:
    """OSMO takes `a_b` and `A-B` for the same name, of a task or a group."""
    first: dict[str, tuple[str, str]] = {}
    for kind, name, field in _named(groups):
        if canonical(name) in first:
            other_kind, other = first[canonical(name)]
            why = "" if other == name else f", which OSMO takes for the same as {shown(name)}"
            yield Problem((*field, "name"), f"another {other_kind} is named {shown(other)}{why}")
        else:
            first[canonical(name)] = kind, name
    for group in groups:
        if group.bare and group.name and canonical(group_name(group.name)) in first:
            kind, name = first[canonical(group_name(group.name))]
            text = f"the {kind} {shown(name)} has the name of this task's own group: choose another name"
            yield Problem((*group.field, "name"), text)


def _named(groups: Sequence[GroupNode]) -> Iterator[tuple[str, str, Field]]:
    for group in groups:
        if group.name is not None and not group.bare:
            yield "group", group.name, group.field
        for task in group.tasks:
            if task.name is not None:
                yield "task", task.name, task.field


def _leads(groups: Sequence[GroupNode]) -> Iterator[Problem]:
    for group in groups:
        leads = [task for task in group.tasks if task.lead]
        if len(group.tasks) > 1 and not leads:
            yield Problem((*group.field, "tasks"), "one of these tasks must say lead: true: its end is the group's end")
        for task in leads[1:]:
            text = f"{shown(leads[0].name)} leads this group already: a group has one lead"
            yield Problem((*task.field, "lead"), text)


def _inputs(groups: Sequence[GroupNode]) -> Iterator[Problem]:
    where = {task.name: number for number, group in enumerate(groups) for task in group.tasks if task.name}
    needs = [{where[name] for name in _wanted(group) if name in where} for group in groups]
    for number, group in enumerate(groups):
        for task in group.tasks:
            for position, source in task.inputs.items():
                if source.task is None or source.run is not None:
                    continue
                text = _input(number, task, source.task, groups, where, needs)
                if text:
                    yield Problem((*task.field, "inputs", position, "task"), text)


def _wanted(group: GroupNode) -> Iterator[str]:
    return (source.task for task in group.tasks for source in task.inputs.values() if source.task)


def _input(
    number: int, task: TaskNode, name: str, groups: Sequence[GroupNode], where: Mapping[str, int], needs: list[set[int]]
) -> str:
    """What is wrong with a task of group `number` that reads the output of the task `name`, or nothing."""
    if name not in where:
        near = difflib.get_close_matches(name, where, n=1, cutoff=0.5)
        return f"there is no task {shown(name)} ({_hint(near, where)})"
    if name == task.name:
        return "a task cannot read its own output as an input: {{output}} is where it writes"
    other = where[name]
    if other == number:
        return f"{shown(name)} is in the same group and runs at the same time: it has no output yet"
    if other < number:
        return ""
    if way := _way(other, number, needs):
        names = " → ".join(_said(groups[each]) for each in (number, *way))
        return f"waits for itself: {names}"
    return f"{shown(name)} is written below: OSMO reads groups in order, so what is needed has to come first"


def _way(start: int, goal: int, needs: list[set[int]]) -> list[int]:
    """How `start` needs `goal`, both included; empty if it does not."""
    ways = {start: [start]}
    queue = [start]
    for group in queue:
        for other in sorted(needs[group]):
            if other == goal:
                return [*ways[group], goal]
            if other not in ways:
                ways[other] = [*ways[group], other]
                queue.append(other)
    return []


def _said(group: GroupNode) -> str:
    return shown(group.name)[1:-1]


def _tokens(groups: Sequence[GroupNode], document: Document) -> Iterator[Problem]:
    """Inputs and hosts that a task has not."""
    tasks = {task.field: (task, group) for group in groups for task in group.tasks}
    for field, text in document.strings():
        task, group = tasks.get(field[:3]) or tasks.get(field[:5]) or (None, None)
        if task is None or group is None:
            continue
        for token in tokens.names(text):
            kind, _, name = token.partition(":")
            if kind == "input" and not _has_input(task, name):
                yield Problem(field, f"{{{{{token}}}}}: this task has no such input ({_inputs_of(task)})")
            elif kind == "host" and name not in (mate.name for mate in group.tasks):
                yield Problem(field, f"{{{{{token}}}}}: there is no task {shown(name)} in its group")


def _has_input(task: TaskNode, name: str) -> bool:
    if name.isdecimal():
        return name == str(int(name)) and int(name) < task.count
    return any(name in source.names for source in task.inputs.values())


def _resources(document: Document) -> Iterator[Problem]:
    """`default` is always there, empty if the spec says nothing of it."""
    written = document.at(("workflow", "resources"))
    known = {"default": 0, **(dict.fromkeys(written, 0) if isinstance(written, dict) else {})}
    for field, task in task_fields(document):
        name = task.get("resource") if isinstance(task, dict) else None
        if isinstance(name, str) and name.strip() and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            yield Problem((*field, "resource"), f"there is no resource {shown(name)} ({_hint(near, known)})")


def _inputs_of(task: TaskNode) -> str:
    if task.count == 0:
        return "it has none"
    return "it has {{input:0}}" if task.count == 1 else f"it has {{{{input:0}}}} to {{{{input:{task.count - 1}}}}}"


def _hint(near: Sequence[str], known: Mapping[str, int]) -> str:
    if near:
        return f"did you mean {near[0]!r}?"
    names = list(known)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"known: {', '.join(names[:5])}{more}"
