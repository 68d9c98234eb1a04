import os
import stat
from pathlib import Path

import pytest
import yaml

from osmo.errors import StoreError, UsageError
from osmo.store.keeping import Kept, checked, keep, kept, remove

PAIR = {"access_key_id": "ID", "access_key": "hunter2"}
BEFORE = """\
login:
  url: https://osmo.example
  token: &t 'hunter2'
  expires: 2026-01-02
  id: 007
  again: *t
auth:
  data:
    s3://theirs: {access_key_id: T, access_key: yes}
  mode: oauth
other: [1, 0x10, no]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "osmo/config.yaml"


@pytest.fixture
def environ(file: Path) -> dict[str, str]:
    return {"OSMO_CONFIG_FILE_DIR": str(file.parent)}


def data(name: str = "mine", endpoint: str = "s3://b", **more: str) -> Kept:
    return checked(name, "DATA", {"endpoint": endpoint, **PAIR, **more})


def test_what_was_kept_is_in_osmos_shape(file: Path, environ: dict[str, str]) -> None:
    keep(file, data(region="eu-1", sse="kms"), environ)
    document = yaml.safe_load(file.read_text())
    assert document["auth"] == {"data": {"s3://b": {**PAIR, "region": "eu-1"}}}
    assert document["credentials"] == {"mine": {"type": "DATA", "endpoint": "s3://b", "payload": {"sse": "kms"}}}


def test_whatever_else_is_in_the_file_stays(file: Path, environ: dict[str, str]) -> None:
    file.parent.mkdir()
    file.write_text(BEFORE)
    keep(file, data(), environ)
    keep(file, checked("g", "GENERIC", {"k": "hunter2"}), environ)
    remove(file, "mine", environ)
    remove(file, "g", environ)
    want = yaml.load(BEFORE, Loader=yaml.BaseLoader)  # the texts as they are written: 007, yes, 0x10
    found = yaml.load(file.read_text(), Loader=yaml.BaseLoader)
    assert {key: found[key] for key in want} == want
    assert yaml.safe_load(file.read_text())["other"] == [1, 16, False]


def test_nobody_else_may_read_it_at_any_time(
    file: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.parent.mkdir()
    file.write_text("a: b\n")
    file.chmod(0o644)
    modes: list[int] = []
    replace = Path.replace

    def looking(self: Path, target: Path) -> Path:
        modes.extend(stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir() if each != file)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", looking)
    before = os.umask(0)
    try:
        keep(file, data(), environ)
    finally:
        os.umask(before)
    assert set(modes) == {0o600}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_write_that_fails_leaves_what_was_there(
    file: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(file, data(), environ)
    before = file.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        keep(file, data("other", "s3://c"), environ)
    assert file.read_bytes() == before
    assert {each.name for each in file.parent.iterdir()} == {"config.yaml", ".config.yaml.lock"}


def test_a_link_stays_one(file: Path, environ: dict[str, str], tmp_path: Path) -> None:
    file.parent.mkdir()
    file.symlink_to(tmp_path / "dotfiles.yaml")
    keep(file, data(), environ)
    assert file.is_symlink()
    assert stat.S_IMODE((tmp_path / "dotfiles.yaml").stat().st_mode) == 0o600


def test_a_file_that_is_no_yaml_is_left_alone(file: Path, environ: dict[str, str]) -> None:
    file.parent.mkdir()
    for text in ("a: b: c", "- a"):
        file.write_text(text)
        with pytest.raises(StoreError, match="config.yaml"):
            keep(file, data(), environ)
        assert file.read_text() == text


def test_the_same_name_again_replaces(file: Path, environ: dict[str, str]) -> None:
    keep(file, data(endpoint="s3://b"), environ)
    keep(file, data(endpoint="s3://c"), environ)
    assert [(one.name, one.endpoint) for one in kept(file, environ)] == [("mine", "s3://c")]


def test_an_endpoint_has_one_credential(file: Path, environ: dict[str, str]) -> None:
    keep(file, data(), environ)
    with pytest.raises(UsageError, match="s3://b has the credential 'mine' already"):
        keep(file, data("other"), environ)


def test_a_profile_of_osmos_client_is_listed_replaced_and_removed_by_its_endpoint(
    file: Path, environ: dict[str, str]
) -> None:
    file.parent.mkdir()
    file.write_text(BEFORE)
    assert [(one.name, one.kind) for one in kept(file, environ)] == [("s3://theirs", "DATA")]
    keep(file, data("ours", "s3://theirs"), environ)
    assert [one.name for one in kept(file, environ)] == ["ours"]
    remove(file, "ours", environ)
    assert kept(file, environ) == []
    with pytest.raises(UsageError, match="there is no credential 'ours'"):
        remove(file, "ours", environ)


@pytest.mark.parametrize(
    ("name", "kind", "payload", "words"),
    [
        ("1st", "DATA", {"endpoint": "s3://b"}, "'1st' cannot be the name"),
        ("a-", "GENERIC", {"k": "v"}, "cannot be the name"),
        ("a", "DATA", PAIR, "needs --payload endpoint=…"),
        ("a", "GENERIC", {}, "needs --payload key=…"),
        ("a", "REGISTRY", {"registry": "r"}, "needs --payload username=… auth=…"),
        ("a", "DATA", {"endpoint": "s3://b", "acces_key": "hunter2"}, "no field 'acces_key' .did you mean access_key"),
        ("a", "DATA", {"endpoint": "ftp://b"}, "the beginning of a url"),
        ("a", "DATA", {"endpoint": "file:///x"}, "the beginning of a url"),
        ("a", "DATA", {"endpoint": "swift://h"}, "the beginning of a url"),
        ("a", "DATA", {"endpoint": "s3://b", "access_key": "hunter2"}, "go together"),
        ("a", "DATA", {"endpoint": "s3://b", **PAIR, "addressing_style": "dns"}, "addressing_style 'dns' is none"),
    ],
)
def test_what_cannot_be_kept_is_said(name: str, kind: str, payload: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        checked(name, kind, payload)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "payload",
    [
        {"endpoint": "azure://account", "access_key": "connection"},
        {"endpoint": "azure://account/container", "sas_token": "s"},
        {"endpoint": "swift://h/AUTH_n", **PAIR},
        {"endpoint": "gs://b", "access_key": "{}"},
        {"endpoint": "tos://h/b/", **PAIR},
        {"endpoint": "s3://b/deep/er", **PAIR},
        {"endpoint": "s3://b", "override_url": "http://localhost:1"},
    ],
)
def test_what_can_be_kept(payload: dict[str, str]) -> None:
    assert checked("a", "DATA", payload).endpoint == payload["endpoint"].rstrip("/")


def test_no_value_is_ever_shown_by_accident() -> None:
    assert "hunter2" not in repr(data())
