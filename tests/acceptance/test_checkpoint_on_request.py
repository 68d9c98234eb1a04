"""A checkpoint at a moment that somebody chose: the task itself, or a person."""

import json
import os
import signal
from typing import Any

import pytest

from acceptance.conftest import Bucket
from osmo.rundir import records
from support.cli import Osmo, until
from support.servers import silent_server

WAIT = "until [ -e go ]; do sleep 0.1; done"
NOWHERE = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}


def entry(bucket: Bucket, path: str = "data") -> dict[str, Any]:
    return {"path": path, "url": f"s3://{bucket.name}", "frequency": "1h", "keep": 9}


def go(osmo: Osmo) -> None:
    (osmo.directory / "go").touch()


def triggers(bucket: Bucket) -> list[str]:
    return [record["trigger"] for record in bucket.checkpoints("main.data")]


def test_a_person_asks_and_it_is_in_the_store_when_the_command_returns(osmo: Osmo, bucket: Bucket) -> None:
    run = osmo.submit(osmo.task(f"mkdir data; echo 1 > data/a; touch begun; {WAIT}", checkpoint=[entry(bucket)]))
    until((osmo.directory / "begun").exists)
    result = osmo("workflow", "checkpoint", run, "--wait")

    assert (result.returncode, result.stderr) == (0, "")
    assert bucket.files() == {"data/a"}
    place = f"{osmo.directory}/data is in s3://{bucket.name}"
    assert result.stdout == f"main: checkpoint 1 of {place}: 1 file, 2 B\n"
    again = osmo("workflow", "checkpoint", run, "--wait", "--task", "main", "--json")
    assert [(one["failed"], one["checkpoints"][0]["checkpoint"]) for one in json.loads(again.stdout)] == [("", 1)]
    assert triggers(bucket) == ["request"]  # nothing had changed
    assert osmo("workflow", "checkpoint", run).stdout == "main: a checkpoint is asked for\n"
    go(osmo)
    osmo.wait(run)
    late = osmo("workflow", "checkpoint", run)
    assert (late.returncode, late.stderr) == (2, f"osmo: {run} is over already (COMPLETED)\n")


def test_of_a_folder_that_is_gone_nothing_is_called_durable(osmo: Osmo, bucket: Bucket) -> None:
    script = f"mkdir data; echo 1 > data/a; osmo checkpoint now --wait; mv data elsewhere; touch begun; {WAIT}"
    run = osmo.submit(osmo.task(script, checkpoint=[entry(bucket)]))
    until((osmo.directory / "begun").exists)
    result = osmo("workflow", "checkpoint", run, "--wait")
    assert (result.returncode, result.stdout) == (1, "")
    gone = f"{osmo.directory}/data is not there: nothing new was saved; checkpoint 1 of 20"
    assert result.stderr.startswith(f"osmo: main: no checkpoint: {gone}")
    [told] = json.loads(osmo("workflow", "checkpoint", run, "--wait", "--json").stdout)
    assert [(one["exists"], one["checkpoint"]) for one in told["checkpoints"]] == [(False, 1)]
    (osmo.directory / "elsewhere").rename(osmo.directory / "data")
    assert "checkpoint 1 of" in osmo("workflow", "checkpoint", run, "--wait").stdout
    go(osmo)
    osmo.wait(run)


def test_a_task_asks_itself_and_goes_on_when_it_is_durable(osmo: Osmo, bucket: Bucket) -> None:
    script = f"""
    mkdir data
    for step in 1 2 3; do
        echo $step > data/step
        osmo checkpoint now --wait --timeout 50s || exit 9
        cmp data/step {bucket.directory}/data/step || exit 8
    done
    """
    run = osmo.submit(osmo.task(script, checkpoint=[entry(bucket)]), OSMO_SETTLE="1h")  # it is not waited for
    assert osmo.wait(run).returncode == 0, osmo.log(run)
    assert triggers(bucket) == ["request"] * 3 + ["final"]


def test_sigusr1_to_the_agent_asks_for_one(osmo: Osmo, bucket: Bucket) -> None:
    run = osmo.submit(osmo.task(f"mkdir data; echo 1 > data/a; touch begun; {WAIT}", checkpoint=[entry(bucket)]))
    until((osmo.directory / "begun").exists)
    agent = records.read(osmo.attempt(run).agent)
    assert agent is not None
    os.kill(agent["pid"], signal.SIGUSR1)
    until(lambda: bucket.files() == {"data/a"})
    assert triggers(bucket) == ["request"]
    go(osmo)
    assert osmo.wait(run).returncode == 0


def test_sigusr1_to_a_workflow_in_the_foreground_asks_all_its_tasks(osmo: Osmo, bucket: Bucket) -> None:
    spec = osmo.task(f"mkdir data; echo 1 > data/a; touch begun; {WAIT}", checkpoint=[entry(bucket)])
    process = osmo.start("workflow", "submit", spec, "--foreground")
    until((osmo.directory / "begun").exists)
    process.send_signal(signal.SIGUSR1)
    until(lambda: bucket.files() == {"data/a"})
    go(osmo)
    assert process.wait(60) == 0
    assert triggers(bucket) == ["request", "final"]


def test_a_request_outlives_the_agent(osmo: Osmo, bucket: Bucket) -> None:
    run = osmo.submit(osmo.task(f"mkdir data; echo 1 > data/a; touch begun; {WAIT}", checkpoint=[entry(bucket)]))
    until((osmo.directory / "begun").exists)
    agent = records.read(osmo.attempt(run).agent)
    assert agent is not None
    os.kill(agent["pid"], signal.SIGSTOP)  # it does not see the request any more
    asking = osmo.start("workflow", "checkpoint", run, "--wait")
    until(lambda: list(osmo.attempt(run).requests.glob("[!.]*.json")))
    os.kill(agent["pid"], signal.SIGKILL)
    assert asking.wait(60) == 0
    assert triggers(bucket) == ["request"]
    assert list(osmo.attempt(run).requests.iterdir()) == []
    go(osmo)
    assert osmo.wait(run).returncode == 0


def test_a_checkpoint_that_fails_is_told_in_a_line_and_the_task_goes_on(osmo: Osmo, bucket: Bucket) -> None:
    script = f"mkdir data; echo 1 > data/a; osmo checkpoint now --wait 2> said; echo $? > code; {WAIT}"
    spec = osmo.task(script, checkpoint=[entry(bucket)])
    run = osmo.submit(spec, OSMO_FINAL_TIMEOUT="1s", **NOWHERE)
    until(lambda: (osmo.directory / "code").exists() and (osmo.directory / "code").read_text() == "1\n")
    (said,) = (osmo.directory / "said").read_text().splitlines()
    assert said.startswith("osmo: no checkpoint: s3://")
    assert "connection refused" in said
    go(osmo)
    assert osmo.wait(run).returncode == 1


def test_waiting_may_have_an_end(osmo: Osmo, bucket: Bucket) -> None:
    with silent_server() as endpoint:
        spec = osmo.task(f"mkdir data; echo 1 > data/a; touch begun; {WAIT}", checkpoint=[entry(bucket)])
        run = osmo.submit(spec, "--no-check", AWS_ENDPOINT_URL_S3=endpoint, OSMO_FINAL_TIMEOUT="1s")
        until((osmo.directory / "begun").exists)
        result = osmo("workflow", "checkpoint", run, "--wait", "--timeout", "1s")
        assert result.returncode == 1
        assert result.stderr == "osmo: main: no checkpoint: not durable after 1 s; it is still being tried\n"
        go(osmo)
        osmo.wait(run)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--task", "other"], "t-1 has no task 'other' (it has main)"),
        (["--timeout", "1s"], "--timeout goes with --wait"),
        (["--wait", "--timeout", "soon"], "--timeout: "),
        ([], "t-1: there is no `checkpoint:` in the spec of main"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(osmo: Osmo, words: list[str], said: str) -> None:
    run = osmo.submit(osmo.task(WAIT))
    result = osmo("workflow", "checkpoint", run, *words)
    assert result.returncode == 2
    assert result.stderr.startswith(f"osmo: {said}")
    assert result.stderr.count("\n") == 1


def test_outside_a_task_there_is_nobody_to_ask(osmo: Osmo) -> None:
    result = osmo("checkpoint", "now")
    assert result.returncode == 2
    assert "this is not inside a task" in result.stderr
    gone = osmo("checkpoint", "now", OSMO_ATTEMPT_DIR="/nonexistent")
    assert (gone.returncode, gone.stderr.count("\n")) == (1, 1)
