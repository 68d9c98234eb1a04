from pathlib import Path

import pytest

from osmo.spec.load import load
from osmo.spec.workflow import Workflow

SPEC = """\
workflow:
  name: w
  pool: gpus
  labels: {team: vision, example.com/run: "1"}
  timeout: {exec_timeout: 2h, queue_timeout: 30}
  resources: {big: {cpu: 8, gpu: "1", memory: 16Gi, storage: 1T}}
  groups:
  - name: make
    tasks:
    - {name: left, resource: big}
  - name: both
    barrier: false
    ignoreNonleadStatus: false
    tasks:
    - {name: one, inputs: [{task: left}, {task: "old-1:left"}]}
    - {name: two, lead: true, exitActions: {COMPLETE: 0, reschedule: "1-9,16"}}
  - name: end
    tasks:
    - {name: last, inputs: [{task: two}, {url: "s3://b/x"}, {task: left}]}
"""


@pytest.fixture(scope="module")
def workflow() -> Workflow:
    return load(Path("w.yaml"), SPEC)


def test_groups_know_which_groups_they_wait_for(workflow: Workflow) -> None:
    assert {group.name: group.upstream for group in workflow.groups} == {
        "make": (),
        "both": ("make",),
        "end": ("make", "both"),
    }


def test_each_group_has_a_lead(workflow: Workflow) -> None:
    assert [group.lead.name for group in workflow.groups] == ["left", "two", "last"]
    assert [task.lead for task in workflow.tasks] == [True, False, True, True]


def test_bare_tasks_are_groups_of_one() -> None:
    text = "workflow: {name: w, tasks: [{name: a}, {name: b, lead: false, inputs: [{task: a}]}]}"
    workflow = load(Path("w.yaml"), text)
    assert [(group.name, group.lead.name, group.upstream) for group in workflow.groups] == [
        ("a-group", "a", ()),
        ("b-group", "b", ("a-group",)),
    ]
    assert (workflow.exec_timeout_s, workflow.queue_timeout_s) == (None, None)


def test_what_holds_for_the_whole_workflow(workflow: Workflow) -> None:
    assert (workflow.pool, workflow.exec_timeout_s, workflow.queue_timeout_s) == ("gpus", 7200.0, 30.0)
    assert workflow.labels == {"team": "vision", "example.com/run": "1"}
    both = workflow.group("both")
    assert (both.barrier, both.ignore_nonlead_status) == (False, False)
    make = workflow.group("make")
    assert (make.barrier, make.ignore_nonlead_status) == (True, True)


def test_tasks_and_their_resources_are_found_by_name(workflow: Workflow) -> None:
    left = workflow.task("left")
    asked = workflow.resource(left)
    assert (asked.cpu, asked.gpu, asked.memory, asked.storage) == (8, 1, 16 * 1024**3, 1024**4)
    assert workflow.resource(workflow.task("one")).cpu is None
    assert workflow.group_of("two").name == "both"
    with pytest.raises(KeyError):
        workflow.task("nobody")


def test_exit_actions_are_ranges(workflow: Workflow) -> None:
    assert dict(workflow.task("two").exit_actions) == {"COMPLETE": ((0, 0),), "RESCHEDULE": ((1, 9), (16, 16))}


def test_an_input_of_another_run(workflow: Workflow) -> None:
    first, second = workflow.task("one").inputs
    assert (first.run, first.source, first.names) == (None, "left", ("left",))
    assert (second.run, second.source, second.names) == ("old-1", "left", ("old-1:left", "left"))


def test_tasks_change_in_their_groups(workflow: Workflow) -> None:
    changed = workflow.change_tasks(lambda task: task.model_copy(update={"image": "x"}))
    assert {task.image for group in changed.groups for task in group.tasks} == {"x"}
    assert [task.name for task in changed.tasks] == [task.name for task in workflow.tasks]


def test_labels_are_added(workflow: Workflow) -> None:
    assert workflow.with_labels({"team": "x", "new": "y"}).labels == {"team": "x", "example.com/run": "1", "new": "y"}
