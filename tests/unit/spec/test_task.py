import pytest
from pydantic import ValidationError

from osmo.spec.scalars import canonical
from osmo.spec.task import File, Task
from osmo.spec.written import WrittenWorkflow


@pytest.mark.parametrize(
    ("written", "text"),
    [("x", "x"), (5, "5"), (1.5, "1.5"), (-1, "-1"), ("", "")],
)
def test_a_number_among_arguments_is_text(written: object, text: str) -> None:
    task = Task.model_validate({"name": "a", "command": ["x", written], "args": [written]})
    assert (task.command, task.args) == (("x", text), (text,))


@pytest.mark.parametrize(
    ("written", "text"),
    [("x", "x"), ("", ""), (5, "5"), (1.5, "1.5"), (True, "True"), (False, "False")],
)
def test_a_scalar_in_the_environment_is_text(written: object, text: str) -> None:
    assert Task.model_validate({"name": "a", "environment": {"A": written}}).environment == {"A": text}


def test_a_task_needs_no_more_than_a_name() -> None:
    task = Task.model_validate({"name": "a"})
    assert (task.image, task.command, task.args, task.files, task.checkpoint) == (None, (), (), (), ())
    assert dict(task.environment) == {}


def test_an_entry_keeps_one_checkpoint_and_restores_on_retry() -> None:
    entry = {"path": "/a", "url": "s3://b", "frequency": "1m"}
    task = Task.model_validate({"name": "a", "checkpoint": [entry, {**entry, "keep": 3, "restore": False}]})
    assert [(item.frequency, item.regex, item.keep, item.restore) for item in task.checkpoint] == [
        (60.0, "", 1, "retry"),
        (60.0, "", 3, False),
    ]


@pytest.mark.parametrize("name", ["a", "a1", "a-b_c", "A", "x" * 64])
def test_a_name(name: str) -> None:
    assert WrittenWorkflow.model_validate({"name": name, "tasks": []}).name == name


@pytest.mark.parametrize("name", ["", "1a", "-a", "a-", "a_", "a.b", "a b", "a\n", "ä", "x" * 65])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        WrittenWorkflow.model_validate({"name": name, "tasks": []})


def test_names_that_osmo_takes_for_the_same() -> None:
    assert canonical("My_Task") == canonical("my-task")


@pytest.mark.parametrize(
    "path", ["/a", "a", "~/a", "$X/a", "{{output}}/a", "/osmo/data/output/a", "/osmosis/a", "/a/{{workflow_id}}"]
)
def test_where_a_file_may_be(path: str) -> None:
    assert File.model_validate({"path": path, "contents": ""}).path == path


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ({"contents": ""}, b""),
        ({"contents": "ä\n"}, b"\xc3\xa4\n"),
        ({"contents": "AAE=", "base64": True}, b"\x00\x01"),
        ({"contents": "AA\n  E=\n", "base64": True}, b"\x00\x01"),
    ],
)
def test_what_a_file_holds(fields: dict[str, object], data: bytes) -> None:
    assert File.model_validate({"path": "/a", **fields}).data == data


@pytest.mark.parametrize("contents", ["###", "AAE", "ä"])
def test_contents_that_are_not_base64(contents: str) -> None:
    with pytest.raises(ValueError, match="is not base64"):
        _ = File.model_validate({"path": "/a", "contents": contents, "base64": True}).data


def test_a_spec_does_not_change() -> None:
    with pytest.raises(ValidationError):
        Task.model_validate({"name": "a"}).name = "b"


def test_args_without_a_command_are_refused() -> None:
    with pytest.raises(ValidationError, match="has args and no command"):
        Task.model_validate({"name": "t", "args": ["x"]})
