"""Cases of a command that runs: what checkpoints cost it, how soon it starts, how soon all is over after it."""

import json
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import data, many, measure, task
from bench.measure import Cost, Failed
from bench.rig import Result, Rig, in_turn
from bench.site import TO, Site, site
from bench.tools import ALL_PEERS, OSMO, THE_OSMO, TOP, Peer, environment

_EVERY_S = 3
_SAVES = 6
_STARTS = 10


@dataclass(frozen=True, slots=True)
class Training:
    """A loop of so much work, alone and with checkpoints."""

    name: str
    title: str
    target: str
    what: str

    def __call__(self, rig: Rig) -> list[Result]:
        result = Result(self.name, self.title, self.target)
        result.note = (
            f"The seconds and processor time of the task, for work of {rig.sizes.work_s:g} s that saves a state of "
            f"{task.STATE // data.MIB} MiB {_SAVES} times; a checkpoint (for others: a round of the tool) every "
            f"{_EVERY_S} s; the server works on the same cores"
        )
        steps = self._steps(rig)
        runs = {
            "no checkpoints": partial(self._run, rig, steps, None),
            "osmo": partial(self._run, rig, steps, THE_OSMO),
        }
        loops = [tool for tool in ALL_PEERS if tool in rig.tools]
        runs |= {f"{tool.name}, again and again": partial(self._run, rig, steps, tool) for tool in loops}
        in_turn(result, runs, rig.runs)
        alone = result.rows[0]
        for row in result.rows[1:]:
            slower = [its.cpu_s / own.cpu_s - 1 for its, own in zip(row.costs, alone.costs, strict=False)]
            if slower:
                result.values[f"{row.tool}: % more processor time of the task"] = 100 * statistics.median(slower)
        return [result]

    def _steps(self, rig: Rig) -> int:
        """How many fill the time."""
        tried = 60
        cost = self._run(rig, tried, None)
        return max(_SAVES, int(tried * rig.sizes.work_s / cost.seconds) // _SAVES * _SAVES)

    def _run(self, rig: Rig, steps: int, tool: Peer | None, _number: int = 0) -> Cost:
        with site(rig.directory, tool or THE_OSMO) as here:
            folder, told = here.directory / "data", here.directory / "told"
            folder.mkdir()
            command = [
                sys.executable,
                task.__file__,
                self.what,
                str(folder),
                str(steps),
                str(steps // _SAVES),
                str(told),
            ]
            if tool is THE_OSMO:
                where = ["--path", f"{folder}/*", "--url", f"s3://{TO}", "--frequency", f"{_EVERY_S}s"]
                command = [str(OSMO), "checkpoint", "run", "--quiet", *where, "--", *command]
            with again_and_again(here, folder, tool):
                measure.run(command, environment(here.directory, here.server), None, here.directory)
            if tool is not None:
                here.check(folder)
            took = json.loads(told.read_text())
            return Cost(took["seconds"], took["cpu_s"], measure.cpu_of(here.server), 0)


@contextmanager
def again_and_again(here: Site, folder: Path, tool: Peer | None) -> Iterator[None]:
    """The tool in a loop beside the block, and once more after it. Nothing if there is none, or it is osmo."""
    if tool is None or tool is THE_OSMO:
        yield
        return
    over = threading.Event()

    def loop() -> None:
        while not over.wait(_EVERY_S):
            subprocess.run(
                tool.command(here.server, folder, TO),
                env=environment(here.directory, here.server),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    here.run(folder)


def ending(rig: Rig) -> list[Result]:
    """From the command's end to the last checkpoint's, when all but a new file is stored already."""
    title = "the command ends after writing 64 MiB more; until all is stored"
    result = Result(
        "ending", title, note="10,000 small files are stored before; osmo ends, or the tool is run once more"
    )
    runs = {tool.name: partial(_ending, rig, tool) for tool in rig.tools if tool.plain and tool.updates}
    in_turn(result, runs, rig.runs)
    return [result]


def _ending(rig: Rig, tool: Peer, number: int) -> Cost:
    folder = rig.directory / "data"
    data.small(folder, rig.sizes.files)
    try:
        with site(rig.directory, tool) as here:
            if tool is not THE_OSMO:
                here.run(folder, tool.cold)
                data.fill(folder / "last.pt", 64 * data.MIB, seed=number)
                return here.run(folder)
            ended = here.directory / "ended"
            script = (
                f"{OSMO} checkpoint now --wait >/dev/null && cp {_filled(here.directory, number)} {folder}/last.pt && "
                f"{sys.executable} -c 'import time; print(time.monotonic())' >{ended}"
            )
            where = ["--path", f"{folder}/*", "--url", f"s3://{TO}", "--frequency", "1h"]
            command = [str(OSMO), "checkpoint", "run", "--quiet", *where, "--", "sh", "-c", script]
            cost = measure.run(command, environment(here.directory, here.server), here.server, here.directory)
            seconds = time.monotonic() - float(ended.read_text())
            here.check(folder)
            return Cost(seconds, cost.cpu_s, cost.server_cpu_s, cost.memory)
    finally:
        shutil.rmtree(folder)


def _filled(directory: Path, number: int) -> Path:
    path = directory / "last.pt"
    data.fill(path, 64 * data.MIB, seed=number)
    return path


def start(rig: Rig) -> list[Result]:
    """How long a person waits."""
    result = Result("start", "the command line", "`osmo --help` ≤ 0.15 s; submit to command running ≤ 0.5 s")
    with site(rig.directory, THE_OSMO) as here:
        environ = environment(here.directory, here.server)
        helps = [measure.run([str(OSMO), "--help"], environ, None, here.directory).seconds for _ in range(_STARTS)]
        starts = [_submit(here, environ, number) for number in range(_STARTS)]
    result.values = {
        "osmo --help, s": statistics.median(helps),
        "osmo --help, s, at most": max(helps),
        "submit to command running, s": statistics.median(starts),
        "submit to command running, s, at most": max(starts),
    }
    return [result]


def _submit(here: Site, environ: dict[str, str], number: int) -> float:
    """Seconds until the command of a workflow that saves a folder runs."""
    ran, folder, spec = (here.directory / f"{name}-{number}" for name in ("ran", "folder", "spec"))
    folder.mkdir()
    command = [sys.executable, "-ISc", f"import time; began = time.time(); open({str(ran)!r}, 'w').write(str(began))"]
    entry = {"path": str(folder), "url": f"s3://{TO}", "frequency": "1h"}
    spec.write_text(
        json.dumps({"workflow": {"name": "start", "tasks": [{"name": "a", "command": command, "checkpoint": [entry]}]}})
    )
    began = time.time()
    measure.run([str(OSMO), "workflow", "submit", str(spec)], environ, None, here.directory)
    said = (here.directory / "output").read_text()
    name = next(word for word in said.replace("'", " ").split() if word.startswith("start-"))
    measure.run([str(OSMO), "workflow", "wait", name], environ, None, here.directory)
    return float(ran.read_text()) - began


def a_million(rig: Rig) -> list[Result]:
    """More files than any server here could take."""
    result = Result("many", f"{rig.sizes.many:,} files", "nothing changed: ≤ 4 s; 400 bytes a file")
    result.note = "Into a store in memory: what osmo does is measured, not what a server does"
    folder = rig.directory / "data"
    command = [sys.executable, many.__file__, str(rig.sizes.many), str(folder)]
    environ = {"PYTHONPATH": f"{TOP}:{TOP / 'tests'}", "PATH": "/usr/bin:/bin"}
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(done.stderr[-2000:])
        result.values = json.loads(done.stdout)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [result]


TRAINING = (
    Training("train-cpu", "a training that works on a processor", "≤ 2 % (1 %) of the task's own CPU time", "cpu"),
    Training("train-disk", "a training that works on a disk", "", "disk"),
)
OTHERS: dict[str, Callable[[Rig], list[Result]]] = {"ending": ending, "start": start, "many": a_million}
