"""A disk that is full, on every side, and memory that is used up: the run goes on, and is told as it was."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from osmo.rundir import records
from osmo.rundir.identity import Process
from support.cli import BIN, Osmo, osmo_in, run_id, until
from support.small_disks import crowd, fill, small_disk, small_memory
from support.stored import Stored
from support.trees import grow

SIZE = 8 << 20


@pytest.fixture
def at_home(tmp_path: Path) -> Iterator[Path]:
    """The file system that runs are kept on."""
    with small_disk(tmp_path / "osmo-home", SIZE) as place:
        yield place


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "elsewhere", SIZE) as place:
        yield place


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Osmo]:
    """A command without any server: the store is a folder."""
    with osmo_in(tmp_path, {}) as command:
        yield command


def entry(path: str, store: Path) -> list[dict[str, str]]:
    return [{"path": path, "url": f"file://{store}", "frequency": "300ms"}]


def test_a_task_whose_disk_is_full_fails_by_itself_and_keeps_what_it_wrote(elsewhere: Path, plain: Osmo) -> None:
    store = Stored(plain.directory / "store")
    script = f"mkdir {elsewhere}/data; cd {elsewhere}/data; echo 1 > a; cat /dev/zero > b 2>../why; exit 5"
    run = plain.submit(plain.task(script, checkpoint=entry(f"{elsewhere}/data", store.directory)))
    assert plain.wait(run).returncode == 1
    [task] = plain.query(run)["tasks"]
    assert (task["status"], task["exit_code"]) == ("FAILED", 5)
    sizes = {file["name"]: file["size"] for file in store.checkpoints("main.data")[-1]["files"]}
    assert sizes == {name: (elsewhere / "data" / name).stat().st_size for name in ("a", "b")}
    assert sizes["b"] > 0
    assert (store.directory / "data/b").stat().st_size == sizes["b"]


# What it prints while nothing can be written is lost, and it does not mind: as a shell's echo, unlike Python's print.
PRINTS = (
    "mkdir data; echo 1 > data/a; echo ready; trap '' PIPE;"
    "until [ -e go ]; do echo a line of output 2>/dev/null; sleep 0.02; done; echo 2 > data/b; exit 7"
)


def test_a_run_directory_that_is_full_loses_lines_and_nothing_else(at_home: Path, plain: Osmo) -> None:
    store = Stored(plain.directory / "store")
    run = plain.submit(plain.task(PRINTS, checkpoint=entry("data", store.directory)))
    until(lambda: store.files() == {"data/a"}, "the first checkpoint")
    agent = records.read(plain.attempt(run).agent) or {}
    fill(at_home)
    (plain.directory / "go").touch()
    until(lambda: store.files() == {"data/a", "data/b"}, "the last checkpoint")
    until(lambda: store.checkpoints("main.data")[-1]["trigger"] == "final", "its record")
    assert store.checkpoints("main.data")[-1]["exit_code"] == 7
    # What was held ahead of the command's output is free now: room for the last words.
    assert plain.wait(run).returncode == 1
    [task] = plain.query(run)["tasks"]
    assert (task["status"], task["exit_code"]) == ("FAILED", 7)
    assert records.read(plain.attempt(run).agent) == agent
    assert len([record for record in store.checkpoints("main.data") if record["trigger"] == "final"]) == 1


def test_an_agent_stays_until_it_could_say_how_it_ended(tmp_path: Path, plain: Osmo) -> None:
    """The disk has room for bytes, but for no other file: no record can be replaced."""
    store = Stored(plain.directory / "store")
    with small_disk(tmp_path / "osmo-home", SIZE, files=200) as home:
        run = plain.submit(plain.task(PRINTS, checkpoint=entry("data", store.directory)))
        until(lambda: store.files() == {"data/a"}, "the first checkpoint")
        agent = records.read(plain.attempt(run).agent) or {}
        crowded = crowd(home)
        (plain.directory / "go").touch()
        plain.until_logged(run, "The command failed: exit code 7")
        assert Process.read(agent).alive
        assert plain.query(run)["status"] == "RUNNING"
        shutil.rmtree(crowded)
        assert plain.wait(run).returncode == 1
        [task] = plain.query(run)["tasks"]
        assert (task["status"], task["exit_code"]) == ("FAILED", 7)
        assert records.read(plain.attempt(run).agent) == agent
        assert plain.logged(run, "a line of output")


def test_lines_that_did_not_fit_are_counted(at_home: Path, plain: Osmo) -> None:
    store = Stored(plain.directory / "store")
    run = plain.submit(plain.task(PRINTS, checkpoint=entry("data", store.directory)))
    until(lambda: store.files() == {"data/a"}, "the first checkpoint")
    filler = fill(at_home)
    until(lambda: plain.attempt(run).log.stat().st_size % 4096 == 0, "the end of the log's last page")
    (plain.directory / "data/c").write_text("3")  # a checkpoint that the log has no room for
    until(lambda: store.files() == {"data/a", "data/c"}, "a checkpoint")
    filler.unlink()
    (plain.directory / "go").touch()
    assert plain.wait(run).returncode == 1
    assert plain.logged(run, "lines of this log could not be written")
    assert plain.query(run)["tasks"][0]["exit_code"] == 7


def test_a_command_that_prints_a_lot_on_a_full_disk_ends_as_it_would(tmp_path: Path, plain: Osmo) -> None:
    """Its output goes to a file there, and Python's print does not take "no space left" lightly."""
    store = Stored(plain.directory / "store")
    program = (
        "import os, time\nos.mkdir('data'); open('data/a', 'w').write('1'); print('ready')\n"
        "while not os.path.exists('go'): time.sleep(0.02)\n"
        "for number in range(100_000): print(number, 'x' * 100)\n"
        "open('data/b', 'w').write('2')"
    )
    with small_disk(tmp_path / "osmo-home", 80 << 20) as home:
        command = [sys.executable, "-c", program]
        run = plain.submit(plain.task("", command=command, checkpoint=entry("data", store.directory)))
        until(lambda: store.files() == {"data/a"}, "the first checkpoint")
        filler = fill(home)
        (plain.directory / "go").touch()
        until(plain.attempt(run).exit.exists, "the end of the command")
        assert plain.attempt(run).exit.read_text().strip() == "0"
        until(lambda: store.files() == {"data/a", "data/b"}, "the last checkpoint")
        filler.unlink()
        assert plain.wait(run).returncode == 0
        [said] = [line for line in plain.log(run) if "lines of this log could not be written" in line]
        in_log = sum("x" * 100 in line for line in plain.log(run))
        assert int(said.split("] ")[-1].split()[0]) >= 100_000 - in_log > 0
        assert plain.attempt(run).output.stat().st_blocks * 512 < 1 << 20  # nothing is held any more


def test_an_agent_that_dies_on_a_full_disk_leaves_the_exit_code_to_the_next(at_home: Path, plain: Osmo) -> None:
    """The wrapper had room for it from the beginning."""
    store = Stored(plain.directory / "store")
    run = plain.submit(plain.task(PRINTS, checkpoint=entry("data", store.directory)))
    until(lambda: store.files() == {"data/a"}, "the first checkpoint")
    agent = Process.read(records.read(plain.attempt(run).agent) or {})
    fill(at_home)
    (plain.directory / "go").touch()
    until(plain.attempt(run).exit.exists, "the end of the command")
    subprocess.run(["kill", "-KILL", str(agent.pid)], check=True)
    until(lambda: not agent.alive)
    (at_home / "filler").unlink()
    assert plain.wait(run).returncode == 1
    assert plain.query(run)["tasks"][0]["exit_code"] == 7


def test_a_store_that_is_full_is_used_again_when_it_is_not(elsewhere: Path, plain: Osmo) -> None:
    store = Stored(elsewhere / "store")
    script = "mkdir data; echo 1 > data/a; until [ -e go ]; do sleep 0.1; done; echo 3 > data/c; exit 7"
    run = plain.submit(plain.task(script, checkpoint=entry("data", store.directory)))
    until(lambda: store.files() == {"data/a"}, "the first checkpoint")
    until(lambda: plain.query(run)["not_in_store"] == {"files": 0, "size": 0}, "the end of its cycle")
    filler = fill(elsewhere)
    (plain.directory / "data/b").write_bytes(b"2" * 100_000)
    plain.until_logged(run, "the disk is full")
    plain.until_logged(run, "Next try in")
    assert plain.query(run)["status"] == "RUNNING"
    assert plain.query(run)["not_in_store"] == {"files": 1, "size": 100_000}
    filler.unlink()
    until(lambda: store.files() == {"data/a", "data/b"}, "room again")
    (plain.directory / "go").touch()
    assert plain.wait(run).returncode == 1
    assert plain.query(run)["tasks"][0]["exit_code"] == 7
    assert {file["name"] for file in store.checkpoints("main.data")[-1]["files"]} == {"a", "b", "c"}
    for name in "abc":
        assert (store.directory / "data" / name).read_bytes() == (plain.directory / "data" / name).read_bytes()


@pytest.mark.parametrize("full", ["before", "of files"])
def test_a_restore_into_a_full_disk_leaves_what_was_there_and_is_gone_on_with(
    tmp_path: Path, plain: Osmo, full: str
) -> None:
    """What it takes is seen before, but for the names: of them a disk may have too few."""
    data, url = grow(tmp_path / "data", {f"{number}": f"{number}" for number in range(300)}), f"file://{tmp_path}/store"
    (data / "large").write_bytes(bytes(range(256)) * (SIZE // 1024))
    saved = plain("checkpoint", "run", "--path", "data", "--url", url, "--frequency", "1h", "--", "true")
    assert saved.returncode == 0, saved.stderr
    with small_disk(tmp_path / "small", SIZE, 200 if full == "of files" else 10_000) as place:
        (place / "7").write_text("mine")
        filler = fill(place) if full == "before" else None
        result = plain("checkpoint", "restore", url, str(place))
        assert result.returncode == 1
        [line] = result.stderr.splitlines()
        assert ("are free: nothing was restored" if full == "before" else "no space left on device") in line
        theirs = {path.name: path for path in place.iterdir() if not path.name.startswith(".osmo-restore.")}
        assert theirs.keys() == {"7", *(["filler"] if filler else [])}
        assert (place / "7").read_text() == "mine"
        if full == "of files":
            subprocess.run(["mount", "-o", "remount,nr_inodes=10000", str(place)], check=True)
        else:
            (place / "filler").unlink()
        again = plain("checkpoint", "restore", url, str(place))
        assert again.returncode == 0, again.stderr
        assert {path.name: path.read_bytes() for path in place.iterdir()} == {
            path.name: path.read_bytes() for path in data.iterdir()
        }


@pytest.fixture
def in_little_memory() -> Iterator[Callable[[list[str]], list[str]]]:
    with small_memory("osmo-test", 400 << 20) as wrapped:
        yield wrapped


def test_out_of_memory_the_kernel_kills_the_command_and_not_the_agent(
    in_little_memory: Callable[[list[str]], list[str]], plain: Osmo
) -> None:
    """All of a run's processes are in one control group."""
    store = Stored(plain.directory / "store")
    eat = "held = []\nwhile True: held.append(b'x' * (1 << 20))"
    program = f"import os; os.mkdir('data'); open('data/a', 'w').write('1'); print('ready', flush=True)\n{eat}"
    spec = plain.task("", command=[sys.executable, "-c", program], checkpoint=entry("data", store.directory))
    command = in_little_memory([f"{BIN}/osmo", "workflow", "submit", spec])
    submitted = subprocess.run(
        command, cwd=plain.directory, env=plain.environ, capture_output=True, text=True, check=True, timeout=60
    )
    run = run_id(submitted.stdout)
    assert plain.wait(run).returncode == 1
    [task] = plain.query(run)["tasks"]
    assert (task["status"], task["exit_code"]) == ("FAILED", 137)
    assert task["agent"]["deaths"] == 0
    record = store.checkpoints("main.data")[-1]
    assert (record["trigger"], record["exit_code"], [file["name"] for file in record["files"]]) == ("final", 137, ["a"])
    assert store.files() == {"data/a"}
