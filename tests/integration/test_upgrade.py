"""The package is replaced while a task runs: all that its agent will need was imported before the command began."""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

import osmo as package
from osmo.rundir import records
from osmo.rundir.identity import Process
from support.cli import Osmo, until
from support.planted import keep_secret
from support.servers import S3Server
from support.stored import Stored

# What a process of ours imports that is not the standard library's.
NEEDED = ("blake3", "botocore", "dateutil", "jmespath", "obstore", "six", "tqdm", "urllib3")
SCRIPT = "mkdir -p data; echo 1 > data/a; echo ready; until [ -e go ]; do sleep 0.1; done; echo 2 > data/b; exit 7"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An installation of its own, which wins over the one of the tests where PYTHONPATH names it."""
    place = tmp_path / "site"
    place.mkdir()
    shutil.copytree(Path(package.__file__).parent, place / "osmo", ignore=shutil.ignore_patterns("__pycache__"))
    for name in NEEDED:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        if spec.submodule_search_locations:
            skipped = shutil.ignore_patterns("__pycache__", *([] if name != "botocore" else ["data"]))
            shutil.copytree(Path(spec.origin).parent, place / name, ignore=skipped)
        else:
            shutil.copy(spec.origin, place)
    return place


def replace(site: Path) -> None:
    """As if another version were installed over it, which this process cannot read: new files under the old names."""
    for path in list(site.rglob("*")):
        if path.is_file():
            path.unlink()
            if path.suffix == ".py":
                path.write_text("this is another version, and no Python = =\n")


def where_from(site: Path, osmo: Osmo, run: str) -> bool:
    """Whether the agent has its compiled parts from there."""
    agent = Process.read(records.read(osmo.attempt(run).agent) or {})
    return f"{site}/obstore/" in Path(f"/proc/{agent.pid}/maps").read_text()


@pytest.fixture
def entry(bucket: Stored) -> list[dict[str, str]]:
    return [{"path": "data", "url": f"s3://{bucket.directory.name}", "frequency": "1h"}]


@pytest.fixture
def credentials(request: pytest.FixtureRequest, osmo: Osmo, s3: S3Server) -> None:
    """Where the keys are."""
    home = Path(osmo.environ["HOME"]) / ".aws"
    keys = f"aws_access_key_id = {s3.key}\naws_secret_access_key = {s3.secret}\n"
    if request.param != "environment":
        del osmo.environ["AWS_ACCESS_KEY_ID"], osmo.environ["AWS_SECRET_ACCESS_KEY"]
        home.mkdir()
    if request.param == "profile":
        keep_secret(home / "credentials", f"[work]\n{keys}")
        osmo.environ["AWS_PROFILE"] = "work"
    if request.param == "program":
        helper = home / "helper"
        answer = f'{{"Version": 1, "AccessKeyId": "{s3.key}", "SecretAccessKey": "{s3.secret}"}}'
        keep_secret(helper, f"#!/bin/sh\necho '{answer}'\n")
        helper.chmod(0o700)
        (home / "config").write_text(f"[default]\ncredential_process = {helper}\n")


@pytest.mark.parametrize("credentials", ["environment", "profile", "program"], indirect=True)
@pytest.mark.usefixtures("credentials")
def test_the_last_checkpoint_is_made_though_the_package_was_replaced(
    osmo: Osmo, bucket: Stored, site: Path, entry: list[dict[str, str]]
) -> None:
    """Nothing was sent before: the whole way to the store is gone for the first time when it is another's."""
    run = osmo.submit(osmo.task(SCRIPT, checkpoint=entry), "--no-check", PYTHONPATH=str(site))
    osmo.until_logged(run, "ready")
    until(lambda: where_from(site, osmo, run), "the agent of that installation")
    replace(site)
    (osmo.directory / "go").touch()
    assert osmo.wait(run).returncode == 1
    [task] = osmo.query(run)["tasks"]
    assert (task["status"], task["exit_code"]) == ("FAILED", 7)
    assert osmo.attempt(run).agent_errors.read_text() == ""
    assert (osmo.home.workflows / run / "supervisor.err").read_text() == ""
    assert bucket.files() == {"data/a", "data/b"}
    assert bucket.checkpoints("main.data")[-1]["trigger"] == "final"


def test_a_machine_that_is_taken_away_after_an_upgrade_still_saves(
    osmo: Osmo, bucket: Stored, site: Path, entry: list[dict[str, str]]
) -> None:
    run = osmo.submit(osmo.task(SCRIPT, checkpoint=entry), "--no-check", PYTHONPATH=str(site))
    osmo.until_logged(run, "ready")
    replace(site)
    os.kill(Process.read(records.read(osmo.attempt(run).agent) or {}).pid, 15)
    assert osmo.wait(run).returncode == 1
    assert osmo.query(run)["status"] == "FAILED_PREEMPTED"
    assert osmo.attempt(run).agent_errors.read_text() == ""
    assert bucket.files() == {"data/a"}


def test_trouble_with_the_store_after_an_upgrade_is_told_and_outlived(
    osmo: Osmo, bucket: Stored, site: Path, entry: list[dict[str, str]]
) -> None:
    """Errors have ways of their own through the code."""
    entry[0]["frequency"] = "300ms"
    wrong = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    run = osmo.submit(
        osmo.task(SCRIPT, checkpoint=entry), "--no-check", PYTHONPATH=str(site), OSMO_FINAL_TIMEOUT="2s", **wrong
    )
    osmo.until_logged(run, "ready")
    replace(site)
    osmo.until_logged(run, "connection refused")
    (osmo.directory / "go").touch()
    assert osmo.wait(run).returncode == 1
    assert osmo.query(run)["tasks"][0]["exit_code"] == 7
    assert osmo.attempt(run).agent_errors.read_text() == ""
    assert bucket.files() == set()
