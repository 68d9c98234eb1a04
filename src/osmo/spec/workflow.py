"""A workflow that can run: groups of tasks, and which group waits for which."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from osmo.spec.task import Task
from osmo.spec.written import Resource, WrittenGroup, WrittenWorkflow


@dataclass(frozen=True, slots=True)
class Group:
    """Tasks that run at the same time; a bare task is a group of one, `<task>-group`.

    upstream: the groups whose output its tasks read, in the order of the spec.
    """

    name: str
    tasks: tuple[Task, ...]
    barrier: bool = True
    ignore_nonlead_status: bool = True
    upstream: tuple[str, ...] = ()

    @property
    def lead(self) -> Task:
        """The task whose end is the group's end."""
        return next(task for task in self.tasks if task.lead)


@dataclass(frozen=True)
class Workflow:
    """What a spec says. Timeouts are seconds, for each group; None: there is none.

    resources: by name; `default` is always there.
    """

    name: str
    groups: tuple[Group, ...]
    pool: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    exec_timeout_s: float | None = None
    queue_timeout_s: float | None = None
    resources: Mapping[str, Resource] = field(default_factory=dict)

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks, in the order of the spec."""
        return tuple(task for group in self.groups for task in group.tasks)

    def task(self, name: str) -> Task:
        """Raises `KeyError`."""
        return self._tasks[name]

    def group(self, name: str) -> Group:
        """Raises `KeyError`."""
        return self._groups[name]

    def group_of(self, task: str) -> Group:
        """The group that has this task. Raises `KeyError`."""
        return self._group_of[task]

    @cached_property
    def _tasks(self) -> Mapping[str, Task]:
        return {task.name: task for task in self.tasks}

    @cached_property
    def _groups(self) -> Mapping[str, Group]:
        return {group.name: group for group in self.groups}

    @cached_property
    def _group_of(self) -> Mapping[str, Group]:
        return {task.name: group for group in self.groups for task in group.tasks}

    def resource(self, task: Task) -> Resource:
        """What this task asks of a machine."""
        return self.resources[task.resource]

    def change_tasks(self, change: Callable[[Task], Task]) -> "Workflow":
        """The same workflow with other tasks. Names, inputs and leads are not to be changed."""
        groups = (replace(group, tasks=tuple(map(change, group.tasks))) for group in self.groups)
        return replace(self, groups=tuple(groups))

    def with_labels(self, more: Mapping[str, str]) -> "Workflow":
        """The same workflow with more labels, which win over its own."""
        return replace(self, labels={**self.labels, **more})


def of(written: WrittenWorkflow) -> Workflow:
    """The workflow that a spec without problems means."""
    groups = [_group(group) for group in written.groups or ()]
    groups += [Group(group_name(task.name), (_leading(task),)) for task in written.tasks or ()]
    where = {task.name: group.name for group in groups for task in group.tasks}
    order = {group.name: number for number, group in enumerate(groups)}
    return Workflow(
        name=written.name,
        groups=tuple(
            replace(group, upstream=tuple(sorted(_upstream(group, where), key=order.__getitem__))) for group in groups
        ),
        pool=written.pool or "",
        labels=written.labels,
        exec_timeout_s=written.timeout.exec_timeout,
        queue_timeout_s=written.timeout.queue_timeout,
        resources={"default": Resource(), **written.resources},
    )


def group_name(task: str) -> str:
    """The group of a task that is in no group of the spec's."""
    return f"{task}-group"


def _group(written: WrittenGroup) -> Group:
    tasks = tuple(map(_leading, written.tasks)) if len(written.tasks) == 1 else written.tasks
    return Group(written.name, tasks, written.barrier, written.ignore_nonlead_status)


def _leading(task: Task) -> Task:
    return task.model_copy(update={"lead": True})


def _upstream(group: Group, where: Mapping[str, str]) -> set[str]:
    read = [source.task for task in group.tasks for source in task.inputs if source.task is not None]
    return {where[task] for task in read if task in where}
