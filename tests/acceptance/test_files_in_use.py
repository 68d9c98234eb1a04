"""Files that a task has open while it is checkpointed: what is stored of them, and what never is."""

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from acceptance.conftest import Bucket
from support.cli import Osmo, until

MIB = 1024 * 1024

SLOW_WRITER = """
import os, time
def replace(path, text):
    with open(path + ".tmp", "w") as file:
        file.write(text)
    os.rename(path + ".tmp", path)
def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.05)
os.makedirs("data")
with open("data/model.pt", "wb", buffering=0) as file:
    for step in range(40):
        file.write(bytes([step]) * (5 * 1024 * 1024))
        if step % 8 == 7:
            replace("data/step", str(step))
        time.sleep(0.9 if step % 8 == 7 else 0.1)  # now and then it looks as if it were done
    print("halted", flush=True)
    wait_for("go-on")
open("closed", "w").close()
wait_for("end")
"""


def run(osmo: Osmo, bucket: Bucket, script: str, frequency: str = "500ms", **environ: str) -> str:
    (osmo.directory / "task.py").write_text(script)
    entry = {"path": "data", "url": f"s3://{bucket.name}", "frequency": frequency}
    return osmo.submit(osmo.task("", command=["python", "task.py"], checkpoint=[entry]), **environ)


def checkpoints(bucket: Bucket) -> list[dict[str, Any]]:
    while True:
        try:
            return [record for record in bucket.checkpoints("main.data") if record["kind"] == "checkpoint"]
        except FileNotFoundError:
            continue  # tidied away while we looked


def newest(bucket: Bucket) -> dict[str, dict[str, Any]]:
    """The files of the newest checkpoint; none before there is one."""
    records = checkpoints(bucket)
    return {file["name"]: file for file in records[-1]["files"]} if records else {}


def stored(bucket: Bucket, name: str) -> bytes:
    """The content of a file in the newest checkpoint, empty if it is not there. Its digest is right."""
    for _ in range(20):  # a newer checkpoint may come, and its tidying, while we look
        record = newest(bucket).get(name)
        if record is None:
            return b""
        try:
            body = (bucket.directory / record["place"]).read_bytes()
        except FileNotFoundError:
            continue
        if blake3(body).hexdigest() == record["digest"]:
            return body
    raise AssertionError(f"{name} is not what the record says")


class Watcher(threading.Thread):
    """Looks at all objects again and again. seen: those above a MiB that were there before the writer was done."""

    def __init__(self, bucket: Bucket, done: Path) -> None:
        super().__init__(daemon=True)
        self.bucket = bucket
        self.done = done
        self.looks = 0
        self.seen: set[str] = set()

    def run(self) -> None:
        while not self.done.exists():
            found: set[str] = set()
            with suppress(FileNotFoundError):  # a folder that went while it was walked
                found.update(str(path) for path in self.bucket.directory.rglob("*") if _size(path) > MIB)
            if not self.done.exists():
                self.seen |= found
                self.looks += 1


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def test_a_model_that_is_written_slowly_is_nowhere_in_the_store_before_it_is_closed(osmo: Osmo, bucket: Bucket) -> None:
    watcher = Watcher(bucket, osmo.directory / "closed")
    watcher.start()
    task = run(osmo, bucket, SLOW_WRITER)
    osmo.until_logged(task, "halted")
    until(lambda: stored(bucket, "step") == b"39", "the last step in the store")
    assert checkpoints(bucket)[-1]["checkpoint"] >= 2
    osmo.until_logged(task, "Not stored while open for writing")
    assert "model.pt" not in newest(bucket)
    (osmo.directory / "go-on").touch()
    watcher.join()
    assert watcher.looks > 10
    assert watcher.seen == set()
    until(lambda: "model.pt" in newest(bucket), "the model in the store")
    assert stored(bucket, "model.pt") == (osmo.directory / "data/model.pt").read_bytes()
    (osmo.directory / "end").touch()
    assert osmo.wait(task).returncode == 0


LIVE = """
import os, time
os.makedirs("data")
files = [open(f"data/{name}", "w", buffering=1) for name in ("train.log", "progress.csv", "weights.bin")]
step = 0
while not os.path.exists("end"):
    step += 1
    for file in files:
        file.write(f"step {step}\\nand a piece")
        file.flush()
    time.sleep(0.02)
"""


def test_logs_are_in_checkpoints_while_they_grow(osmo: Osmo, bucket: Bucket) -> None:
    task = run(osmo, bucket, LIVE, OSMO_LIVE="*.csv")
    sizes: list[int] = []

    def grown() -> bool:
        body = stored(bucket, "train.log")
        if body and len(body) not in sizes:
            assert body.endswith(b"\n")
            assert body == (osmo.directory / "data/train.log").read_bytes()[: len(body)]
            sizes.append(len(body))
        return len(sizes) >= 3

    until(grown, "three versions of the log")
    files = newest(bucket)
    assert files.keys() == {"train.log", "progress.csv"}
    assert {tuple(file["flags"]) for file in files.values()} == {("live",)}
    (osmo.directory / "end").touch()
    assert osmo.wait(task).returncode == 0
    for name in ("train.log", "progress.csv", "weights.bin"):
        assert stored(bucket, name) == (osmo.directory / "data" / name).read_bytes()
    assert not any("flags" in file for file in newest(bucket).values())


DATABASE = """
import os, sqlite3, time
os.makedirs("data")
connection = sqlite3.connect("data/study.db")
connection.execute("PRAGMA journal_mode = {mode}")
connection.execute("CREATE TABLE t (a INTEGER, b BLOB)")
row = 0
while not os.path.exists("end"):
    row += 1
    with connection:
        connection.executemany("INSERT INTO t VALUES (?, zeroblob(3000))", [(row,)] * 10)
    time.sleep({pause})
os.kill(os.getpid(), 9)  # nothing is closed in order
"""


@pytest.mark.parametrize(("mode", "pause"), [("WAL", 0.02), ("DELETE", 1.0)])
def test_a_database_in_use_is_restorable_from_every_checkpoint(
    osmo: Osmo, bucket: Bucket, tmp_path: Path, mode: str, pause: float
) -> None:
    def last_row() -> int:
        body = stored(bucket, "study.db")
        copy = tmp_path / "restored.db"
        copy.unlink(missing_ok=True)
        copy.write_bytes(body)
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            if not body or not connection.execute("SELECT name FROM sqlite_master").fetchall():
                return 0
            assert connection.execute("SELECT count(*) % 10 FROM t").fetchone() == (0,)
            return int(connection.execute("SELECT coalesce(max(a), 0) FROM t").fetchone()[0])

    task = run(osmo, bucket, DATABASE.format(mode=mode, pause=pause))
    seen: list[int] = []

    def grown() -> bool:
        row = last_row()
        if row and row not in seen:
            seen.append(row)
        return len(seen) >= 3

    until(grown, "three versions of the database")
    assert seen == sorted(seen)
    assert newest(bucket).keys() == {"study.db"}
    (osmo.directory / "end").touch()
    assert osmo.wait(task).returncode == 1
    final = last_row()
    assert newest(bucket).keys() == {"study.db"}
    with closing(sqlite3.connect(osmo.directory / "data/study.db")) as connection:
        assert connection.execute("SELECT max(a) FROM t").fetchone() == (final,)


OTHER_CLOCK = """
import os, time
os.makedirs("data")
def stamp():
    moment = time.time() + {hours} * 3600
    os.utime("data/model.pt", (moment, moment))
for generation in (1, 2):
    mode = "wb" if generation == 1 else "r+b"
    for part in range(12):  # it is closed after each part, as on a network: only its looks tell
        with open("data/model.pt", mode if part == 0 else "ab", buffering=0) as file:
            if part == 0:
                file.truncate(0)
            file.write(bytes([generation]) * 100000)
        stamp()
        time.sleep(0.1)
    print("generation", generation, flush=True)
    while not os.path.exists(f"after-{{generation}}"):
        time.sleep(0.05)
"""


@pytest.mark.parametrize("hours", [7, -7], ids=["ahead", "behind"])
def test_a_writer_whose_clock_differs_is_understood(osmo: Osmo, bucket: Bucket, hours: int) -> None:
    task = run(osmo, bucket, OTHER_CLOCK.format(hours=hours))
    sizes: set[int] = set()
    for generation in (1, 2):
        osmo.until_logged(task, f"generation {generation}\n")
        want = bytes([generation]) * 1_200_000

        def arrived(want: bytes = want) -> bool:
            body = stored(bucket, "model.pt")
            sizes.add(len(body))
            return body == want

        until(arrived, f"generation {generation} in the store")
        local = (osmo.directory / "data/model.pt").stat()
        assert newest(bucket)["model.pt"]["mtime_ns"] == local.st_mtime_ns
        (osmo.directory / f"after-{generation}").touch()
    assert osmo.wait(task).returncode == 0
    assert sizes <= {0, 1_200_000}


MAP = """
import mmap, os, time
os.makedirs("data")
with open("data/replay.bin", "w+b") as file:
    file.truncate(1 << 20)
    mapped = mmap.mmap(file.fileno(), 0)
step = 0
while not os.path.exists("end"):
    step += 1
    mapped[:8] = step.to_bytes(8, "big")
    time.sleep(0.02)
"""


def test_a_memory_map_waits_and_the_person_is_told(osmo: Osmo, bucket: Bucket) -> None:
    task = run(osmo, bucket, MAP)
    osmo.until_logged(task, "Not stored while open for writing or mapped into memory: ")
    assert "replay.bin" not in newest(bucket)
    [stream] = osmo.query(task)["tasks"][0]["checkpoints"]
    assert stream["open"] == ["replay.bin"]
    assert "open for writing, so it waits: 'replay.bin'" in osmo("workflow", "query", task, "--verbose").stdout
    (osmo.directory / "end").touch()
    assert osmo.wait(task).returncode == 0
    assert stored(bucket, "replay.bin") == (osmo.directory / "data/replay.bin").read_bytes()
    assert osmo.attempt(task).log.read_text().count("Not stored while open") == 1
