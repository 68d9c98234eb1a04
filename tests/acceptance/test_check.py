"""`osmo workflow check`: for cron, Nagios, and the epilog of a Slurm job."""

import json

from acceptance.conftest import Bucket
from support.cli import Osmo, until


def test_a_checkpoint_that_is_young_enough_is_fine(osmo: Osmo, bucket: Bucket) -> None:
    entry = {"path": "data", "url": f"s3://{bucket.name}", "frequency": "300ms"}
    run = osmo.submit(osmo.task("mkdir data; echo a > data/a; sleep 600", checkpoint=[entry]))
    until(lambda: osmo.status(run).get("streams") and osmo.status(run)["streams"][0]["checkpoint"] == 1)
    fine = osmo("workflow", "check", run, "--max-age", "2h")
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout.startswith(f"{run}: OK: main: {osmo.directory}/data: last checkpoint ")
    assert fine.stdout.count("\n") == 1
    told = json.loads(osmo("workflow", "check", run, "--max-age", "2h", "--json").stdout)
    assert (told["fine"], told["status"], len(told["entries"])) == (True, "RUNNING", 1)


def test_a_task_that_runs_too_long_without_one_is_not(osmo: Osmo, bucket: Bucket) -> None:
    entries = [{"path": path, "url": f"s3://{bucket.name}", "frequency": "1h"} for path in ("none", "nor")]
    run = osmo.submit(osmo.task("echo ready; sleep 600", checkpoint=entries))
    osmo.until_logged(run, "ready")
    old = osmo("workflow", "check", run, "--max-age", "1ms")
    assert old.returncode == 1
    assert old.stdout.startswith(f"{run}: TOO OLD: main: {osmo.directory}/none: no checkpoint yet, after ")
    assert old.stdout.endswith(" (and 1 more)\n")
    assert osmo("workflow", "check", run, "--max-age", "1h").returncode == 0


def test_of_an_ended_run_what_is_on_disk_decides(osmo: Osmo, bucket: Bucket) -> None:
    entry = {"path": "data", "url": f"s3://{bucket.name}", "frequency": "1h"}
    run = osmo.submit(osmo.task("mkdir data; echo a > data/a", checkpoint=[entry]))
    osmo.wait(run)
    fine = osmo("workflow", "check", run, "--max-age", "1ms")
    assert (fine.returncode, fine.stdout.endswith(": everything on disk is in the store\n")) == (0, True)
    (osmo.directory / "data/b").write_text("later")
    lost = osmo("workflow", "check", run, "--max-age", "300d")
    assert lost.returncode == 1
    assert lost.stdout.endswith(": it has ended, and 1 file, 5 B on disk is not in the store\n")


def test_wrong_use_is_bad_input(osmo: Osmo) -> None:
    assert osmo("workflow", "check", "t-1").returncode == 2
    assert osmo("workflow", "check", "t-1", "--max-age", "1h").returncode == 2
    soon = osmo("workflow", "check", "t-1", "--max-age", "soon")
    assert (soon.returncode, "--max-age: 'soon' is not a duration" in soon.stderr) == (2, True)
