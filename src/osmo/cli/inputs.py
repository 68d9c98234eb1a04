"""What the tasks of a workflow read, and where it is."""

from collections.abc import Iterator
from pathlib import Path

from osmo.agent.config import InputSpec, OutputSpec
from osmo.cli.view import view
from osmo.errors import OsmoError, UsageError
from osmo.rundir.home import Home
from osmo.rundir.paths import RunDir
from osmo.spec import url
from osmo.spec.rules import SANDBOX_INPUT
from osmo.spec.task import Input, Task
from osmo.spec.workflow import Workflow
from osmo.states import State


def folders(task: Task, run: RunDir, home: Home) -> tuple[tuple[str, str], ...]:
    """Of each input of a task, where a sandbox sees it, and where it is."""
    return tuple(
        (f"{SANDBOX_INPUT}/{number}", _folder(number, source, task.name, run, home))
        for number, source in enumerate(task.inputs)
    )


def to_gather(task: Task, run: RunDir, home: Home) -> tuple[InputSpec, ...]:
    """The inputs that something has to be done for before the command starts. task: resolved."""
    return tuple(
        InputSpec(
            number,
            _own_folder(number, task.name, run),
            url=url.checked(source.url) if source.url else "",
            source="" if source.url else _left_by(source, run, home),
            regex=source.regex,
        )
        for number, source in enumerate(task.inputs)
        if _is_own(source)
    )


def to_send(task: Task) -> tuple[OutputSpec, ...]:
    """Where the output of a resolved task goes."""
    return tuple(OutputSpec(url.checked(output.url), output.regex) for output in task.outputs)


def asked(task: Task) -> Iterator[str]:
    """The urls of a resolved task's inputs and outputs that can be asked for before anything is started. A folder that
    is only read need not be one that can be written to."""
    yield from (
        source for each in task.inputs if each.url and not (source := url.checked(each.url)).startswith("file:")
    )
    yield from (output.url for output in to_send(task))


def of_earlier_runs(workflow: Workflow, home: Home) -> list[str]:
    """Raises UsageError for an input of a run that is not here, or has not ended. Returns what the user should know."""
    warnings = []
    for task in workflow.tasks:
        for number, source in enumerate(task.inputs):
            if source.run is None:
                continue
            where = f"{task.name}: inputs[{number}]: {source.task}"
            state = _state(home, source, where)
            if not state.settled:
                raise UsageError(f"{where} is {state}: its output is there when it has ended")
            if state is not State.COMPLETED:
                warnings.append(f"{where} is {state}: its output may not be complete")
    return warnings


def _state(home: Home, source: Input, where: str) -> State:
    """Raises UsageError if there is no such task."""
    try:
        run = view(home.run(source.run or ""))
    except OsmoError as error:
        raise UsageError(f"{where}: {error}", hint="`osmo workflow list` shows the runs of this machine.") from error
    if not run.is_here:
        raise UsageError(f"{where}: {source.run} ran on {run.host}, and its output is there")
    for task in run.tasks:
        if task.name == source.source:
            if not run.run.task_output(task.name).is_dir():
                raise UsageError(f"{where}: it has left no output on this machine")
            return task.state
    names = ", ".join(task.name for task in run.tasks)
    raise UsageError(f"{where}: {source.run} has no such task; it has {names}")


def _is_own(source: Input) -> bool:
    """Whether it is a folder of its own, and not the output of another task as it is."""
    return bool(source.url or source.regex)


def _folder(number: int, source: Input, task: str, run: RunDir, home: Home) -> str:
    return _own_folder(number, task, run) if _is_own(source) else _left_by(source, run, home)


def _own_folder(number: int, task: str, run: RunDir) -> str:
    return str(run.task_inputs(task) / str(number))


def _left_by(source: Input, run: RunDir, home: Home) -> str:
    """The output of the task that an input names."""
    owner = RunDir(Path(home.workflows, source.run)) if source.run else run
    return str(owner.task_output(source.source or ""))
