import pytest

from osmo.spec.document import parse
from osmo.spec.misread import misread


@pytest.mark.parametrize(
    ("field", "written", "read"),
    [
        ("args", "1.10", "1.1"),
        ("args", "010", "8"),
        ("command", "1_000", "1000"),
        ("command", ".inf", "inf"),
        ("environment", "0x10", "16"),
        ("environment", "1:30", "90"),
        ("environment", "no", "false"),
        ("environment", "On", "true"),
        ("frequency", "1:30", "90"),
        ("frequency", "010", "8"),
        ("exitActions", "010", "8"),
        ("exec_timeout", "1:30", "90"),
        ("memory", "1:30", "90"),
    ],
)
def test_a_value_that_yaml_changes(field: str, written: str, read: str) -> None:
    value = {"environment": f"{{A: {written}}}", "frequency": f"[{{frequency: {written}}}]"}.get(field, f"[{written}]")
    name = "checkpoint" if field == "frequency" else field
    problems = list(misread(parse(f"workflow: {{tasks: [{{{name}: {value}}}]}}")))
    assert [problem.text for problem in problems] == [f"YAML reads {written} as {read}: put it in quotes to keep it"]


@pytest.mark.parametrize(
    "task",
    [
        "args: [1, 1.5, -1, '1.10', true, x]",
        "environment: {A: 1, B: true, C: '010', D: 'no', E: True}",
        "lead: yes",
        "checkpoint: [{frequency: 30.50}, {frequency: 0.5}, {frequency: 30}, {frequency: '1:30'}, x]",
        "args: 5",
        "environment: x",
    ],
)
def test_other_values_are_left_alone(task: str) -> None:
    assert list(misread(parse(f"workflow: {{tasks: [{{{task}}}, x]}}"))) == []
