import pytest

from osmo.spec import tokens
from osmo.spec.task import Task

VALUES = {
    "output": "/run/data",
    "workflow_id": "train-7",
    "input:0": "/in/0",
    "input:my-task": "/in/1",
    "host:a": "127.0.0.1",
}


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("", ""),
        ("plain {output} $HOME %d", "plain {output} $HOME %d"),
        ("{{output}}", "/run/data"),
        ("a{{output}}/{{workflow_id}}/{{workflow_id}}", "a/run/data/train-7/train-7"),
        ("{{ output }}{{\toutput}}{{output }}", "/run/data/run/data/run/data"),
        ("{{ output\n}}", "{{ output\n}}"),
        ("{{input:0}} {{input:my-task}} {{ host:a }}", "/in/0 /in/1 127.0.0.1"),
        ("{{input:1}}", "{{input:1}}"),
        ("{{other}}", "{{other}}"),
    ],
)
def test_tokens_become_values(text: str, resolved: str) -> None:
    assert tokens.substitute(text, VALUES) == resolved


def test_a_value_is_not_looked_into_again() -> None:
    assert tokens.substitute("{{output}}", {"output": "{{workflow_id}}"}) == "{{workflow_id}}"


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
                "inputs": [{"url": f"s3://b/{run}", "regex": run}, {"task": "b"}],
                "outputs": [{"url": f"s3://b/{run}", "regex": run}],
            }
        )

    assert tokens.resolve(task("{{output}}", "{{workflow_id}}"), VALUES) == task("/run/data", "train-7")


def test_what_the_tokens_of_a_task_stand_for() -> None:
    task = Task.model_validate({"name": "a", "inputs": [{"task": "b"}, {"url": "s3://b"}, {"task": "old-1:b"}]})
    assert tokens.values(
        task, output="/o", inputs=["/0", "/1", "/2"], hosts={"a": "here", "c": "there"}, workflow_id="w-1", uuid="u"
    ) == {
        "output": "/o",
        "workflow_id": "w-1",
        "uuid": "u",
        "input:0": "/0",
        "input:b": "/0",
        "input:1": "/1",
        "input:2": "/2",
        "input:old-1:b": "/2",
        "host:a": "here",
        "host:c": "there",
    }
