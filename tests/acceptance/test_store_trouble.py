"""Trouble with a store never touches the command, is told, and is over when the store is back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.conftest import Bucket
from support.cli import Osmo, until
from support.planted import WRONG, keep_secret, shown
from support.servers import S3Server, moto_s3, rclone_s3, s3_client
from support.stored import Stored

WORK = "mkdir data; echo 1 > data/a; until [ -e go ]; do sleep 0.1; done; echo 2 > data/b; echo done"


def entry(url: str) -> list[dict[str, str]]:
    return [{"path": "data", "url": url, "frequency": "300ms"}]


def go(osmo: Osmo) -> None:
    (osmo.directory / "go").touch()


def failed(osmo: Osmo, run: str) -> bool:
    return any(stream["failures"] >= 2 for stream in osmo.status(run).get("streams", []))


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[S3Server]:
    """A server that a test may stop and start."""
    with rclone_s3(tmp_path / "server" / "data") as running:
        running.make_bucket("bucket")
        yield running


def test_a_store_that_is_down_at_the_start_is_used_when_it_comes_up(osmo: Osmo, own_server: S3Server) -> None:
    stored = Stored(own_server.directory / "bucket")
    own_server.stop()
    spec = osmo.task(WORK, checkpoint=entry("s3://bucket"))
    submitted = osmo("workflow", "submit", spec, **own_server.environ)

    assert submitted.returncode == 0, submitted.stderr
    assert "WARNING: s3://bucket" in submitted.stderr
    assert "connection refused; the workflow starts" in submitted.stderr
    until(lambda: failed(osmo, "t-1"))
    assert osmo.query("t-1")["status"] == "RUNNING"
    assert "the last try failed" in osmo("workflow", "query", "t-1").stdout
    assert osmo.query("t-1")["not_in_store"] == {"files": 1, "size": 2}
    own_server.start()
    until(lambda: stored.files() == {"data/a"})
    until(lambda: osmo.status("t-1")["streams"][0]["failures"] == 0)
    assert osmo.status("t-1")["streams"][0]["error"] is None
    go(osmo)
    assert osmo.wait("t-1").returncode == 0
    assert stored.files() == {"data/a", "data/b"}
    assert osmo.logged("t-1", "Next try in")


def test_a_store_that_goes_away_for_the_end_gets_the_last_checkpoint_when_it_is_back(
    osmo: Osmo, own_server: S3Server
) -> None:
    stored = Stored(own_server.directory / "bucket")
    run = osmo.submit(osmo.task(WORK, checkpoint=entry("s3://bucket")), **own_server.environ)
    until(lambda: stored.files() == {"data/a"})
    own_server.stop()
    go(osmo)
    osmo.until_logged(run, "The command has ended: exit code 0")
    osmo.until_logged(run, "failed: s3://bucket")
    assert osmo.query(run)["status"] == "RUNNING"
    own_server.start()
    assert osmo.wait(run).returncode == 0
    assert stored.files() == {"data/a", "data/b"}
    assert stored.checkpoints("main.data")[-1]["trigger"] == "final"


def test_credentials_that_are_wrong_later_are_read_again_when_they_are_right(osmo: Osmo, bucket: Bucket) -> None:
    keys = Path(osmo.environ["HOME"]) / ".aws/credentials"
    keys.parent.mkdir()
    right = f"[default]\naws_access_key_id = {osmo.environ.pop('AWS_ACCESS_KEY_ID')}\n"
    right += f"aws_secret_access_key = {osmo.environ.pop('AWS_SECRET_ACCESS_KEY')}\n"
    keep_secret(keys, right.replace("= ", "= not-"))
    run = osmo.submit(osmo.task(WORK, checkpoint=entry(f"s3://{bucket.name}")), "--no-check")
    until(lambda: failed(osmo, run))
    error = osmo.status(run)["streams"][0]["error"]
    assert "credentials: profile 'default' in ~/.aws/credentials" in error
    assert osmo.query(run)["status"] == "RUNNING"
    assert not bucket.files()
    keep_secret(keys, right)
    until(lambda: bucket.files() == {"data/a"})
    go(osmo)
    assert osmo.wait(run).returncode == 0
    assert bucket.files() == {"data/a", "data/b"}
    assert not shown(osmo.attempt(run).log.read_text())


def test_a_bucket_that_is_not_there_yet_is_used_when_it_is_made(osmo: Osmo) -> None:
    with moto_s3() as server:
        run = osmo.submit(osmo.task(WORK, checkpoint=entry("s3://later/x")), "--no-check", **server.environ)
        until(lambda: failed(osmo, run))
        assert "NoSuchBucket" in osmo.status(run)["streams"][0]["error"]
        client = s3_client(server)
        client.create_bucket(Bucket="later")
        go(osmo)
        assert osmo.wait(run).returncode == 0
        keys = {found["Key"] for found in client.list_objects_v2(Bucket="later")["Contents"]}
    assert {"x/data/a", "x/data/b"} < keys


@pytest.mark.parametrize(("last", "code", "message"), [("exit 0", 2012, "the last"), ("exit 3", 3, "exit code 3. the")])
def test_a_task_whose_last_checkpoint_cannot_be_stored_has_failed(
    osmo: Osmo, own_server: S3Server, last: str, code: int, message: str
) -> None:
    own_server.stop()
    spec = osmo.task(f"mkdir data; echo precious > data/a; {last}", checkpoint=entry("s3://bucket/x"))
    run = osmo.submit(spec, "--no-check", OSMO_FINAL_TIMEOUT="1s", **own_server.environ)
    waited = osmo.wait(run)

    assert waited.returncode == 1
    [task] = osmo.query(run)["tasks"]
    assert (task["status"], task["exit_code"]) == ("FAILED", code)
    data = osmo.directory / "data"
    by_hand = f"`aws s3 cp --endpoint-url {own_server.endpoint} --recursive {data} s3://bucket/x/data"
    assert message in task["message"]
    assert f"checkpoint of {data} is not in s3://bucket/x;" in task["message"]
    assert by_hand in task["message"]
    assert by_hand in waited.stderr
    assert osmo.logged(run, by_hand)
    assert (data / "a").read_text() == "precious\n"
    assert "1 file, 9 B, " in osmo("workflow", "query", run).stdout.splitlines()[-1]


def test_a_store_that_says_no_is_refused_at_submit(osmo: Osmo, bucket: Bucket) -> None:
    spec = osmo.task("echo started > started", checkpoint=entry(f"s3://{bucket.name}"))
    refused = osmo("workflow", "submit", spec, AWS_SECRET_ACCESS_KEY=WRONG)

    assert refused.returncode == 2
    assert f"s3://{bucket.name}" in refused.stderr
    assert "403" in refused.stderr
    assert "credentials: environment (AWS_ACCESS_KEY_ID)" in refused.stderr
    assert "Nothing was started. --no-check starts it nevertheless." in refused.stderr
    assert not shown(refused.stderr + refused.stdout)
    assert not (osmo.directory / "started").exists()
    assert osmo("workflow", "list").stdout == "There are no workflows to view.\n"


def test_each_refused_store_has_its_line_and_its_reason(osmo: Osmo, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    urls = ["s3://no-such-bucket", f"file://{tmp_path}/file/x", "s3://other/y"]
    entries = [entry(url)[0] | {"path": f"data{number}"} for number, url in enumerate(urls)]
    with moto_s3() as server:
        refused = osmo("workflow", "submit", osmo.task("true", checkpoint=entries), **server.environ)
        nobody = {name: value for name, value in osmo.environ.items() if not name.startswith("AWS_")}
        osmo.environ = nobody | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_S3": server.endpoint}
        unknown = osmo("workflow", "submit", osmo.task("true", checkpoint=entries[:1]))
    assert refused.returncode == 2
    for url in urls:
        assert sum(url in line for line in refused.stderr.splitlines()) == 1, refused.stderr
    assert "NoSuchBucket" in refused.stderr
    assert "is not a directory" in refused.stderr
    assert unknown.returncode == 2
    assert "no AWS credentials found" in unknown.stderr


def test_trouble_of_one_task_is_not_trouble_of_another(osmo: Osmo, own_server: S3Server, bucket: Bucket) -> None:
    here = {"path": "here", "url": f"file://{bucket.directory}", "frequency": "300ms"}
    there = {"path": "there", "url": "s3://bucket", "frequency": "300ms"}
    script = "mkdir -p here there; echo a > here/a; echo b > there/b; until [ -e go ]; do sleep 0.1; done"
    tasks = [
        {"name": name, "command": ["sh", "-c", script], "checkpoint": [one]}
        for name, one in (("well", here), ("ill", there))
    ]
    own_server.stop()
    spec = osmo.spec(json.dumps({"workflow": {"name": "t", "tasks": tasks}}))
    run = osmo.submit(spec, "--no-check", OSMO_FINAL_TIMEOUT="1s", **own_server.environ)
    until(lambda: bucket.files() == {"here/a"})
    go(osmo)
    assert osmo.wait(run).returncode == 1
    states = {task["name"]: task["status"] for task in osmo.query(run)["tasks"]}
    assert states == {"well": "COMPLETED", "ill": "FAILED"}
