"""What a spec may say, but nothing here does yet."""

from pathlib import Path

from osmo.errors import SpecError
from osmo.spec.problem import one_line
from osmo.spec.workflow import Workflow


def refuse_what_does_not_run_yet(spec: Path, workflow: Workflow) -> None:
    """Raises `SpecError` for a workflow that needs what there is not, rather than run something else."""
    found = {
        "inputs from urls": any(source.url for task in workflow.tasks for source in task.inputs),
        "inputs from other workflows": any(source.run for task in workflow.tasks for source in task.inputs),
        "a regex of inputs": any(source.regex for task in workflow.tasks for source in task.inputs),
        "outputs": any(task.outputs for task in workflow.tasks),
    }
    if names := [name for name, is_there in found.items() if is_there]:
        raise SpecError((one_line(f"{spec}: cannot be run yet, though it is valid: {', '.join(names)}"),))
