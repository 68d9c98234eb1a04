"""What of a spec is valid, whatever else is wrong with it: so that one mistake does not hide the next."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from osmo.spec import tokens
from osmo.spec.document import Document
from osmo.spec.problem import Field, Problem, shown
from osmo.spec.rules import Parts
from osmo.spec.source import local_file
from osmo.spec.workflow import NAME, TASKS, CheckpointSpec, File, Variable, VariableName, Workflow

_ENVIRONMENT: Final = TypeAdapter(dict[VariableName, Variable])


@dataclass(slots=True)
class Salvage:
    """The valid parts of all tasks. `names` holds those of tasks by field, `problems` the files that cannot be used."""

    names: dict[Field, str] = field(default_factory=dict)
    tasks: list[Parts] = field(default_factory=list)
    files: dict[Field, File] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def with_local_files(self, workflow: Workflow) -> Workflow:
        """A workflow without problems, with the contents of the files that it names."""
        tasks = []
        for number, task in enumerate(workflow.tasks):
            files = tuple(self.files[*TASKS, number, "files", position] for position in range(len(task.files)))
            tasks.append(task.model_copy(update={"files": files}))
        return workflow.model_copy(update={"tasks": tuple(tasks)})


def salvage(document: Document, directory: Path) -> Salvage:
    """The valid parts of a document; `localpath` begins at `directory`."""
    saved = Salvage()
    for where, task in document.items(TASKS):
        if not isinstance(task, dict):
            continue
        name = task.get("name")
        if isinstance(name, str):
            saved.names[*where, "name"] = name
        if not isinstance(name, str) or not NAME.fullmatch(name):
            name = f"task-{where[-1]}"
        files = _files(saved, document, where, directory)
        try:
            environment = _ENVIRONMENT.validate_python(task.get("environment", {}))
        except ValidationError:
            continue  # without it nobody can say where its paths lie
        saved.tasks.append(Parts(where, name, environment, files, _checkpoint(document, where)))
    return saved


def _checkpoint(document: Document, task: Field) -> dict[int, CheckpointSpec]:
    valid = {}
    for where, value in document.items((*task, "checkpoint")):
        try:
            valid[int(where[-1])] = CheckpointSpec.model_validate(value)
        except ValidationError:
            continue
    return valid


def _files(saved: Salvage, document: Document, task: Field, directory: Path) -> dict[int, File]:
    valid = {}
    for where, value in document.items((*task, "files")):
        try:
            file = File.model_validate(value)
        except ValidationError:
            continue
        source = "contents" if file.localpath is None else "localpath"
        try:
            file = _readable(file, directory)
        except ValueError as error:
            saved.problems.append(Problem((*where, source), str(error)))
        saved.files[where] = valid[int(where[-1])] = file
    return valid


def _readable(file: File, directory: Path) -> File:
    """The file with its contents. Raises `ValueError` if there are none that can be written."""
    if file.localpath is not None:
        file = local_file(file, directory)
        wrong = None if file.base64 else tokens.unsupported(file.contents or "")
        if wrong:
            raise ValueError(f"{shown(file.localpath)}: {wrong}")
    _ = file.data
    return file
