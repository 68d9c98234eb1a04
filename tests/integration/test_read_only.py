"""Credentials that may read and not write: whoever tries is told which they are, and what they lack."""

import json
import subprocess

import pytest

from support.cli import Osmo, until
from support.faults import Fault
from support.proxy import FaultProxy
from support.stored import Stored

WORDS = "403 AccessDenied (credentials: environment (AWS_ACCESS_KEY_ID))"


@pytest.fixture(autouse=True)
def read_only(between: FaultProxy) -> None:
    refused = Fault(forward=False, answer=403)
    between.fault(refused, when=lambda method, _: method not in ("GET", "HEAD"))


@pytest.fixture
def url(osmo: Osmo, bucket: Stored) -> str:
    (osmo.directory / "d").mkdir()
    (osmo.directory / "d/small").write_text("x")
    (osmo.directory / "large").write_bytes(bytes(20 << 20))
    return f"s3://{bucket.directory.name}/x"


def assert_refused(result: "subprocess.CompletedProcess[str]", url: str, code: int, needs: str) -> None:
    assert result.returncode == code
    first = result.stderr.splitlines()[0]
    assert first.startswith(f"osmo: {url}/")
    assert WORDS in first
    assert f"That needs {needs} there" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("path", ["d", "large"])
def test_an_upload_is_refused(osmo: Osmo, url: str, path: str) -> None:
    assert_refused(osmo("data", "upload", url, path), url, 1, "s3:PutObject")


def test_nothing_is_removed(osmo: Osmo, url: str, bucket: Stored) -> None:
    (bucket.directory / "x").mkdir()
    (bucket.directory / "x/k").write_text("x")
    assert_refused(osmo("data", "delete", url, "--yes"), url, 1, "s3:DeleteObject")
    assert (bucket.directory / "x/k").exists()


def test_a_workflow_does_not_start(osmo: Osmo, url: str) -> None:
    entry = {"path": "d", "url": url, "frequency": "1s"}
    submitted = osmo("workflow", "submit", osmo.task("touch started", checkpoint=[entry]))
    assert_refused(submitted, url, 2, "s3:PutObject")
    assert "--no-check" in submitted.stderr
    assert not (osmo.directory / "started").exists()


def test_a_command_does_not_start(osmo: Osmo, url: str) -> None:
    entry = ("--path", "d", "--url", url, "--frequency", "1s")
    assert_refused(osmo("checkpoint", "run", *entry, "--", "touch", "started"), url, 2, "s3:PutObject")
    assert not (osmo.directory / "started").exists()


def test_a_workflow_that_started_nevertheless_says_it(osmo: Osmo, url: str) -> None:
    entry = {"path": "d", "url": url, "frequency": "1s"}
    spec = osmo.task("until [ -e go ]; do sleep 0.1; done", checkpoint=[entry])
    run = osmo.submit(spec, "--no-check", OSMO_FINAL_TIMEOUT="1s")
    osmo.until_logged(run, "That needs s3:PutObject there")
    until(lambda: WORDS in osmo.query(run)["tasks"][0]["checkpoints"][0]["error"], "the error in query")
    (osmo.directory / "go").touch()
    assert osmo.wait(run).returncode == 1


@pytest.mark.parametrize(("access", "code"), [((), 1), (("--access", "WRITE"), 1), (("--access", "READ"), 0)])
def test_a_check_says_what_they_may(osmo: Osmo, url: str, access: tuple[str, ...], code: int) -> None:
    result = osmo("data", "check", url, *access, "--json")
    found = {each["name"]: each for each in json.loads(result.stdout)["checks"]}
    assert (result.returncode, found["list"]["able"]) == (code, True)
    if code:
        assert (found["write"]["able"], WORDS in found["write"]["error"]) == (False, True)
        assert "s3:PutObject" in found["write"]["hint"]
