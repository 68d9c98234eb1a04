from pathlib import Path

import pytest

from osmo.errors import SpecError
from osmo.spec.checkpoint import CheckpointEntry
from osmo.spec.entries import from_file, from_options
from osmo.spec.place import Place

SHAPE = "it holds a list of checkpoints, as `checkpoint:` of a task does"
PLACE = Place({"HOME": "/home/me", "DATA": "/data"}, "/proj", "/home/me/osmo")


def said(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "saves.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as refused:
        from_file(file, PLACE)
    return [line.removeprefix(f"{file}:") for line in refused.value.problems]


@pytest.mark.parametrize("lead", ["", "checkpoint:\n"])
def test_a_file_holds_entries_as_a_spec_does(tmp_path: Path, lead: str) -> None:
    file = tmp_path / "saves.yaml"
    file.write_text(
        f"{lead}- {{path: ckpt, url: 's3://b/x/', frequency: 10m}}\n"
        "- {path: $DATA/*, url: 's3://b', frequency: 100ms, regex: '.*a', keep: 3, restore: false}\n"
    )
    found = from_file(file, PLACE)
    assert found.entries == (
        CheckpointEntry("/proj/ckpt", "s3://b/x", 600.0),
        CheckpointEntry("/data/*", "s3://b", 0.1, ".*a", keep=3, restore=False),
    )
    assert len(found.warnings) == 1
    assert "every 0.1 s is often" in found.warnings[0]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [f" is empty: {SHAPE}"]),
        ("5", [f"1:1: 5 is not what it should be: {SHAPE}"]),
        (
            "checkpoint: x",
            [f"1:1: 'x' is not what it should be: {SHAPE}"],
        ),
        ("[]", [f"1:1: nothing is to be checkpointed: {SHAPE}"]),
        (
            "checkpoint: []\nworkflow: {}",
            [
                f"1:1: nothing is to be checkpointed: {SHAPE}",
                f"2:1: workflow: unknown field 'workflow': {SHAPE}",
            ],
        ),
        (
            "- {path: /a, url: 's3://b', frequncy: 1}",
            [
                "1:3: [0].frequency: is required, and missing",
                "1:29: [0].frequncy: unknown field 'frequncy' (did you mean 'frequency'?)",
            ],
        ),
        (
            "checkpoint:\n- {path: /a, url: 's3://b', frequency: 0}\n- x",
            [
                "2:40: checkpoint[0].frequency: 0 is not a duration: it must be longer than zero",
                "3:3: checkpoint[1]: must be a mapping, not text",
            ],
        ),
        (
            "- {path: /a, url: 's3://b', frequency: 1}\n- {path: /a, url: 's3://b', frequency: 2}",
            ["2:3: [1]: has the same path, url and regex as checkpoint[0]: one of them is enough"],
        ),
        (
            "- {path: '{{output}}', url: 's3://b', frequency: 1}",
            ["1:10: [0].path: '{{output}}': there is no workflow whose tokens could be put in"],
        ),
        ("- {path: $NO, url: 's3://b', frequency: 1}", ["1:10: [0].path: '$NO': the variable NO is not set"]),
    ],
)
def test_every_problem_of_a_file_is_told_where_it_is(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert [line.partition(" (accepted")[0] for line in said(tmp_path, text)] == lines


def test_options_are_an_entry_too() -> None:
    options = {"path": "~/ckpt", "url": "s3://b", "frequency": "10m", "regex": None, "keep": 2}
    assert from_options(options, PLACE).entries == (CheckpointEntry("/home/me/ckpt", "s3://b", 600.0, keep=2),)


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({}, [f"--{name}: is required, and missing" for name in ("path", "url", "frequency")]),
        ({"path": "/a", "url": "file:///a/b", "frequency": 1}, ["--url: 'file:///a/b' is inside the path '/a'"]),
        ({"path": "$NO", "url": "s3://b", "frequency": 1}, ["--path: '$NO': the variable NO is not set"]),
    ],
)
def test_what_is_wrong_with_options_is_told_by_their_names(options: dict[str, object], lines: list[str]) -> None:
    with pytest.raises(SpecError) as refused:
        from_options(options, PLACE)
    assert list(refused.value.problems) == lines


def test_a_folder_that_holds_runs_may_be_saved_where_there_is_no_run() -> None:
    assert from_options({"path": "/home", "url": "s3://b", "frequency": 1}, PLACE).entries[0].path == "/home"
