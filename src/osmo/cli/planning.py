"""From a workflow to the plan that its supervisor follows."""

from collections.abc import Mapping
from dataclasses import replace

from osmo.backends.machine import capacity
from osmo.cli.settings import Settings
from osmo.errors import UsageError
from osmo.rundir.exits import ExitAction
from osmo.rundir.plan import Plan, PlannedGroup
from osmo.rundir.resources import Capacity, Resources
from osmo.spec.task import Task
from osmo.spec.workflow import Group, Workflow

_IGNORE = "ignore"


def planned(workflow: Workflow, environ: Mapping[str, str], settings: Settings) -> Plan:
    """What the supervisor of a run of it has to know.

    Raises UsageError for a setting that is none, and for a group that would wait for ever: it asks for more than this
    machine has.
    """
    ignored = _ignores_resources(settings)
    groups = tuple(_group(group, workflow, with_resources=not ignored) for group in workflow.groups)
    plan = Plan(groups, settings.seconds("retry_wait"))
    if not any(plan.asks_for):
        return plan
    asks_for_gpus = any(asked.gpu for asked in plan.asks_for)
    machine = capacity(environ, settings.values["gpus"].text, ask_for_gpus=asks_for_gpus)
    _refuse_the_impossible(plan, machine)
    return replace(plan, machine=machine)


def exit_actions(task: Task) -> tuple[ExitAction, ...]:
    """The task's exit actions, a range each."""
    return tuple(
        ExitAction(action, first, last) for action, ranges in task.exit_actions.items() for first, last in ranges
    )


def _refuse_the_impossible(plan: Plan, machine: Capacity) -> None:
    for group in plan.groups:
        total = sum(group.resources.values(), start=Resources())
        if not total.fits(machine.all):
            who = group.tasks[0] if len(group.tasks) == 1 else f"the group {group.name}"
            raise UsageError(
                f"{who} asks for {total}, and this machine has {machine.all}",
                hint="Ask for less, or set OSMO_RESOURCES=ignore to run it with what there is.",
            )


def _group(group: Group, workflow: Workflow, *, with_resources: bool) -> PlannedGroup:
    asked = {task.name: _resources(task, workflow) for task in group.tasks} if with_resources else {}
    return PlannedGroup(
        name=group.name,
        tasks=tuple(task.name for task in group.tasks),
        lead=group.lead.name,
        upstream=group.upstream,
        barrier=group.barrier,
        ignore_nonlead_status=group.ignore_nonlead_status,
        exec_timeout_s=workflow.exec_timeout_s,
        queue_timeout_s=workflow.queue_timeout_s,
        resources={name: each for name, each in asked.items() if each},
    )


def _resources(task: Task, workflow: Workflow) -> Resources:
    asked = workflow.resource(task)
    return Resources(float(asked.cpu or 0), asked.memory or 0, asked.gpu or 0)


def _ignores_resources(settings: Settings) -> bool:
    value = settings.values["resources"]
    if value.text not in ("wait", _IGNORE):
        raise UsageError(f"{value.source}: resources: {value.text!r} is not wait or ignore")
    return value.text == _IGNORE
