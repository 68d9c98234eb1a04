import pytest

from osmo.spec import tokens
from osmo.spec.workflow import Task

VALUES = {"output": "/run/data", "workflow_id": "train-7"}


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("", ""),
        ("plain {output} $HOME %d", "plain {output} $HOME %d"),
        ("{{output}}", "/run/data"),
        ("a{{output}}/{{workflow_id}}/{{workflow_id}}", "a/run/data/train-7/train-7"),
        ("{{ output }}", "{{ output }}"),
        ("{{other}}", "{{other}}"),
    ],
)
def test_tokens_become_values(text: str, resolved: str) -> None:
    assert tokens.substitute(text, VALUES) == resolved


def test_a_value_is_not_looked_into_again() -> None:
    assert tokens.substitute("{{output}}", {"output": "{{workflow_id}}"}) == "{{workflow_id}}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", None),
        ("{{output}}/{{workflow_id}}", None),
        ("{output} } %} f'{x}'", None),
        ("{{ output }}", "'{{ output }}' is not supported yet: write {{output}} without spaces"),
        ("x {{input:0}} y", "template '{{input:0}}' is not supported yet, only {{output}} and {{workflow_id}} are"),
        ("{% if x %}", "template '{% if x %}' is not supported yet, only {{output}} and {{workflow_id}} are"),
        ("{# note #}", "template '{# note #}' is not supported yet, only {{output}} and {{workflow_id}} are"),
        ("{{", "template '{{' is not supported yet, only {{output}} and {{workflow_id}} are"),
        (
            "one\n{{output}}\n{{x}}\n",
            "template '{{x}}' is not supported yet, only {{output}} and {{workflow_id}} are (line 3 of the text)",
        ),
    ],
)
def test_any_other_template_is_not_supported_yet(text: str, problem: str | None) -> None:
    assert tokens.unsupported(text) == problem


def test_every_string_of_a_task_is_resolved_and_nothing_else() -> None:
    def task(output: str, run: str) -> Task:
        return Task.model_validate(
            {
                "name": "a",
                "image": f"registry/image:{run}",
                "command": ["bash", f"{output}/x"],
                "args": [run],
                "environment": {"OUT": output, "N": 1},
                "files": [
                    {"path": f"{output}/f", "contents": f"in {output}"},
                    {"path": "/b", "contents": "e3t9fQ==", "base64": True},
                ],
                "checkpoint": [{"path": f"{output}/c", "url": f"s3://b/{run}", "frequency": "1m", "regex": f"{run}.*"}],
            }
        )

    assert tokens.resolve(task("{{output}}", "{{workflow_id}}"), VALUES) == task("/run/data", "train-7")
