"""From the file that a person wrote to a workflow that can run: all that is wrong with it at once, in file order."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from osmo.errors import SpecError
from osmo.spec import bounded, graph, rules, wording, workflow
from osmo.spec.document import Document, DocumentError, parse
from osmo.spec.graph import GROUPS, TASKS
from osmo.spec.misread import misread
from osmo.spec.place import Place
from osmo.spec.prepared import Prepared, Render, prepare
from osmo.spec.problem import Problem, one_line, shown
from osmo.spec.salvage import salvage
from osmo.spec.scalars import MOST_LABELS
from osmo.spec.task import with_environment
from osmo.spec.unapplied import unapplied
from osmo.spec.workflow import Workflow
from osmo.spec.written import SpecFile, WrittenWorkflow


@dataclass(frozen=True, slots=True)
class Checked:
    """A workflow that can run, the text it was read from, and what its author should know, one line each.

    template: what the text was rendered from; None if it was none.
    """

    workflow: Workflow
    text: str
    warnings: tuple[str, ...]
    template: str | None = None


def load(path: Path, text: str | None = None, render: Render = bounded.render) -> Workflow:
    """The workflow in a spec file, or in `text` if that is given (`path` then is its name).

    Raises `SpecError` with every problem there is: `train.yaml:14:9: workflow.tasks[0].name: ...`. Files that
    `localpath` names are read, beginning at the spec's directory, and are `contents` in the result. What depends on the
    place where tasks run is left to `check`. render: what renders a template.
    """
    return _check(prepare(path, None, text, render), None).workflow


def check(spec: Prepared, place: Place) -> Checked:
    """The same, with all rules for tasks that will run in `place`. What it accepts, `osmo.spec.place` can place."""
    return _check(spec, place)


def _check(spec: Prepared, place: Place | None) -> Checked:
    path = spec.path
    try:
        document = parse(spec.text)
    except DocumentError as error:
        where = "".join(f":{number}" for number in error.position or ())
        raise SpecError((one_line(f"{spec.name}{where}: {error}"),), hint=spec.hint) from error
    written, problems = _validated(document)
    saved = salvage(document, path.parent, spec.environment)
    problems += [*saved.problems, *graph.problems(saved.groups, document)]
    warnings = [*document.warnings, *misread(document), *unapplied(document)]
    if place is not None:
        found = rules.findings(written.name if written else "workflow", saved.tasks, place)
        problems += found.problems
        warnings += found.warnings
    if written is None or problems:
        raise SpecError(_lines(document, spec.name, problems), hint=spec.hint)
    made = saved.with_local_files(workflow.of(written), document)
    made = made.change_tasks(lambda task: with_environment(task, spec.environment)).with_labels(spec.labels)
    if len(made.labels) > MOST_LABELS:
        raise SpecError((f"{spec.name}: has {len(made.labels)} labels with those of --label: at most {MOST_LABELS}",))
    return Checked(made, spec.text, (*spec.warnings, *_lines(document, spec.name, warnings)), spec.template)


def _validated(document: Document) -> tuple[WrittenWorkflow | None, list[Problem]]:
    """The workflow, or None, and what is wrong with values one by one."""
    problems = list(document.problems)
    if not isinstance(document.value, dict):
        text = f"a spec is a mapping that begins with `workflow:`, not {shown(document.value)}"
        return None, [*problems, Problem((), text)]
    problems += _shape(document)
    try:
        written = SpecFile.model_validate(document.value).workflow
    except ValidationError as error:
        return None, problems + _independent(problems, wording.problems(error, written=document.written))
    return written, problems


def _shape(document: Document) -> Iterable[Problem]:
    """A workflow has tasks or groups, and a group has tasks."""
    found = document.at(("workflow",))
    if not isinstance(found, dict):
        return
    tasks, groups = found.get("tasks"), found.get("groups")
    if tasks is not None and groups is not None:
        yield Problem(GROUPS, "is there besides tasks: a workflow has groups or tasks", at_key=True)
    elif tasks is None and groups is None:
        yield Problem(("workflow",), "needs tasks, or groups")
    elif tasks == []:
        yield Problem(TASKS, "needs at least one task")
    elif groups == []:
        yield Problem(GROUPS, "needs at least one group")
    for where, group in document.items(GROUPS):
        if isinstance(group, dict) and group.get("tasks") == []:
            yield Problem((*where, "tasks"), "needs at least one task")


def _independent(known: list[Problem], problems: Iterable[Problem]) -> list[Problem]:
    """Those that do not merely follow from others: a value that is wrong twice."""
    found = list(problems)
    explained = {problem.field for problem in known}
    return [problem for problem in found if problem.field not in explained]


def _lines(document: Document, name: str, problems: list[Problem]) -> tuple[str, ...]:
    ordered = sorted(problems, key=document.position)
    return tuple(dict.fromkeys(document.line(name, problem) for problem in ordered))
