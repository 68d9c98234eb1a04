import pytest

from osmo.errors import SpecError
from osmo.spec.checkpoint import CheckpointEntry
from osmo.spec.place import Place, entries, files, located
from osmo.spec.task import Task

PLACE = Place({"HOME": "/home/me", "DATA": "/data", "EMPTY": "", "TILDE": "~/x"}, "/proj", "/home/me/osmo")


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/a/ckpt", "/a/ckpt"),
        ("/a/ckpt/", "/a/ckpt"),
        ("//a//ckpt", "/a/ckpt"),
        ("ckpt", "/proj/ckpt"),
        ("./ckpt/.", "/proj/ckpt"),
        ("../x", "/x"),
        ("/a/../../b", "/b"),
        ("/a/*", "/a/*"),
        ("/a/*/", "/a/*"),
        ("*", "/proj/*"),
        ("/a/*.pt", "/a/*.pt"),
        ("/a/x?/y", "/a/x?/y"),
        ("~", "/home/me"),
        ("~/ckpt", "/home/me/ckpt"),
        ("/a/~", "/a/~"),
        ("$DATA/ckpt", "/data/ckpt"),
        ("${DATA}2/ckpt", "/data2/ckpt"),
        ("~/$OWN/$OWN", "/home/me/own/own"),
        ("/a$EMPTY/b", "/a/b"),
        ("$TILDE", "/proj/~/x"),
        ("/cost$", "/cost$"),
        ("/cost$5", "/cost$5"),
        ("/with space/ü", "/with space/ü"),
    ],
)
def test_a_path_is_where_the_task_would_see_it(path: str, where: str) -> None:
    assert located(path, {"OWN": "own"}, PLACE) == where


def test_the_task_s_own_environment_wins() -> None:
    assert located("~/$DATA", {"HOME": "/other", "DATA": "x"}, PLACE) == "/other/x"


def test_a_value_is_not_expanded_again() -> None:
    assert located("$A", {"A": "/x/$DATA"}, PLACE) == "/x/$DATA"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "must not be empty"),
        (" ", "must not be empty"),
        ("$EMPTY", "'$EMPTY' is empty in the task's environment"),
        ("$NOPE/x", "'$NOPE/x': the variable NOPE is not set"),
        ("/a/${NOPE}", "'/a/${NOPE}': the variable NOPE is not set"),
        ("${DATA:-/x}", "'${DATA:-/x}': only ~, $VAR and ${VAR} are expanded"),
        ("$(pwd)/x", "'$(pwd)/x': only ~, $VAR and ${VAR} are expanded"),
        ("~you/x", "'~you/x': only ~ and ~/ are expanded, not another user's home"),
    ],
)
def test_a_path_that_cannot_be_placed_says_why(path: str, message: str) -> None:
    with pytest.raises(ValueError, match="expanded|empty|set") as error:
        located(path, {}, PLACE)
    assert str(error.value) == message


def test_without_a_home_there_is_no_tilde() -> None:
    with pytest.raises(ValueError, match="the variable HOME is not set"):
        located("~/x", {}, Place({}, "/proj", "/osmo"))


TASK = Task.model_validate(
    {
        "name": "a",
        "environment": {"SUB": "deep"},
        "files": [{"path": "run.sh", "contents": "exit"}, {"path": "~/b", "contents": "AAE=", "base64": True}],
        "checkpoint": [
            {"path": "$SUB/ckpt/", "url": "s3://b/x/", "frequency": "1h30m", "regex": ".*.json"},
            {"path": "~/logs/*", "url": "file:///s", "frequency": 30},
        ],
    }
)


def test_entries_are_plain_values_in_the_order_of_the_spec() -> None:
    assert entries(TASK, PLACE) == (
        CheckpointEntry("/proj/deep/ckpt", "s3://b/x", 5400.0, ".*.json"),
        CheckpointEntry("/home/me/logs/*", "file:///s", 30.0),
    )


def test_files_have_absolute_paths_and_bytes() -> None:
    assert [(file.path, file.data) for file in files(TASK, PLACE)] == [
        ("/proj/run.sh", b"exit"),
        ("/home/me/b", b"\x00\x01"),
    ]


def test_what_cannot_be_placed_names_task_and_item() -> None:
    nowhere = Place({}, "/proj", "/osmo")
    with pytest.raises(SpecError, match=r"a: files\[1\]: '~/b': the variable HOME is not set"):
        files(TASK, nowhere)
    with pytest.raises(SpecError, match=r"a: checkpoint\[1\]: '~/logs/\*': the variable HOME is not set"):
        entries(TASK, nowhere)
