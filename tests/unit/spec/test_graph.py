import textwrap
from pathlib import Path

import pytest

from osmo.spec import graph
from osmo.spec.document import parse
from osmo.spec.problem import field_name
from osmo.spec.salvage import salvage


def found(text: str) -> list[str]:
    document = parse(f"workflow:\n{textwrap.indent(textwrap.dedent(text), '  ')}")
    problems = graph.problems(salvage(document, Path("/nowhere"), {}).groups, document)
    return [f"{field_name(problem.field).removeprefix('workflow.')}: {problem.text}" for problem in problems]


def test_nothing_is_wrong_with_a_graph() -> None:
    assert (
        found("""\
        groups:
        - name: make
          tasks:
          - {name: left, lead: true, command: ["{{host:right}}", "{{ host:left }}"]}
          - {name: right}
        - name: use
          tasks:
          - name: reader
            inputs: [{task: left}, {url: "s3://b"}, {task: right}, {task: "old-3:left"}]
            command: ["{{input:0}}", "{{ input:1 }}", "{{input:3}}", "{{input:right}}", "{{input:old-3:left}}"]
        - name: end
          tasks: [{name: last, inputs: [{task: reader}, {task: left}]}]
        """)
        == []
    )


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        # names
        (
            "tasks: [{name: x}, {name: y_1}, {name: x}, {name: Y-1}]",
            [
                "tasks[2].name: another task is named 'x'",
                "tasks[3].name: another task is named 'y_1', which OSMO takes for the same as 'Y-1'",
            ],
        ),
        (
            "groups: [{name: x, tasks: [{name: X}]}, {name: x, tasks: [{name: y}]}]",
            [
                "groups[0].tasks[0].name: another group is named 'x', which OSMO takes for the same as 'X'",
                "groups[1].name: another group is named 'x'",
            ],
        ),
        (
            "tasks: [{name: a}, {name: a-group}]",
            ["tasks[0].name: the task 'a-group' has the name of this task's own group: choose another name"],
        ),
        # leads
        (
            "groups: [{name: g, tasks: [{name: a}, {name: b}]}]",
            ["groups[0].tasks: one of these tasks must say lead: true: its end is the group's end"],
        ),
        (
            "groups: [{name: g, tasks: [{name: a, lead: true}, {name: b, lead: 'yes'}]}]",
            ["groups[0].tasks[1].lead: 'a' leads this group already: a group has one lead"],
        ),
        # who reads from whom
        (
            "tasks: [{name: train}, {name: b, inputs: [{task: trian}]}]",
            ["tasks[1].inputs[0].task: there is no task 'trian' (did you mean 'train'?)"],
        ),
        (
            "tasks: [{name: a, inputs: [{task: zzz}]}]",
            ["tasks[0].inputs[0].task: there is no task 'zzz' (known: a)"],
        ),
        (
            "tasks: [{name: a, inputs: [{task: a}]}]",
            [
                "tasks[0].inputs[0].task: a task cannot read its own output as an input: {{output}} is where it writes",
            ],
        ),
        (
            "groups: [{name: g, tasks: [{name: a, lead: true}, {name: b, inputs: [{task: a}]}]}]",
            [
                (
                    "groups[0].tasks[1].inputs[0].task: 'a' is in the same group and runs at the same time: it has no "
                    "output yet"
                ),
            ],
        ),
        (
            "tasks: [{name: b, inputs: [{task: a}]}, {name: a}]",
            [
                (
                    "tasks[0].inputs[0].task: 'a' is written below: OSMO reads groups in order, so what is needed has "
                    "to come first"
                ),
            ],
        ),
        (
            "tasks: [{name: a, inputs: [{task: c}]}, {name: b, inputs: [{task: a}]}, {name: c, inputs: [{task: b}]}]",
            ["tasks[0].inputs[0].task: waits for itself: a → c → b → a"],
        ),
        # resources
        (
            "{resources: {large: {}}, tasks: [{name: a, resource: lagre}, {name: b, resource: default}]}",
            ["tasks[0].resource: there is no resource 'lagre' (did you mean 'large'?)"],
        ),
        (
            "tasks: [{name: a, resource: big}]",
            ["tasks[0].resource: there is no resource 'big' (known: default)"],
        ),
        # tokens
        (
            "tasks: [{name: a, command: ['{{input:0}}']}]",
            ["tasks[0].command[0]: {{input:0}}: this task has no such input (it has none)"],
        ),
        (
            "tasks: [{name: a, inputs: [{url: 's3://b'}], environment: {A: '{{ input:1 }}'}}]",
            ["tasks[0].environment.A: {{input:1}}: this task has no such input (it has {{input:0}})"],
        ),
        (
            "tasks: [{name: a, inputs: [{url: 's3://b'}, {url: 's3://c'}], command: ['{{input:b}}']}]",
            ["tasks[0].command[0]: {{input:b}}: this task has no such input (it has {{input:0}} to {{input:1}})"],
        ),
        (
            "tasks: [{name: a, checkpoint: [{path: '{{host:b}}'}]}, {name: b}]",
            ["tasks[0].checkpoint[0].path: {{host:b}}: there is no task 'b' in its group"],
        ),
    ],
)
def test_what_is_wrong_between_tasks(text: str, problems: list[str]) -> None:
    assert found(text) == problems
