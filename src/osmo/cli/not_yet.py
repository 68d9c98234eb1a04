"""What a spec may say, but nothing here does yet."""

from pathlib import Path

from osmo.errors import SpecError
from osmo.spec.problem import one_line
from osmo.spec.workflow import Workflow


def refuse_what_does_not_run_yet(spec: Path, workflow: Workflow) -> None:
    """Raises `SpecError` for a workflow that needs what there is not, rather than run something else."""
    found = {
        "groups of several tasks": any(len(group.tasks) > 1 for group in workflow.groups),
        "inputs": any(task.inputs for task in workflow.tasks),
        "outputs": any(task.outputs for task in workflow.tasks),
        "exitActions": any(task.exit_actions for task in workflow.tasks),
        "timeout": workflow.exec_timeout_s is not None or workflow.queue_timeout_s is not None,
    }
    if names := [name for name, is_there in found.items() if is_there]:
        raise SpecError((one_line(f"{spec}: cannot be run yet, though it is valid: {', '.join(names)}"),))
