import json

from osmo.rundir.plan import Plan, PlannedGroup
from osmo.rundir.resources import Capacity, Resources


def test_a_plan_is_read_as_it_was_written() -> None:
    group = PlannedGroup(
        "g", ("a", "b"), "b", ("f-group",), False, False, 60.0, None, {"a": Resources(1.5, 2**30, 2), "b": Resources()}
    )
    plan = Plan((PlannedGroup.alone("f"), group), 0.5, Capacity(8.0, 2**40, ("0", "1")))
    assert Plan.read(json.loads(json.dumps({"plan": plan.record()}))) == plan
    assert Plan.read(json.loads(json.dumps({"plan": Plan((group,)).record()}))).machine is None


def test_tasks_of_a_run_without_a_plan_run_side_by_side() -> None:
    plan = Plan.read({"tasks": ["a", "b"]})
    assert [(group.tasks, group.upstream) for group in plan.groups] == [(("a",), ()), (("b",), ())]
