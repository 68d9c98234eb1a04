"""A prefix that somebody else may write to: what is small there may not end. Each command says so, and takes little."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from acceptance.conftest import Bucket
from osmo.checkpoint.encoding import encode
from support import bombs
from support.cli import Osmo
from support.servers import S3Server, s3_client
from unit.checkpoint.records import STREAM, checkpoint, claim, file

MEMORY = 160 * 1024 * 1024
"""Bytes of all that is written to. A restore of a small file takes 45 MB."""
RECORD = f".osmo/{STREAM}/log/00000003.json"
LISTING = f".osmo/{STREAM}/objects/00000003-00000001-1"
KINDS = (*bombs.KINDS, "the listing")
SOME = ("the first line", "the listing")
Put = Callable[[str, bytes], None]


def each(scheme: str) -> list[object]:
    long = [] if scheme == "file" else [pytest.mark.long]
    return [pytest.param(scheme, kind, id=f"{scheme}-{kind}", marks=[] if kind in SOME else long) for kind in KINDS]


@pytest.fixture
def url(scheme: str, kind: str, osmo: Osmo, bucket: Bucket, server: S3Server) -> str:
    """A stream with a checkpoint of one file, and after it one that does not end."""

    def put(key: str, body: bytes) -> None:
        if scheme == "s3":
            s3_client(server).put_object(Bucket=bucket.name, Key=key, Body=body)
            return
        path = osmo.directory / "store" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    for whole in (claim(1), checkpoint(2, files=(file("a", b"good"),))):
        put(f".osmo/{STREAM}/log/{whole.mark.number:08}.json", encode(whole))
    put("ckpt/a", b"good")
    if kind == "the listing":
        record, listing = bombs.with_listing(3, LISTING)
        put(LISTING, listing)
    else:
        record = bombs.record(kind, 3)
    put(RECORD, record)
    return f"s3://{bucket.name}" if scheme == "s3" else f"file://{osmo.directory}/store"


def small(osmo: Osmo, *args: str) -> "subprocess.CompletedProcess[str]":
    """`osmo checkpoint` with little memory."""
    limited = f'ulimit -d {MEMORY // 1024}; exec osmo checkpoint "$@"'
    result = subprocess.run(
        ["sh", "-c", limited, "sh", *args],
        env=osmo.environ | {"OSMO_FINAL_TIMEOUT": "1s", "OSMO_RESTORE_TIMEOUT": "1s"},
        cwd=osmo.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in result.stderr + result.stdout
    return result


def refused(result: "subprocess.CompletedProcess[str]", key: str) -> None:
    line, hint = result.stderr.splitlines()
    assert result.returncode == 1
    assert line.startswith("osmo: ")
    assert key in line
    assert hint.startswith("      ")


@pytest.mark.parametrize(("scheme", "kind"), [*each("file"), *each("s3")])
def test_what_does_not_end_is_refused_in_a_line(osmo: Osmo, url: str, kind: str) -> None:
    key = LISTING if kind == "the listing" else RECORD
    listed = small(osmo, "list", url, "--json")
    assert [one["checkpoint"] for one in json.loads(listed.stdout)] == ([3, 2] if key == LISTING else [2])
    assert (key in listed.stderr) == (key == RECORD)
    refused(small(osmo, "restore", url, "back"), key)
    assert not (osmo.directory / "back").exists()
    older = small(osmo, "restore", url, "older", "--at", "2")
    assert older.returncode == 0, older.stderr
    assert (osmo.directory / "older" / "a").read_bytes() == b"good"


@pytest.mark.parametrize(("scheme", "kind"), [("file", kind) for kind in SOME] + [("s3", "the first line")])
def test_every_command_refuses_it_and_changes_nothing(osmo: Osmo, url: str, kind: str) -> None:
    key = LISTING if kind == "the listing" else RECORD
    before = contents(osmo.directory / "store")
    for command in (("show", url), ("verify", url), ("diff", url, "2", "3"), ("prune", url, "--keep", "1")):
        refused(small(osmo, *command), key)
    assert contents(osmo.directory / "store") == before
    refused(small(osmo, "mirror", url, "--force"), key)


@pytest.mark.parametrize(("scheme", "kind"), [("file", kind) for kind in SOME] + [("s3", "the first line")])
def test_a_command_runs_to_its_end_beside_it(osmo: Osmo, url: str, kind: str) -> None:
    """What it saves goes on from a checkpoint of which only the files are unknown, never from a record that is none."""
    (osmo.directory / "ckpt").mkdir()
    options = ("--path", "ckpt", "--name", STREAM, "--url", url, "--frequency", "1h")
    result = small(osmo, "run", *options, "--", "sh", "-c", "echo new >ckpt/b; echo done")
    assert "done" in result.stdout
    assert (result.returncode, RECORD in result.stderr) == ((0, False) if kind == "the listing" else (1, True))
    listed = small(osmo, "list", url, "--json")
    numbers = [one["checkpoint"] for one in json.loads(listed.stdout)]
    assert numbers[0] == (4 if kind == "the listing" else 2)


@pytest.mark.parametrize(("scheme", "kind"), [("file", kind) for kind in SOME])
def test_no_command_starts_from_nothing_because_of_it(osmo: Osmo, url: str, kind: str) -> None:
    options = ("--path", "ckpt", "--name", STREAM, "--url", url, "--frequency", "1h", "--restore")
    result = small(osmo, "run", *options, "--", "touch", "started")
    assert result.returncode != 0
    assert (LISTING if kind == "the listing" else RECORD) in result.stderr
    assert not (osmo.directory / "started").exists()
    assert not (osmo.directory / "ckpt").exists()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
