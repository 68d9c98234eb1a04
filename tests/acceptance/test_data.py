"""`osmo data`, as a person types it."""

import json
import os
import time
from pathlib import Path

import pytest

from acceptance.conftest import Bucket
from support.cli import BIN, Osmo
from support.terminal import terminal


@pytest.fixture
def folder(osmo: Osmo) -> Path:
    folder = osmo.directory / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "sub/b.pt").write_bytes(os.urandom(9 << 20))
    return folder


def test_up_list_down_and_delete(osmo: Osmo, bucket: Bucket, folder: Path) -> None:
    url = f"s3://{bucket.name}/x"
    up = osmo("data", "upload", url, "data", "-p", "2", "-T", "4")
    assert (up.returncode, up.stdout) == (0, "Data has been uploaded: 2 files, 9.4 MB\n"), up.stderr
    assert bucket.files() == {"x/data/a.txt", "x/data/sub/b.pt"}
    assert osmo("data", "list", url).stdout == "data/\nTotal 1 objects found\n"
    assert osmo("data", "list", url, "-r", "--no-pager").stdout.splitlines()[:2] == ["data/a.txt", "data/sub/b.pt"]
    listed = json.loads(osmo("data", "list", url, "-r", "-x", r".*\.pt", "--json").stdout)
    assert [(each["url"], each["size"]) for each in listed] == [(f"{url}/data/sub/b.pt", 9 << 20)]
    down = osmo("data", "download", f"{url}/data", "back")
    assert (down.returncode, down.stderr) == (0, "")
    for name in ("a.txt", "sub/b.pt"):
        assert (osmo.directory / "back" / name).read_bytes() == (folder / name).read_bytes()
    again = osmo("data", "download", f"{url}/data", "back", "--resume")
    assert again.stdout == "Data has been downloaded: 0 files, 0 B, 2 there already\n"
    one = osmo("data", "download", f"{url}/data/a.txt", "one")
    assert (one.returncode, os.listdir(osmo.directory / "one")) == (0, ["a.txt"])
    tried = osmo("data", "delete", url, "--dry-run")
    assert tried.stdout.splitlines()[-1] == "2 files, 9.4 MB, would be deleted"
    unasked = osmo("data", "delete", url)
    assert (unasked.returncode, "--yes" in unasked.stderr, len(bucket.files())) == (2, True, 2)
    gone = osmo("data", "delete", url, "--yes", "-x", ".*txt")
    assert gone.stdout == "Data has been deleted, success_count=1, failures=0\n"
    assert bucket.files() == {"x/data/sub/b.pt"}


def test_what_was_not_uploaded_is_named_and_the_exit_code_says_so(osmo: Osmo, bucket: Bucket, folder: Path) -> None:
    (folder / "dangling").symlink_to("nowhere")
    up = osmo("data", "upload", f"s3://{bucket.name}/x", "data", "missing")
    assert (up.returncode, up.stdout) == (1, "2 files, 9.4 MB uploaded, 2 failed\n")
    assert up.stderr.splitlines() == [
        "Upload failed on files:",
        f"{folder}/dangling: No such file or directory",
        f"{osmo.directory}/missing: No such file or directory",
    ]
    down = osmo("data", "download", f"s3://{bucket.name}/nothing", "back")
    assert (down.returncode, down.stderr) == (1, f"No entries found for s3://{bucket.name}/nothing\n")
    no_bucket = osmo("data", "upload", "s3://no-such-bucket/x", "data")
    assert (no_bucket.returncode, len(no_bucket.stderr.splitlines())) == (1, 2)
    assert "404 NoSuchBucket" in no_bucket.stderr
    wrong = osmo("data", "list", "s4://x")
    assert (wrong.returncode, "unknown scheme" in wrong.stderr) == (2, True)


def test_osmos_own_records_are_left_alone(osmo: Osmo, bucket: Bucket, folder: Path) -> None:
    url = f"s3://{bucket.name}/x"
    run = osmo.submit(osmo.task("true", checkpoint=[{"path": str(folder), "url": url, "frequency": "1h"}]))
    assert osmo.wait(run).returncode == 0
    assert osmo("data", "list", url, "-r").stdout.splitlines()[-1] == "Total 2 objects found"
    assert osmo("data", "delete", url, "-y").returncode == 0
    assert len(bucket.beneath("x").checkpoints("main.data")) == 1
    assert osmo("data", "delete", url, "-y", "--all").returncode == 0
    assert bucket.beneath("x").checkpoints("main.data") == []


@pytest.mark.parametrize(("typed", "code", "left"), [("n\n", 2, 1), ("y\n", 0, 0)])
def test_a_person_is_asked_before_anything_goes(
    osmo: Osmo, bucket: Bucket, folder: Path, typed: str, code: int, left: int
) -> None:
    url = f"s3://{bucket.name}/x"
    assert osmo("data", "upload", url, "data/a.txt").returncode == 0
    with terminal([str(BIN / "osmo"), "data", "delete", url], osmo.directory, osmo.environ) as person:
        person.until(f"Delete 1 file, 3 B, at {url}? [y/N]")
        person.type(typed)
        assert person.end() == code
    assert len(bucket.files()) == left


def test_a_store_is_tried(osmo: Osmo, bucket: Bucket) -> None:
    url = f"s3://{bucket.name}/x"
    found = json.loads(osmo("data", "check", url, "--json").stdout)
    assert found["status"] == "pass"
    able = {each["name"]: each["able"] for each in found["checks"]}
    assert able["create-only"] is False  # rclone's server
    assert able["write"] is able["read"] is able["list"] is able["delete"] is True
    assert list(bucket.directory.rglob("*probe*")) == []
    table = osmo("data", "check", url)
    assert (table.returncode, "records get names that cannot meet" in table.stdout) == (0, True)


@pytest.mark.parametrize(
    ("environ", "words", "way_out"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "hunter2"}, "403 SignatureDoesNotMatch (credentials: environment (", "check both"),
        ({"AWS_ACCESS_KEY_ID": "who"}, "403 InvalidAccessKeyId (credentials: environment (", "unknown there"),
        (
            {"AWS_SECRET_ACCESS_KEY": ""},
            "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not",
            "osmo credential set",
        ),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "at http://127.0.0.1:9: connection refused", "correct the end"),
        ({"AWS_ENDPOINT_URL_S3": "http://store.invalid"}, "the host name does not resolve", "Correct the endpoint"),
        ({"AWS_ENDPOINT_URL_S3": "store:9000"}, "'store:9000' is not an http or https address", "https://host[:port]"),
        ({"AWS_REGION": "eu west"}, "'eu west' is not a region's name", "AWS_REGION"),
    ],
)
def test_what_keeps_all_else_from_being_answered_is_one_line_and_the_way_out(
    osmo: Osmo, bucket: Bucket, environ: dict[str, str], words: str, way_out: str
) -> None:
    result = osmo("data", "check", f"s3://{bucket.name}/x", **environ)
    assert (result.returncode, result.stdout) == (1, "")
    line, hint = result.stderr.splitlines()
    assert words in line
    assert way_out in hint


def test_it_is_json_for_a_program(osmo: Osmo) -> None:
    missing = osmo("data", "check", "s3://no-such-bucket", "--json")
    said = json.loads(missing.stdout)
    assert (missing.returncode, said["status"], said["checks"]) == (1, "fail", [])
    assert said["error"].endswith("404 NoSuchBucket")
    assert said["hint"] == "Create it, or correct the url."


def test_an_upload_keeps_to_its_bandwidth(osmo: Osmo, bucket: Bucket, folder: Path) -> None:
    began = time.monotonic()
    up = osmo("data", "upload", f"s3://{bucket.name}/x", "data/sub/b.pt", "--max-bandwidth", "5MB/s")
    assert (up.returncode, bucket.files()) == (0, {"x/b.pt"})
    assert time.monotonic() - began > 1.5  # 9.4 MB
    wrong = osmo("data", "upload", f"s3://{bucket.name}/x", "data", "--max-bandwidth", "fast")
    assert (wrong.returncode, "'fast' is not a bandwidth" in wrong.stderr) == (2, True)


def test_all_uploads_of_a_task_share_a_bandwidth(osmo: Osmo, bucket: Bucket, folder: Path) -> None:
    entries = [
        {"path": str(path), "url": f"s3://{bucket.name}/x", "frequency": "1h"} for path in (folder, folder / "sub")
    ]
    run = osmo.submit(osmo.task("true", checkpoint=entries), "--max-bandwidth", "10MB/s")
    began = time.monotonic()
    assert osmo.wait(run).returncode == 0
    assert time.monotonic() - began > 1.2  # 18.9 MB, some of it on its way before the clock is looked at
    assert len(bucket.files()) == 3
