"""What of a spec is valid, whatever else is wrong with it: so that one mistake does not hide the next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from osmo.spec import graph
from osmo.spec.document import Document
from osmo.spec.graph import GROUPS, TASKS, GroupNode, TaskNode
from osmo.spec.problem import Field, Problem
from osmo.spec.rules import Parts
from osmo.spec.scalars import NAME, Variable, VariableName
from osmo.spec.source import local_file
from osmo.spec.task import CheckpointSpec, File, Input, Task
from osmo.spec.workflow import Workflow

_ENVIRONMENT: Final = TypeAdapter(dict[VariableName, Variable])
_Valid = TypeVar("_Valid", File, CheckpointSpec, Input)


@dataclass(slots=True)
class Salvage:
    """The valid parts of all tasks, and the groups that they are in. `problems`: the files that cannot be used."""

    groups: list[GroupNode] = field(default_factory=list)
    tasks: list[Parts] = field(default_factory=list)
    files: dict[Field, File] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def with_local_files(self, workflow: Workflow, document: Document) -> Workflow:
        """A workflow without problems, with the contents of the files that it names."""
        fields = {
            task.name: where for task, (where, _) in zip(workflow.tasks, graph.task_fields(document), strict=True)
        }

        def change(task: Task) -> Task:
            where = fields[task.name]
            files = tuple(self.files[*where, "files", position] for position in range(len(task.files)))
            return task.model_copy(update={"files": files})

        return workflow.change_tasks(change)


def salvage(document: Document, directory: Path, variables: Mapping[str, str]) -> Salvage:
    """The valid parts of a document; `localpath` begins at `directory`. variables: more of them for every task."""
    saved = Salvage()
    for where, group in document.items(GROUPS):
        nodes = [_node(document, *item) for item in document.items((*where, "tasks"))]
        saved.groups.append(GroupNode(where, _text(group, "name"), nodes))
    for where, task in document.items(TASKS):
        saved.groups.append(GroupNode(where, _text(task, "name"), [_node(document, where, task)], bare=True))
    for where, task in graph.task_fields(document):
        if not isinstance(task, dict):
            continue
        name = _text(task, "name")
        if name is None or not NAME.fullmatch(name):
            name = f"task-{len(saved.tasks)}"
        files = _files(saved, document, where, directory)
        try:
            environment = {**_ENVIRONMENT.validate_python(task.get("environment", {})), **variables}
        except ValidationError:
            continue  # without it nobody can say where its paths lie
        checkpoint = _valid(document, (*where, "checkpoint"), CheckpointSpec.model_validate)
        has_image = task.get("image") is not None
        saved.tasks.append(Parts(where, name, environment, files, checkpoint, has_image))
    return saved


def _node(document: Document, where: Field, task: object) -> TaskNode:
    inputs = _valid(document, (*where, "inputs"), Input.model_validate)
    count = len(document.items((*where, "inputs")))
    lead = isinstance(task, dict) and task.get("lead") is not None and _leads(task["lead"])
    return TaskNode(where, _text(task, "name"), lead, inputs, count)


def _leads(value: object) -> bool:
    try:
        return Task.model_validate({"name": "a", "lead": value}).lead
    except ValidationError:
        return False


def _text(value: object, name: str) -> str | None:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _valid(document: Document, where: Field, validate: Callable[[object], _Valid]) -> dict[int, _Valid]:
    """The valid items of a list, by their number."""
    valid = {}
    for field_of_item, value in document.items(where):
        try:
            valid[int(field_of_item[-1])] = validate(value)
        except ValidationError:
            continue
    return valid


def _files(saved: Salvage, document: Document, task: Field, directory: Path) -> dict[int, File]:
    valid = _valid(document, (*task, "files"), File.model_validate)
    for number, file in valid.items():
        source = "contents" if file.localpath is None else "localpath"
        try:
            file = _readable(file, directory)
        except ValueError as error:
            saved.problems.append(Problem((*task, "files", number, source), str(error)))
        saved.files[*task, "files", number] = valid[number] = file
    return valid


def _readable(file: File, directory: Path) -> File:
    """The file with its contents. Raises `ValueError` if there are none that can be written."""
    if file.localpath is not None:
        file = local_file(file, directory)
    _ = file.data
    return file
