from pathlib import Path

import pytest

from osmo.checkpoint.source import Source
from osmo.spec.checkpoint import CheckpointEntry
from support.trees import grow


@pytest.mark.parametrize(
    ("path", "url", "want"),
    [
        ("ckpt", "s3://b/x", "aws s3 cp --recursive {root}/ckpt s3://b/x/ckpt/"),
        ("ckpt/*", "s3://b/x", "aws s3 cp --recursive {root}/ckpt s3://b/x/"),
        ("ckpt/a", "s3://b/x", "aws s3 cp {root}/ckpt/a s3://b/x/"),
        ("ckpt", "azure://a/c/x", "osmo data upload azure://a/c/x/ckpt '{root}/ckpt/*'"),
        ("ckpt/*", "gs://b/x", "osmo data upload gs://b/x '{root}/ckpt/*'"),
        ("ckpt/a", "gs://b/x", "osmo data upload gs://b/x {root}/ckpt/a"),
        ("ckpt", "file:///m y", "mkdir -p '/m y/ckpt' && cp -a {root}/ckpt/. '/m y/ckpt'"),
        ("ckpt/a", "file:///m", "mkdir -p /m && cp -a {root}/ckpt/a /m"),
    ],
)
def test_the_command_that_uploads_by_hand_brings_files_to_their_keys(
    tmp_path: Path, path: str, url: str, want: str
) -> None:
    grow(tmp_path / "ckpt", {"a": "1"})
    source = Source((CheckpointEntry(str(tmp_path / path), url, 10.0),))
    assert source.upload_command("") == want.format(root=tmp_path)


@pytest.mark.parametrize(
    ("name", "regex", "misnamed"),
    [("a", "", False), ("a", "a", False), ("a", "b", True), ("", "b", False), ("not there", "b", False)],
)
def test_one_file_whose_name_the_regex_does_not_match_is_noticed(
    tmp_path: Path, name: str, regex: str, misnamed: bool
) -> None:
    grow(tmp_path / "ckpt", {"a": "1"})
    source = Source((CheckpointEntry(str(tmp_path / "ckpt" / name), "s3://b", 10.0, regex),))
    assert source.misnamed is misnamed
    assert ("a" in source.scan().files) is (name == "a")


def test_the_command_names_an_endpoint_that_is_not_awss(tmp_path: Path) -> None:
    source = Source((CheckpointEntry(str(tmp_path), "s3://b", 10.0),))
    assert "aws s3 cp --endpoint-url http://127.0.0.1:9 --recursive" in source.upload_command("http://127.0.0.1:9")
