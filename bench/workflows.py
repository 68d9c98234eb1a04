"""Many tasks, and many workflows, at once: `scripts/bench workflows`. What of them is lost, what a supervisor costs.

Tasks that only sleep, so that all of them are alive together. Processor time of a supervisor is what the kernel says of
it just before the end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from osmo.rundir import records
from osmo.rundir.home import Home
from osmo.rundir.identity import Process
from osmo.rundir.paths import RunDir

OSMO = Path(sys.executable).parent / "osmo"
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench workflows", description=__doc__)
    parser.add_argument("--tasks", type=int, default=200, help="of the one large workflow")
    parser.add_argument("--workflows", type=int, default=100, help="at once, of one task each")
    parser.add_argument("--seconds", type=int, default=60, help="that each task takes")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        home = Home(Path(folder) / "home")
        print(f"{asked.tasks} tasks in one workflow")
        _measure(home, Path(folder), "large", asked.tasks, 1, asked.seconds)
        print(f"{asked.workflows} workflows of one task")
        _measure(home, Path(folder), "many", 1, asked.workflows, asked.seconds)


def _measure(home: Home, folder: Path, name: str, tasks: int, workflows: int, seconds: int) -> None:
    spec = folder / f"{name}.yaml"
    command = ["sleep", str(seconds)]
    one = {"name": name, "tasks": [{"name": f"t{number}", "command": command} for number in range(tasks)]}
    spec.write_text(json.dumps({"workflow": one}))
    environ = {**os.environ, "OSMO_HOME": str(home.path), "OSMO_SPOT": "off"}
    began = time.monotonic()
    for _ in range(workflows):
        subprocess.run([OSMO, "workflow", "submit", spec], env=environ, check=True, stdout=subprocess.DEVNULL)
    runs = [run for run in home.runs() if run.id.startswith(f"{name}-")]
    cost: dict[str, float] = {}
    while going := [run for run in runs if not run.ended.exists()]:
        cost |= {run.id: spent for run in going if (spent := _spent(run)) is not None}
        time.sleep(0.2)
    took = time.monotonic() - began
    states = Counter(state for run in runs for state in _states(run, tasks))
    print(f"  all over after {took:.0f} s; tasks by state: {dict(states)}; runs: {len(runs)}")
    print(f"  processor time of all supervisors: {sum(cost.values()):.2f} s, {sum(cost.values()) / took:.1%} of a core")


def _spent(run: RunDir) -> float | None:
    """Seconds of processor time of the run's supervisor so far."""
    record = records.read(run.supervisor)
    if record is None or not Process.read(record).alive:
        return None
    fields = Path(f"/proc/{record['pid']}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _states(run: RunDir, tasks: int) -> list[str]:
    found = [records.read(run.attempt(f"t{number}", 0).status) for number in range(tasks)]
    return ["lost" if status is None else status["state"] for status in found]


if __name__ == "__main__":
    main()
