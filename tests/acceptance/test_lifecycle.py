"""Groups, retries, cancels and a shared machine, as a person sees them."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from osmo.rundir import records
from osmo.rundir.identity import Process
from osmo.rundir.paths import RunDir
from support.cli import Osmo, until

STEADY = "trap 'exit 0' TERM; echo up; while true; do sleep 0.1; done"


def group(osmo: Osmo, name: str, *tasks: dict[str, Any], **more: Any) -> str:
    """A spec of one group, of which the first task is the lead."""
    members = [{"lead": not number, **task} for number, task in enumerate(tasks)]
    return osmo.spec(json.dumps({"workflow": {"name": name, "groups": [{"name": "g", "tasks": members, **more}]}}))


def sh(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "command": ["sh", "-c", script], **more}


def states(osmo: Osmo, run: str) -> dict[str, tuple[str, str]]:
    return {task["name"]: (task["status"], task["message"]) for task in osmo.query(run)["tasks"]}


def test_a_member_that_fails_is_the_leads_business_or_everybodys(osmo: Osmo) -> None:
    lead, other = sh("lead", "sleep 1; echo done"), sh("other", "exit 3")
    ignoring = osmo.submit(group(osmo, "ignoring", lead, other))
    heeding = osmo.submit(group(osmo, "heeding", sh("lead", STEADY), other, ignoreNonleadStatus=False))
    assert osmo.wait(ignoring).returncode == 0
    assert osmo.wait(heeding).returncode == 1
    assert states(osmo, ignoring)["other"][0] == "FAILED"
    assert states(osmo, heeding)["lead"] == ("FAILED", "other, a task of its group, has failed")


def test_a_strict_group_starts_again_as_a_whole_with_its_checkpoints(osmo: Osmo, tmp_path: Path) -> None:
    keeps = {"checkpoint": [{"path": "{{output}}/ckpt", "url": f"file://{tmp_path}/kept", "frequency": "1h"}]}
    lead = sh("lead", "sleep 0.5; test -e again && exit 0; touch again; exit 9", exitActions={"RESCHEDULE": 9})
    count = "mkdir -p {{output}}/ckpt; echo x >> {{output}}/ckpt/starts; wc -l < {{output}}/ckpt/starts"
    spec = group(osmo, "strict", lead, sh("other", f"{count}; {STEADY}", **keeps), ignoreNonleadStatus=False)
    run = osmo.submit(spec, OSMO_RETRY_WAIT="100ms")
    assert osmo.wait(run).returncode == 0
    other = [line.split(" ", 2)[2] for line in osmo.log(run) if "[other" in line and "osmo]" not in line]
    other = [line for line in other if not line.endswith(" Terminated")]  # some shells say so of `sleep`
    assert other == ["[other] 1", "[other] up", "[other retry-1] 2", "[other retry-1] up"]
    assert any("[other][osmo] Starts again together with lead" in line for line in osmo.log(run))
    assert states(osmo, run) == {"lead": ("COMPLETED", ""), "other": ("COMPLETED", "Lead task finished")}


def test_no_retry_is_left_after_as_many_as_there_may_be(osmo: Osmo) -> None:
    spec = osmo.task("echo try; exit 9", exitActions={"RESCHEDULE": "9"})
    run = osmo.submit(spec, "--max-retries", "1", OSMO_RETRY_WAIT="100ms")
    assert osmo.wait(run).returncode == 1
    tries = [line.split(" ", 2)[2] for line in osmo.log(run) if line.endswith(" try")]
    assert tries == ["[main] try", "[main retry-1] try"]
    assert "RESCHEDULE for 9, but no retry is left" in states(osmo, run)["main"][1]


def test_a_task_is_tried_again_though_all_of_osmo_was_killed_before(osmo: Osmo) -> None:
    script = "test -e again || { touch again started; sleep 2; exit 9; }; echo well"
    run = osmo.submit(osmo.task(script, exitActions={"RESCHEDULE": 9}), OSMO_RETRY_WAIT="100ms")
    until((osmo.directory / "started").exists, "the first attempt")
    place = RunDir(osmo.home.workflows / run)
    for path in (place.supervisor, place.attempt("main", 0).agent):
        os.kill(Process.read(records.read(path) or {}).pid, signal.SIGKILL)
    assert osmo.wait(run).returncode == 0
    assert any(line.endswith("[main retry-1] well") for line in osmo.log(run))


def test_a_cancel_says_why_and_force_waits_for_nothing(osmo: Osmo, tmp_path: Path) -> None:
    keeps = [{"path": "{{output}}", "url": f"file://{tmp_path}/kept", "frequency": "1h"}]
    stubborn = "trap '' TERM; echo x > {{output}}/file; echo up; while true; do sleep 0.1; done"
    tasks = [sh("main", stubborn, checkpoint=keeps), sh("later", "true", inputs=[{"task": "main"}])]
    run = osmo.submit(osmo.spec(json.dumps({"workflow": {"name": "c", "tasks": tasks}})), OSMO_GRACE="1h")
    osmo.until_logged(run, "up")
    assert osmo("workflow", "cancel", run, "-m", "wrong data").returncode == 0
    until(lambda: states(osmo, run)["later"][0] == "FAILED_CANCELED", "the end of what never began")
    assert states(osmo, run)["later"][1] == "canceled by the user: wrong data (before the command was started)"
    assert states(osmo, run)["main"][0] == "RUNNING"
    assert osmo("workflow", "cancel", run, "--force", "-m", "at once").returncode == 0
    assert osmo.wait(run).returncode == 4
    message = states(osmo, run)["main"][1]
    assert message.startswith("canceled by the user: at once. the last checkpoint of ")
    assert "upload them by hand" in message
    assert not list((tmp_path / "kept").rglob("*/log/*"))


def test_tasks_take_turns_on_a_machine_and_have_devices_of_their_own(osmo: Osmo) -> None:
    script = 'echo "mine: $CUDA_VISIBLE_DEVICES"; until test -e go; do sleep 0.1; done'
    tasks = [sh(name, script, resource="one") for name in ("a", "b", "c")]
    workflow = {"name": "r", "resources": {"one": {"gpu": 1}}, "tasks": tasks}
    run = osmo.submit(osmo.spec(json.dumps({"workflow": workflow})), OSMO_GPUS="4,7")
    until(lambda: osmo.logged(run, "mine", "a") and osmo.logged(run, "mine", "b"), "two of them")
    until(lambda: states(osmo, run)["c"] == ("SCHEDULING", states(osmo, run)["c"][1]), "the third in the queue")
    assert states(osmo, run)["c"][1].startswith("waits for 1 gpu; free: ")
    (osmo.directory / "go").touch()
    assert osmo.wait(run).returncode == 0
    mine = {line.split(" ", 2)[2] for line in osmo.log(run) if "mine" in line}
    assert {"[a] mine: 4", "[b] mine: 7"} <= mine
    assert mine & {"[c] mine: 4", "[c] mine: 7"}


def test_what_a_machine_never_has_is_refused(osmo: Osmo) -> None:
    workflow = {
        "name": "r",
        "resources": {"default": {"cpu": 100000}},
        "tasks": [sh("a", "true")],
    }
    spec = osmo.spec(json.dumps({"workflow": workflow}))
    refused = osmo("workflow", "submit", spec)
    assert refused.returncode == 2
    assert refused.stderr.startswith("osmo: a asks for 100000 cpu, and this machine has ")
    assert osmo.wait(osmo.submit(spec, OSMO_RESOURCES="ignore")).returncode == 0


def test_a_task_that_waits_for_too_long_ends(osmo: Osmo) -> None:
    workflow = {
        "name": "q",
        "timeout": {"queue_timeout": "500ms"},
        "resources": {"all": {"gpu": 1}},
        "tasks": [sh("a", "sleep 2", resource="all"), sh("b", "true", resource="all")],
    }
    run = osmo.submit(osmo.spec(json.dumps({"workflow": workflow})), OSMO_GPUS="0")
    assert osmo.wait(run).returncode == 1
    assert states(osmo, run) == {
        "a": ("COMPLETED", ""),
        "b": ("FAILED_QUEUE_TIMEOUT", "Task stayed in queue longer than the set limit of 0.5 seconds."),
    }


def test_while_a_task_waits_to_be_tried_again_its_checkpoints_are_told(osmo: Osmo, tmp_path: Path) -> None:
    keeps = [{"path": "{{output}}", "url": f"file://{tmp_path}/kept", "frequency": "1h"}]
    script = "echo x > {{output}}/file; exit 9"
    run = osmo.submit(osmo.task(script, checkpoint=keeps, exitActions={"RESCHEDULE": 9}), OSMO_RETRY_WAIT="1h")
    until(lambda: osmo.query(run)["tasks"][0]["attempt"] == 1, "the second attempt")
    until(lambda: osmo.query(run)["tasks"][0]["status"] == "WAITING", "its wait")
    seen = osmo.query(run)
    assert (seen["status"], seen["not_in_store"]) == ("RUNNING", {"files": 0, "size": 0})
    assert seen["tasks"][0]["checkpoints"][0]["checkpoint"] == 1
    assert osmo("workflow", "check", run, "--max-age", "1h").returncode == 0
    assert osmo("workflow", "cancel", run).returncode == 0
    assert osmo.wait(run).returncode == 4
    assert osmo("workflow", "delete", run).returncode == 0
