"""Deleting runs."""

import json
import os
import pty
from pathlib import Path

from acceptance.conftest import Bucket
from osmo.rundir import records
from osmo.rundir.paths import RunDir
from support.cli import BIN, Osmo, until


def ended(osmo: Osmo, name: str, at: str = "") -> str:
    run = osmo.submit(osmo.task("true", name=name))
    osmo.wait(run)
    place = RunDir(osmo.home.workflows / run).ended
    until(place.exists)
    if at:
        records.write(place, (records.read(place) or {}) | {"ended": at})
    return run


def test_a_deleted_run_is_gone_and_its_id_is_never_used_again(osmo: Osmo) -> None:
    run = ended(osmo, "t")
    (osmo.attempt(run).task_output / "model").write_bytes(bytes(1_000_000))
    deleted = osmo("workflow", "delete", run)
    assert deleted.returncode == 0
    assert deleted.stdout.startswith("Deleted t-1, 1.")
    assert list(osmo.home.workflows.iterdir()) == []
    assert osmo("workflow", "query", run).returncode == 2
    assert osmo.submit(osmo.task("true")) == "t-2"


def test_only_runs_that_are_over_are_deleted(osmo: Osmo) -> None:
    live = osmo.submit(osmo.task("sleep 600", name="live"))
    over = ended(osmo, "over")
    result = osmo("workflow", "delete", live, over, "nobody-1", "--json")
    assert result.returncode == 2
    told = {one["name"]: (one["deleted"], one["message"]) for one in json.loads(result.stdout)}
    assert told[over] == (True, "")
    assert told[live][1].endswith("end it first, with `osmo workflow cancel live-1`")
    assert "no run 'nobody-1'" in told["nobody-1"][1]
    assert osmo.query(live)["status"] in ("PENDING", "RUNNING")
    assert osmo("workflow", "delete").returncode == 2


def test_old_runs_are_deleted_by_their_age(osmo: Osmo) -> None:
    old = [ended(osmo, "old", "2020-01-01T00:00:00+00:00"), ended(osmo, "old", "2021-01-01T00:00:00+00:00")]
    young = ended(osmo, "young")
    live = osmo.submit(osmo.task("sleep 600", name="live"))
    result = osmo("workflow", "delete", "--older-than", "30d")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert [line.partition(",")[0] for line in lines[:2]] == [f"Deleted {run}" for run in old]
    assert lines[2].startswith("2 runs, ")
    assert lines[2].endswith(" in all")
    assert {path.name for path in osmo.home.workflows.iterdir()} == {young, live}
    assert osmo("workflow", "delete", "--older-than", "30d").stdout == "There is nothing to delete.\n"
    kept = osmo("workflow", "delete", young, "--older-than", "1h")
    assert kept.returncode == 2
    assert "osmo: young-1: is kept: it ended " in kept.stderr
    wrong = osmo("workflow", "delete", "--older-than", "soon")
    assert (wrong.returncode, "--older-than: 'soon' is not a duration" in wrong.stderr) == (2, True)


def test_a_terminal_is_asked_before_several_runs_go(osmo: Osmo) -> None:
    runs = [ended(osmo, "t"), ended(osmo, "t")]
    assert "Delete 2 runs, " in typed(osmo, "n\n", "workflow", "delete", *runs)
    assert len(list(osmo.home.workflows.iterdir())) == 2
    typed(osmo, "y\n", "workflow", "delete", *runs)
    assert list(osmo.home.workflows.iterdir()) == []
    runs = [ended(osmo, "t"), ended(osmo, "t")]
    assert "?" not in typed(osmo, "", "workflow", "delete", *runs, "--yes")
    assert list(osmo.home.workflows.iterdir()) == []


def typed(osmo: Osmo, keys: str, *args: str) -> str:
    """What a terminal shows when a person calls osmo and types."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(osmo.directory)
        os.execve(BIN / "osmo", ["osmo", *args], osmo.environ)
    os.write(terminal, keys.encode())
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # it has ended
            break
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode()


def test_files_that_are_nowhere_else_are_not_deleted_by_the_way(osmo: Osmo, bucket: Bucket) -> None:
    entry = {"path": "{{output}}", "url": f"s3://{bucket.name}", "frequency": "1h"}
    run = osmo.submit(osmo.task("echo a > {{output}}/a", checkpoint=[entry]))
    osmo.wait(run)
    (osmo.attempt(run).task_output / "b").write_text("later")
    refused = osmo("workflow", "delete", run)
    assert refused.returncode == 2
    assert (
        f"osmo: {run}: 1 file, 5 B, in it is not in the data store; --force deletes it nevertheless" in refused.stderr
    )
    assert (osmo.attempt(run).task_output / "b").exists()
    assert osmo("workflow", "delete", run, "--force").returncode == 0
    assert not Path(osmo.home.workflows / run).exists()


def test_a_run_whose_output_another_reads_stays_until_that_has_ended(osmo: Osmo) -> None:
    first = osmo.submit(osmo.task("echo seven > {{output}}/number", name="first"))
    osmo.wait(first)
    script = "until test -e go; do sleep 0.05; done; cat {{input:0}}/number"
    reader = osmo.submit(osmo.task(script, name="reader", inputs=[{"task": f"{first}:main"}]))
    refused = osmo("workflow", "delete", first)
    assert refused.returncode == 2
    assert f"osmo: {first}: is read by {reader} (main), which has not ended" in refused.stderr
    (osmo.directory / "go").touch()
    assert osmo.wait(reader).returncode == 0, osmo.log(reader)
    assert osmo("workflow", "delete", first).returncode == 0
