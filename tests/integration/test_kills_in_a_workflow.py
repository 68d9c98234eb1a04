"""Tasks that wait for each other, fail and begin anew, while supervisor, agents and commands are killed.

The long form: `OSMO_RIG_KILLS=200 OSMO_RIG_SEED=1 scripts/test --long tests/integration/test_kills_in_a_workflow.py`.
"""

import json
import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osmo.rundir.identity import Process
from osmo.rundir.paths import RunDir
from support.cli import Osmo, osmo_in, until
from support.processes import Processes
from support.servers import S3Server, rclone_s3

pytestmark = pytest.mark.timeout(400)

STEPS = 4
LEAD_STEPS = 3
RETRIES = "100"
PATIENCE_S = 120.0

# One attempt at a time holds the lock; who finds it held has been started twice.
TRAIN = """
exec 9>>lock-$NAME; flock -n 9 || echo $NAME >> twice
mkdir -p {{output}}/steps; n=$(ls {{output}}/steps | wc -l); echo begins at $n
sleep 0.$((RANDOM % 4)); n=$((n + 1)); cat {{input:make}}/number > {{output}}/steps/$n
echo ends at $n; [ $n -ge $STEPS ] || exit 4
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with rclone_s3(tmp_path_factory.mktemp("rclone") / "data") as running:
        yield running


@pytest.fixture
def osmo(tmp_path: Path, server: S3Server) -> Iterator[Osmo]:
    with osmo_in(tmp_path, server.environ) as command:
        yield command


def training(name: str, token: str, url: str, steps: int, **more: Any) -> dict[str, Any]:
    """A task that makes one step in each attempt. 137: killed by us."""
    return {
        "name": name,
        "command": ["bash", "-c", TRAIN, token],
        "environment": {"NAME": name, "STEPS": str(steps)},
        "inputs": [{"task": "make"}],
        "checkpoint": [{"path": "{{output}}/steps", "url": f"{url}/{name}", "frequency": "1h"}],
        "exitActions": {"RESCHEDULE": "4,137"},
        **more,
    }


def workflow(name: str, token: str, url: str) -> str:
    make = {
        "name": "make",
        "command": ["bash", "-c", "sleep 0.2; echo seven > {{output}}/number", token],
        "exitActions": {"RESCHEDULE": "137"},
    }
    members = [
        training("lead", token, url, LEAD_STEPS, lead=True),
        {"name": "mate", "command": ["sleep", "600"], "inputs": [{"task": "make"}]},
    ]
    report = {
        "name": "report",
        "command": ["bash", "-c", "cat {{input:train}}/steps/* {{input:lead}}/steps/* > {{output}}/all", token],
        "inputs": [{"task": "train"}, {"task": "lead"}],
        "outputs": [{"url": f"{url}/report"}],
        "exitActions": {"RESCHEDULE": "137"},
    }
    alone = [{"name": f"of-{task['name']}", "tasks": [task | {"lead": True}]} for task in (make, report)]
    groups = [
        alone[0],
        {"name": "of-train", "tasks": [training("train", token, url, STEPS, lead=True)]},
        {"name": "pair", "ignoreNonleadStatus": True, "tasks": members},
        alone[1],
    ]
    return json.dumps({"workflow": {"name": name, "groups": groups}})


def play(osmo: Osmo, url: str, seed: int, kills: int, name: str = "dag") -> int:
    """One run with at most so many kills. How many there were."""
    chance = random.Random(seed)
    run, token = f"{name}-1", f"token-of-{osmo.directory}-{name}"
    spec = osmo.spec(workflow(name, token, url), f"{name}.yaml")
    assert osmo.submit(spec, "--max-retries", RETRIES, OSMO_RETRY_WAIT="50ms") == run
    of = Processes(RunDir(osmo.home.workflows / run), token)
    killed = 0
    while killed < kills and osmo.query(run)["status"] in ("RUNNING", "PENDING"):  # who asks starts a supervisor
        time.sleep(chance.uniform(0, 0.7))
        pids = chance.choice((of.all_agents, of.supervisors, of.commands, of.all_agents))()
        if pids:
            pid = chance.choice(pids)
            of.kill(pid)
            dead(pid)
            killed += 1
    until(lambda: osmo.query(run)["status"] not in ("RUNNING", "PENDING"), "the end", PATIENCE_S)
    check_the_end(osmo, run, name)
    return killed


def dead(pid: int) -> None:
    until(lambda: not Process.of(pid).alive, f"the death of {pid}", PATIENCE_S)


def check_the_end(osmo: Osmo, run: str, name: str) -> None:
    seen = osmo.query(run)
    states = {task["name"]: task["status"] for task in seen["tasks"]}
    assert seen["status"] == "COMPLETED", (states, osmo.log(run))
    assert {*states.values()} == {"COMPLETED"}, states
    assert not (osmo.directory / "twice").exists()
    for task, steps in (("train", STEPS), ("lead", LEAD_STEPS)):
        said = re.findall(
            rf"^.*\[{task}(?: retry-\d+)?\] (begins|ends) at (\d+)$", "\n".join(osmo.log(run)), re.MULTILINE
        )
        stands = 0
        for what, at in said:
            if what == "begins":
                assert int(at) in (stands, stands + 1), said  # one that was killed may have made its step
            stands = int(at)
        assert stands == steps, said
    kept = (osmo.attempt(run, "report").task_output / "all").read_text()
    assert kept.split() == ["seven"] * (STEPS + LEAD_STEPS)


@pytest.mark.parametrize("seed", [1])
def test_a_workflow_survives_random_kills(osmo: Osmo, seed: int) -> None:
    assert play(osmo, f"file://{osmo.directory}/store", seed, kills=4) > 0


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_workflows_survive_many_random_kills(osmo: Osmo, server: S3Server) -> None:
    seed = int(os.environ.get("OSMO_RIG_SEED", "1"))
    wanted, kills, runs = int(os.environ.get("OSMO_RIG_KILLS", "100")), 0, 0
    while kills < wanted:
        runs += 1
        bucket = f"osmo-dag-{runs}"
        server.make_bucket(bucket)
        url = f"s3://{bucket}" if runs % 2 else f"file://{osmo.directory}/store-{runs}"
        kills += play(osmo, url, seed + runs, kills=12, name=f"dag{runs}")
    print(f"{kills} kills in {runs} runs")
