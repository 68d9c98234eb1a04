"""Finding out about a run: since when, what failed, what happened, and a look from beside the task."""

import json
from typing import Any

import pytest

from support.cli import Osmo
from support.needs import need_program

WAIT = "until [ -e go ]; do sleep 0.1; done"


def go(osmo: Osmo) -> None:
    (osmo.directory / "go").touch()


def test_the_log_since_a_moment(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("echo first; sleep 2.1; echo last"))
    osmo.wait(run)
    lines = osmo.log(run)
    last = next(line for line in lines if line.endswith("] last"))
    moment = last[:19].replace("/", "-").replace(" ", "T")
    assert osmo.log(run, "--since", moment) == lines[lines.index(last) :]
    assert osmo.log(run, "--since", f"{moment}+00:00") == lines[lines.index(last) :]
    assert osmo.log(run, "--since", "1h") == lines
    assert osmo.log(run, "--since", "2100-01-01") == []
    refused = osmo("workflow", "logs", run, "--since", "yesterday")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "'yesterday' is not a duration" in refused.stderr


def test_the_log_of_one_attempt(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("echo hello"))
    osmo.wait(run)
    assert osmo.log(run, "--task", "main", "--retry-id", "0") == osmo.log(run)
    refused = osmo("workflow", "logs", run, "--task", "main", "--retry-id", "1")
    assert refused.stderr == f"osmo: main of {run} has no retry 1 (it has 0 to 0)\n"


def test_only_what_failed(osmo: Osmo) -> None:
    tasks = [
        {"name": "well", "command": ["sh", "-c", "echo fine"]},
        {"name": "ill", "command": ["sh", "-c", "for n in $(seq 200); do echo line $n; done; exit 3"]},
    ]
    run = osmo.submit(osmo.spec(json.dumps({"workflow": {"name": "w", "tasks": tasks}})))
    osmo.wait(run)
    lines = osmo("workflow", "logs", run, "--error").stdout.splitlines()
    assert lines == osmo.log(run, "--task", "ill")[-100:]
    assert lines[-1].endswith("The command failed: exit code 3")


def test_what_happened(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("exit 3"))
    osmo.wait(run)
    head, *lines = osmo("workflow", "events", run).stdout.splitlines()
    assert head == f"Workflow {run} has events:"
    assert [line[20:].partition(" on ")[0] for line in lines] == [
        "submitted",
        "[main] the command was started",
        "[main] FAILED (exit code 3; the command failed: exit code 3)",
        "ended: FAILED",
    ]
    of_task: list[dict[str, Any]] = json.loads(osmo("workflow", "events", run, "-t", "main", "--json").stdout)
    assert [(event["task"], event["attempt"]) for event in of_task] == [("main", 0), ("main", 0)]


@pytest.mark.parametrize("more", [{}, {"image": "ubuntu:24.04"}], ids=["process", "sandbox"])
def test_a_program_beside_a_task_has_what_the_task_has(osmo: Osmo, more: dict[str, str]) -> None:
    if more:
        need_program("bwrap")
    own = "/tmp/of-the-task" if more else "of-the-task"
    run = osmo.submit(osmo.task(f"echo mine >{own}; echo begun; {WAIT}", environment={"COLOUR": "green"}, **more))
    osmo.until_logged(run, "begun")
    shown = osmo("workflow", "exec", run, "main", "--entry", f"sh -c 'cat {own}; echo $COLOUR; pwd; osmo version'")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"mine\ngreen\n{osmo.directory}\nosmo ")
    assert osmo("workflow", "exec", run, "main", "--entry", "sh -c 'exit 7'").returncode == 7
    missing = osmo("workflow", "exec", run, "main", "--entry", "no-such-program")
    assert missing.stderr == "osmo: command not found: 'no-such-program' (in the PATH of the task)\n"
    other = osmo("workflow", "exec", run, "other")
    assert other.stderr == f"osmo: {run} has no task 'other' (it has main)\n"
    go(osmo)
    osmo.wait(run)


def test_a_program_beside_each_task_of_a_group(osmo: Osmo) -> None:
    tasks = [
        {
            "name": name,
            "lead": name == "one",
            "command": ["sh", "-c", f"echo begun; {WAIT}"],
            "environment": {"OWN": name},
        }
        for name in ("one", "two")
    ]
    run = osmo.submit(osmo.spec(json.dumps({"workflow": {"name": "t", "groups": [{"name": "pair", "tasks": tasks}]}})))
    for task in ("one", "two"):
        osmo.until_logged(run, "begun", task)
    script = "echo I am $OWN; echo twice >&2; test $OWN = one"
    shown = osmo("workflow", "exec", run, "--group", "pair", "--entry", f"sh -c '{script}'")
    assert shown.returncode == 1
    assert sorted(shown.stdout.splitlines()) == ["[one] I am one", "[one] twice", "[two] I am two", "[two] twice"]
    for options, said in (
        (("--group", "pair"), "--group needs a command: --entry COMMAND"),
        (("--group", "other", "--entry", "true"), f"{run} has no group 'other' (it has pair)"),
        (("one", "--group", "pair", "--entry", "true"), "one and --group pair: one of them"),
        ((), "which task? Name it, or a whole group: --group NAME --entry COMMAND"),
    ):
        assert osmo("workflow", "exec", run, *options).stderr == f"osmo: {said}\n"
    go(osmo)
    osmo.wait(run)


def test_runs_are_found_by_tags(osmo: Osmo) -> None:
    first, second = (osmo.submit(osmo.task("true")) for _ in range(2))
    for run in (first, second):
        osmo.wait(run)
    assert osmo("workflow", "tag", "-w", first, second, "-a", "good", "v1").stdout.splitlines() == [
        f"Workflow {first} updated: good, v1",
        f"Workflow {second} updated: good, v1",
    ]
    osmo("workflow", "tag", "--workflow", second, "--remove", "v1")
    assert osmo("workflow", "list", "-q", "--tags", "good").stdout.split() == [second, first]
    assert osmo("workflow", "list", "-q", "--tags", "good", "v1").stdout.split() == [first]
    assert "good, v1" in osmo("workflow", "list").stdout
    refused = osmo("workflow", "tag", "-w", first, "no-1", "-a", "x y")
    assert (refused.returncode, refused.stderr.startswith("osmo: 'x y' is not a tag: ")) == (2, True)
    gone = osmo("workflow", "tag", "-w", "no-1", first, "-a", "x")
    assert (gone.returncode, gone.stdout) == (2, f"Workflow {first} updated: good, v1, x\n")
