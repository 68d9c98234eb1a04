"""What has failed of a run is run again, from its checkpoints."""

from pathlib import Path

from support.cli import Osmo
from support.stored import Stored

SPEC = """
workflow:
  name: r
  tasks:
  - name: data
    command: [sh, -c, 'echo made >> made; echo seven > {{output}}/number']
  - name: train
    inputs: [{task: data}]
    files:
    - path: %(directory)s/train.sh
      contents: |
        mkdir -p {{output}}/ckpt
        echo "number $(cat {{input:0}}/number), steps so far: $(ls {{output}}/ckpt | wc -l)"
        touch {{output}}/ckpt/step-$(ls {{output}}/ckpt | wc -l)
        test -e well
    command: [sh, %(directory)s/train.sh]
    checkpoint: [{path: '{{output}}/ckpt', url: 'file://%(directory)s/kept/{{workflow_id}}', frequency: 1h}]
  - name: report
    inputs: [{task: train}]
    command: [sh, -c, 'ls {{input:0}}/ckpt']
"""


def test_what_failed_goes_on_from_its_checkpoint_and_what_completed_is_not_run_again(
    osmo: Osmo, tmp_path: Path
) -> None:
    run = osmo.submit(osmo.spec(SPEC % {"directory": tmp_path}))
    assert osmo.wait(run).returncode == 1
    again = osmo("workflow", "restart", run)
    assert again.stdout.splitlines() == ["Workflow r-1 restarted.", "Workflow ID        - r-2"]
    assert osmo.wait("r-2").returncode == 1
    (tmp_path / "well").touch()
    assert osmo("workflow", "restart", "r-2").returncode == 0
    assert osmo.wait("r-3").returncode == 0
    said = [next(line for line in osmo.log(f"r-{number}") if "] number" in line) for number in (1, 2, 3)]
    assert [line.split("[train] ")[1] for line in said] == [
        f"number seven, steps so far: {steps}" for steps in (0, 1, 2)
    ]
    assert (tmp_path / "made").read_text() == "made\n"
    assert [task["name"] for task in osmo.query("r-3")["tasks"]] == ["train", "report"]
    assert Stored(tmp_path / "kept/r-1").files() == {"ckpt/step-0", "ckpt/step-1", "ckpt/step-2"}
    assert any("[report] step-2" in line for line in osmo.log("r-3"))


def test_what_has_not_failed_is_not_restarted(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("true"))
    osmo.wait(run)
    refused = osmo("workflow", "restart", run)
    assert (refused.returncode, refused.stderr) == (2, "osmo: t-1 is COMPLETED: nothing of it has failed\n")
    going = osmo.submit(osmo.task("sleep 60"))
    assert "t-2 is " in osmo("workflow", "restart", going).stderr
