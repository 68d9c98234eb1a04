"""What a task reads is there before it starts, and what it leaves goes to its urls."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import Bucket
from osmo.rundir import records
from support.cli import Osmo, until
from support.needs import need_program
from support.proxy import FaultProxy
from support.servers import S3Server

MIB = 1024 * 1024
TWO_MIB = f"head -c {2 * MIB} /dev/urandom > {{{{output}}}}/model.bin"
SLOWLY = ("--max-bandwidth", "100k")  # two MiB take 20 s


def put(bucket: Bucket, **files: str) -> None:
    for name, text in files.items():
        path = bucket.directory / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def out(bucket: Bucket, folder: str = "out", regex: str = "") -> dict[str, Any]:
    return {"url": f"s3://{bucket.name}/{folder}"} | ({"regex": regex} if regex else {})


def test_data_comes_from_a_url_and_goes_to_urls_each_as_its_regex_says(osmo: Osmo, bucket: Bucket) -> None:
    put(bucket, raw__a_txt="one\n", raw__deep__b_txt="two\n", raw__c_json="{}", **{"raw__.osmo__x_txt": "record"})
    run = osmo.submit(
        osmo.task(
            "cd {{input:0}}; find . -type f | sort; mkdir -p {{output}}/deep;"
            " cat a.txt deep/b.txt > {{output}}/deep/all.txt; echo {} > {{output}}/x.json",
            inputs=[{"url": f"s3://{bucket.name}/raw", "regex": r".*\.txt$"}],
            outputs=[out(bucket), out(bucket, "json/of-{{workflow_id}}", r".*\.json$")],
        )
    )
    assert osmo.wait(run).returncode == 0, osmo.log(run)
    made = {"out/deep/all.txt", "out/x.json", "json/of-t-1/x.json"}
    assert {key for key in bucket.files() if not key.startswith("raw")} == made
    assert (bucket.directory / "out/deep/all.txt").read_text() == "one\ntwo\n"
    log = [re.sub(r"^.*?\[main\](\[osmo\])? ", "", line) for line in osmo.log(run)]
    assert [line for line in log if line.startswith("./")] == ["./a.txt", "./deep/b.txt"]
    said = [line.split(":")[0].split(" s3")[0] for line in log if line.startswith(("Down", "All", "Up"))]
    assert said == [
        *("Downloading Start", "Downloading", "Downloaded", "All Inputs Gathered"),
        *("Upload Start", "Uploading", "Uploaded", "Uploading", "Uploaded", "All Outputs Uploaded"),
    ]
    assert not osmo.attempt(run).task_inputs.exists()  # fetched for the task alone


def test_an_input_may_be_one_object_and_may_be_empty(osmo: Osmo, bucket: Bucket) -> None:
    put(bucket, models__base_bin="weights")
    run = osmo.submit(
        osmo.task(
            "cat {{input:0}}/base.bin; ls -A {{input:1}} | wc -l",
            inputs=[{"url": f"s3://{bucket.name}/models/base.bin"}, {"url": f"s3://{bucket.name}/nothing"}],
        )
    )
    assert osmo.wait(run).returncode == 0, osmo.log(run)
    assert osmo.logged(run, "[main] weights0")
    assert osmo.logged(run, f"No entries found for s3://{bucket.name}/nothing: {{{{input:1}}}} is empty")


def test_what_is_wanted_of_another_tasks_output_is_linked_not_copied(osmo: Osmo) -> None:
    tasks = [
        {
            "name": "make",
            "command": ["sh", "-c", "cd {{output}}; mkdir m; echo 1 >m/1.pt; echo 2 >m/2.log; ln -s m/1.pt l"],
        },
        {
            "name": "read",
            "command": ["sh", "-c", "cd {{input:make}}; find . -type f -links +1 | sort; cat l; exit 1"],
            "inputs": [{"task": "make", "regex": r"m/.*\.pt$|l"}],
        },
    ]
    run = osmo.submit(osmo.spec(json.dumps({"workflow": {"name": "t", "tasks": tasks}})))
    osmo.wait(run)
    said = [line.partition("[read] ")[2] for line in osmo.log(run) if "[read] " in line]
    assert said == ["./l", "./m/1.pt", "1"]


def test_the_output_of_a_task_of_a_finished_run(osmo: Osmo) -> None:
    first = osmo.submit(osmo.task("sleep 1; echo seven > {{output}}/number", name="first"))
    reads = osmo.task("cat {{input:0}}/number {{input:first-1:main}}/number", inputs=[{"task": f"{first}:main"}])
    early = osmo("workflow", "submit", reads)
    assert early.returncode == 2
    assert "main: inputs[0]: first-1:main is " in early.stderr
    assert "its output is there when it has ended" in early.stderr
    osmo.wait(first)
    run = osmo.submit(reads)
    assert osmo.wait(run).returncode == 0, osmo.log(run)
    assert sum("[main] seven" in line for line in osmo.log(run)) == 2


@pytest.mark.parametrize(
    ("source", "said"),
    [("gone-7:main", "no run 'gone-7' on this machine"), ("first-1:other", "first-1 has no such task; it has main")],
)
def test_the_output_of_what_never_was(osmo: Osmo, source: str, said: str) -> None:
    osmo.wait(osmo.submit(osmo.task("true", name="first")))
    result = osmo("workflow", "submit", osmo.task("true", inputs=[{"task": source}]))
    assert result.returncode == 2
    assert f"main: inputs[0]: {source}: " in result.stderr or f"main: inputs[0]: {source} " in result.stderr
    assert said in result.stderr


def test_a_run_of_a_failed_task_is_read_with_a_warning(osmo: Osmo) -> None:
    osmo.wait(osmo.submit(osmo.task("echo half > {{output}}/x; exit 3", name="first")))
    result = osmo("workflow", "submit", osmo.task("cat {{input:0}}/x", inputs=[{"task": "first-1:main"}]))
    assert "WARNING: main: inputs[0]: first-1:main is FAILED: its output may not be complete" in result.stderr
    assert osmo.wait("t-1").returncode == 0


def test_an_output_that_cannot_be_sent_fails_the_task_and_says_how_to_send_it(osmo: Osmo, bucket: Bucket) -> None:
    spec = osmo.task("echo 1 > {{output}}/x", outputs=[{"url": "s3://osmo-no-such-bucket/o"}])
    refused = osmo("workflow", "submit", spec)
    assert refused.returncode == 2
    assert "osmo-no-such-bucket" in refused.stderr
    run = osmo.submit(spec, "--no-check", OSMO_FINAL_TIMEOUT="1s")
    assert osmo.wait(run).returncode == 1
    task = osmo.query(run)["tasks"][0]
    assert (task["status"], task["exit_code"]) == ("FAILED", 2012)
    folder = osmo.attempt(run).task_output
    assert f"upload them by hand with `osmo data upload s3://osmo-no-such-bucket/o '{folder}/*'`" in task["message"]
    again = osmo("data", "upload", f"s3://{bucket.name}/o", f"{folder}/*")
    assert again.returncode == 0
    assert bucket.files() == {"o/x"}


def test_an_input_that_cannot_be_fetched_starts_nothing(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("touch ran", inputs=[{"url": "s3://osmo-no-such-bucket/i"}]), "--no-check")
    assert osmo.wait(run).returncode == 1
    task = osmo.query(run)["tasks"][0]
    assert (task["status"], task["exit_code"]) == ("FAILED", 2010)
    assert "{{input:0}} is not there: " in task["message"]
    assert not (osmo.directory / "ran").exists()


def test_the_output_of_a_failed_command_is_sent_but_not_of_one_that_begins_anew(osmo: Osmo, bucket: Bucket) -> None:
    run = osmo.submit(
        osmo.task(
            "echo of-$(date +%s%N) > {{output}}/when; echo $n; test -e twice && exit 3; touch twice; exit 4",
            exitActions={"RESCHEDULE": "4"},
            outputs=[out(bucket)],
        ),
        OSMO_RETRY_WAIT="100ms",
    )
    assert osmo.wait(run).returncode == 1
    assert osmo.query(run)["tasks"][0]["exit_code"] == 3
    assert bucket.files() == {"out/when"}
    assert sum("Upload Start" in line for line in osmo.log(run)) == 1


@pytest.mark.parametrize("script", ["true", "rm -r {{output}}", "echo 1 > {{output}}/x.log"])
def test_a_task_that_leaves_nothing_is_no_failure(osmo: Osmo, bucket: Bucket, script: str) -> None:
    run = osmo.submit(osmo.task(script, outputs=[out(bucket, regex=r".*\.pt")]))
    assert osmo.wait(run).returncode == 0, osmo.log(run)
    assert osmo.logged(run, "No Files in Output Folder")
    assert bucket.files() == set()


def test_a_cancel_ends_an_upload(osmo: Osmo, bucket: Bucket) -> None:
    run = osmo.submit(osmo.task(TWO_MIB, outputs=[out(bucket)]), *SLOWLY)
    osmo.until_logged(run, f"Uploading s3://{bucket.name}/out")
    osmo("workflow", "cancel", run)
    osmo.wait(run)
    task = osmo.query(run)["tasks"][0]
    assert task["status"] == "FAILED_CANCELED"
    assert "the output is not in" in task["message"]
    assert bucket.files() == set()


def test_an_upload_goes_on_after_its_agent_was_killed(osmo: Osmo, bucket: Bucket) -> None:
    run = osmo.submit(osmo.task(TWO_MIB, outputs=[out(bucket)]), "--max-bandwidth", "1M")
    osmo.until_logged(run, f"Uploading s3://{bucket.name}/out")
    os.kill((records.read(osmo.attempt(run).agent) or {})["pid"], signal.SIGKILL)
    assert osmo.wait(run).returncode == 0, osmo.log(run)
    assert (bucket.directory / "out/model.bin").read_bytes() == (
        osmo.attempt(run).task_output / "model.bin"
    ).read_bytes()


def test_a_store_that_is_away_is_waited_for_before_and_after(osmo: Osmo, bucket: Bucket, server: S3Server) -> None:
    put(bucket, raw__a_txt="data")
    with FaultProxy(server.endpoint) as proxy:
        proxy.stop()
        run = osmo.submit(
            osmo.task(
                "until test -e go; do sleep 0.05; done; cp {{input:0}}/a.txt {{output}}",
                inputs=[{"url": f"s3://{bucket.name}/raw"}],
                outputs=[out(bucket)],
            ),
            "--no-check",
            AWS_ENDPOINT_URL_S3=proxy.endpoint,
        )
        osmo.until_logged(run, "trying again in")
        assert osmo.status(run)["state"] == "INITIALIZING"
        proxy.start()
        osmo.until_logged(run, "All Inputs Gathered")
        proxy.stop()
        (osmo.directory / "go").touch()
        osmo.until_logged(run, f"Uploading s3://{bucket.name}/out")
        until(lambda: sum("trying again in" in line for line in osmo.log(run)) > 1)
        proxy.start()
        assert osmo.wait(run).returncode == 0, osmo.log(run)
    assert (bucket.directory / "out/a.txt").read_text() == "data"


def test_a_sandbox_sees_its_inputs_read_only_and_its_links_lead_nowhere_else(
    osmo: Osmo, bucket: Bucket, tmp_path: Path
) -> None:
    need_program("bwrap")
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    put(bucket, raw__a_txt="data")
    run = osmo.submit(
        osmo.task(
            "cat /osmo/data/input/0/a.txt; echo x > {{input:0}}/a.txt || echo read-only; cd {{output}};"
            f" echo 1 > kept; ln -s {secret} stolen; ln -s kept link",
            image="ubuntu:24.04",
            inputs=[{"url": f"s3://{bucket.name}/raw"}],
            outputs=[out(bucket)],
        )
    )
    assert osmo.wait(run).returncode == 0, osmo.log(run)
    assert osmo.logged(run, "[main] data")
    assert osmo.logged(run, "[main] read-only")
    assert bucket.files() == {"raw/a.txt", "out/kept", "out/link"}
    assert osmo.logged(run, "Left out of the output: stolen (a link that leads out of the folder)")


def test_a_later_attempt_fetches_nothing_again(osmo: Osmo, bucket: Bucket) -> None:
    put(bucket, raw__a_txt="data", raw__b_txt="more")
    run = osmo.submit(
        osmo.task(
            "cat {{input:0}}/a.txt; test -e twice && exit 0; touch twice; exit 4",
            exitActions={"RESCHEDULE": "4"},
            inputs=[{"url": f"s3://{bucket.name}/raw"}],
        ),
        OSMO_RETRY_WAIT="100ms",
    )
    assert osmo.wait(run).returncode == 0, osmo.log(run)
    until(lambda: any("0 files" in line and "2 there already" in line for line in osmo.log(run)))
