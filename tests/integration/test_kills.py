"""Whatever is killed, and whenever: the command goes on if it lives, gets an agent, and is told as it was.

The short form is a few seeded runs. The long one: `OSMO_RIG_KILLS=100 OSMO_RIG_SEED=1 scripts/test --long
tests/integration/test_kills.py`.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from osmo.rundir import records
from osmo.rundir.identity import Process
from support.cli import Osmo, osmo_in, until
from support.faults import Fault
from support.kills import RECOVERY_S, VICTIMS, Rig, rig
from support.proxy import FaultProxy
from support.servers import S3Server, rclone_s3
from support.stored import Stored

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with rclone_s3(tmp_path_factory.mktemp("rclone") / "data") as running:
        yield running


@pytest.fixture
def osmo(tmp_path: Path, server: S3Server) -> Iterator[Osmo]:
    with osmo_in(tmp_path, server.environ) as command:
        yield command


def place(server: S3Server, osmo: Osmo, kind: str, name: str) -> tuple[str, Stored]:
    """A store for a run: its url, and what is in it."""
    if kind == "file":
        return f"file://{osmo.directory}/store-{name}", Stored(osmo.directory / f"store-{name}")
    bucket = f"{osmo.directory.name.replace('_', '-').lower()[-40:].strip('-')}-{name}"
    server.make_bucket(bucket)
    return f"s3://{bucket}", Stored(server.directory / bucket)


def play(osmo: Osmo, server: S3Server, kind: str, seed: int, kills: int, name: str = "killed") -> list[str]:
    """One run with so many kills; what was killed. A third begins at once, a third ends at the last checkpoint."""
    with rig(osmo, *place(server, osmo, kind, name), seed, name) as made:
        chance = made.random
        made.submit("--no-check")
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0, 0.6))
            made.kill(chance.choice(VICTIMS[:4]))
        made.recovers()
        while len(made.killed) < kills - 1 and not made.over:
            time.sleep(chance.uniform(0, 0.8))
            made.kill(chance.choice(VICTIMS[:3] if chance.random() < 0.8 else VICTIMS))
            made.recovers()
        made.stop()
        if not made.over:
            time.sleep(chance.uniform(0, 0.8))
            made.kill(chance.choice(VICTIMS[:3]))
        made.check_the_end()
        return made.killed


@pytest.mark.parametrize(("kind", "seed"), [("file", 1), ("s3", 2)])
def test_a_run_survives_random_kills(osmo: Osmo, server: S3Server, kind: str, seed: int) -> None:
    play(osmo, server, kind, seed, kills=3)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_runs_survive_many_random_kills(osmo: Osmo, server: S3Server) -> None:
    chance = random.Random(seed := int(os.environ.get("OSMO_RIG_SEED", "1")))
    kills, wanted, runs = 0, int(os.environ.get("OSMO_RIG_KILLS", "100")), 0
    while kills < wanted:
        runs += 1
        kind, own_seed = chance.choice(["file", "s3"]), chance.randrange(2**32)
        print(f"seed {seed}, run {runs}: {kind}, {own_seed}", flush=True)
        killed = play(osmo, server, kind, own_seed, 4, f"run{runs}")
        kills += len(killed)
        print(f"  {killed}; {kills} kills", flush=True)


@pytest.fixture
def made(osmo: Osmo, server: S3Server) -> Iterator[Rig]:
    """A run that is well under way."""
    with rig(osmo, *place(server, osmo, "file", "killed"), 1, constant=True) as one:
        one.submit("--no-check")
        until(lambda: one.checkpoint > 0, "a first checkpoint", RECOVERY_S)
        yield one


def test_a_killed_agent_is_replaced_and_learns_the_exit_code(made: Rig) -> None:
    made.kill("agent")
    made.recovers()
    made.stop()
    made.check_the_end()


def test_a_command_whose_shell_was_killed_goes_on_and_ends_as_137(made: Rig) -> None:
    made.kill("wrapper")
    time.sleep(1)
    assert len(made.processes.commands()) == 1
    made.recovers()
    made.stop()
    made.check_the_end()


def test_agent_and_supervisor_and_shell_may_all_be_killed(made: Rig) -> None:
    made.kill("both")
    made.kill("wrapper")
    assert len(made.processes.commands()) == 1
    made.recovers()
    made.stop()
    made.check_the_end()


def test_a_killed_command_is_told_and_checkpointed(made: Rig) -> None:
    made.kill("both")
    made.kill("command")
    made.look()
    made.check_the_end()


@pytest.mark.parametrize("command", ["query", "logs", "wait"])
def test_whoever_looks_at_a_run_starts_its_dead_supervisor_again(made: Rig, command: str) -> None:
    made.kill("both")
    looking = made.osmo.start("workflow", command, made.run.id)
    until(made.processes.supervisors, "a supervisor", RECOVERY_S)
    until(made.processes.agents, "an agent", RECOVERY_S)
    assert len(made.processes.commands()) == made.starts == 1
    looking.kill()
    made.stop()
    made.check_the_end()


def test_an_agent_that_its_supervisor_never_heard_of_is_not_doubled(made: Rig) -> None:
    """It was started just before the old supervisor died: the new one does not know, and starts another."""
    first = made.processes.agents()
    made.kill("supervisor")
    made.run.attempt("main", 0).agent.unlink()  # as if it had not got so far
    made.look()
    until(lambda: len(made.processes.agents()) == 2, "the second agent", RECOVERY_S)
    before = made.checkpoint
    until(lambda: made.checkpoint > before + 1, "checkpoints", RECOVERY_S)
    assert not made.run.attempt("main", 0).agent.exists()  # it waits
    made.processes.kill(*first)
    until(made.run.attempt("main", 0).agent.exists, "its turn", RECOVERY_S)
    made.recovers()
    made.stop()
    made.check_the_end()


def test_a_cancel_whose_agent_is_killed_during_the_last_checkpoint_is_still_a_cancel(
    osmo: Osmo, server: S3Server
) -> None:
    with FaultProxy(server.endpoint) as proxy, rig(osmo, *place(server, osmo, "s3", "canceled"), 1, "canceled") as made:
        osmo.environ["AWS_ENDPOINT_URL_S3"] = proxy.endpoint
        made.submit("--no-check")
        until(lambda: made.checkpoint > 0, "a first checkpoint", RECOVERY_S)
        slow = proxy.fault(Fault(latency_s=60))
        assert osmo("workflow", "cancel", made.run.id).returncode == 0
        until(made.run.attempt("main", 0).exit.exists, "the command's end")
        until(lambda: osmo.logged(made.run.id, "The command has ended"), "the last checkpoint's beginning")
        made.kill("agent")
        slow.end()
        assert osmo.wait(made.run.id).returncode == 4
        [task] = osmo.query(made.run.id)["tasks"]
        assert (task["status"], task["exit_code"]) == ("FAILED_CANCELED", 143)
        made.check_store()
        assert made.starts == 1


def test_what_was_committed_and_not_noted_is_not_sent_again(made: Rig) -> None:
    """The agent dies between the record in the store and its own note of it."""
    attempt = made.run.attempt("main", 0)
    noted = attempt.saved(0).read_bytes()
    before = made.checkpoint
    until(lambda: made.checkpoint > before + 1)
    made.kill("both")
    attempt.saved(0).write_bytes(noted)
    constant = made.stored.directory / "data" / "constant"
    inode = constant.stat().st_ino
    made.recovers()
    made.stop()
    made.check_the_end()
    assert constant.stat().st_ino == inode  # each upload makes another


def test_nobody_else_s_agent_record_is_believed(made: Rig) -> None:
    """A pid that belongs to another process now is not the agent's."""
    agent = records.read(made.run.attempt("main", 0).agent) or {}
    made.kill("both")
    records.write(made.run.attempt("main", 0).agent, agent | {"pid": os.getpid()})
    assert not Process.read(agent | {"pid": os.getpid()}).alive
    made.recovers()
    made.stop()
    made.check_the_end()
