from pathlib import Path

import pytest

from osmo.errors import StoreError
from osmo.store.profiles import NONE, profile_of, profiles
from osmo.store.url import parse
from support.planted import keep_secret

FILE = """
login: {token: hunter2}
auth:
  data:
    s3://bucket: {access_key_id: ID, access_key: hunter2, region: eu-1}
    s3://bucket/team: {access_key_id: TEAM, access_key: hunter2}
    azure://account: {access_key: 0123}
    swift://h/AUTH_ns: {access_key_id: S, access_key: on}
credentials:
  mine: {type: DATA, endpoint: "s3://bucket", payload: {sse: kms}}
  other: {type: GENERIC, payload: {k: hunter2}}
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    keep_secret(tmp_path / "config.yaml", FILE)
    return {"OSMO_CONFIG_FILE_DIR": str(tmp_path), "HOME": str(tmp_path)}


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/team", "s3://bucket/team"),
        ("s3://bucket/team/x", "s3://bucket/team"),
        ("s3://bucket/teams", "s3://bucket"),
        ("s3://buckets/team", ""),
        ("azure://account/any/where", "azure://account"),
        ("azure://account2/any", ""),
        ("swift://h/AUTH_ns/c/x", "swift://h/AUTH_ns"),
        ("gs://bucket", ""),
    ],
)
def test_the_longest_prefix_wins_by_whole_segments(environ: dict[str, str], url: str, want: str) -> None:
    assert profile_of(parse(url), environ).endpoint == want


def test_values_stay_the_texts_that_they_are(environ: dict[str, str]) -> None:
    """A key that YAML would take for a number, or for yes."""
    assert profile_of(parse("azure://account/c"), environ)["access_key"] == "0123"
    assert profile_of(parse("swift://h/AUTH_ns/c"), environ).keys == ("S", "on")


def test_what_we_add_to_a_profile_is_found_by_its_endpoint(environ: dict[str, str]) -> None:
    found = profile_of(parse("s3://bucket"), environ)
    assert (found["sse"], found["region"], found.source) == ("kms", "eu-1", "credential 'mine' in ~/config.yaml")
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize("text", ["", "a: b", "auth: 1", "auth: {data: [1]}", "- a", "auth: {data: {s3://b: text}}"])
def test_a_file_without_credentials_has_none(tmp_path: Path, text: str) -> None:
    keep_secret(tmp_path / "config.yaml", text)
    assert not profile_of(parse("s3://b"), {"OSMO_CONFIG_FILE_DIR": str(tmp_path)}).keys


def test_without_a_file_there_is_none(tmp_path: Path) -> None:
    assert profile_of(parse("s3://b"), {"OSMO_CONFIG_FILE_DIR": str(tmp_path)}) is NONE


def test_a_file_that_is_no_yaml_is_named_and_not_shown(tmp_path: Path) -> None:
    keep_secret(tmp_path / "config.yaml", "auth:\n  access_key: hunter2: x\n")
    with pytest.raises(StoreError, match=r"config.yaml, line 2: this is not YAML$") as caught:
        profiles({"OSMO_CONFIG_FILE_DIR": str(tmp_path)})
    assert "hunter2" not in str(caught.value)
