import json

import pytest

from osmo.agent.config import FileSpec, Limits, TaskConfig
from osmo.errors import RunDirectoryError
from osmo.spec.checkpoint import CheckpointEntry

ONE = CheckpointEntry("/a", "s3://b", 10.0, "x")
CONFIG = TaskConfig(
    run_id="train-1",
    run="uuid",
    task="train",
    attempt=0,
    command=("python", "train.py"),
    environment={"A": "1"},
    cwd="/",
    files=(FileSpec("/f", "eA==", False),),
    entries=(ONE,),
    limits=Limits(600.0, 30.0, 2.0, live=("*.csv",)),
    notes=("a note",),
)


def test_a_config_comes_back_from_its_record_through_json() -> None:
    assert TaskConfig.read(json.loads(json.dumps(CONFIG.record()))) == CONFIG


@pytest.mark.parametrize("record", [None, {}, {**CONFIG.record(), "format": 2}])
def test_a_record_of_another_version_is_refused(record: dict | None) -> None:
    with pytest.raises(RunDirectoryError, match="another version"):
        TaskConfig.read(record)


def test_a_record_from_before_there_were_further_live_files_is_read() -> None:
    record = json.loads(json.dumps(CONFIG.record()))
    del record["limits"]["live"]
    assert TaskConfig.read(record).limits.live == ()


def test_entries_of_one_path_and_url_are_one_stream() -> None:
    other_regex = CheckpointEntry("/a", "s3://b", 20.0, "y")
    other_url = CheckpointEntry("/a", "s3://c", 20.0, "y")
    other_path = CheckpointEntry("/a/*", "s3://b", 20.0, "y")
    from dataclasses import replace

    config = replace(CONFIG, entries=(ONE, other_url, other_path, other_regex))
    assert config.streams == ((ONE, other_regex), (other_url,), (other_path,))
