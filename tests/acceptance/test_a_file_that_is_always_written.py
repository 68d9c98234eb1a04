"""A file of 48 MiB is rewritten in place in a loop while it is checkpointed every second: the store never has a mix."""

import threading
from pathlib import Path

from blake3 import blake3

from acceptance.conftest import Bucket
from support.cli import Osmo, until

BLOCKS, BLOCK = 48, 1024 * 1024

WRITER = f"""
import itertools, os, time
os.makedirs("data", exist_ok=True)
for generation in itertools.count(1):
    stamp = generation.to_bytes(8, "big") * ({BLOCK} // 8)
    with open("data/big", "r+b" if generation > 1 else "wb", buffering=0) as file:
        for _ in range({BLOCKS}):
            file.write(stamp)
            time.sleep(0.005)
    print("generation", generation, flush=True)
    if os.path.exists("pause"):
        print("pausing", flush=True)
        while os.path.exists("pause"):
            time.sleep(0.05)
    if os.path.exists("end"):
        break
"""


def generations(path: Path) -> list[int]:
    """Which generations a file holds, in the order they come; a last piece that is no whole block counts as 0."""
    found: list[int] = []
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            whole = block == block[:8] * (BLOCK // 8)
            number = int.from_bytes(block[:8], "big") if whole else 0
            if number not in found[-1:]:
                found.append(number)
    return found


class Watcher(threading.Thread):
    """Looks at an object again and again. versions: the generations of each version that was seen, oldest first."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.versions: list[list[int]] = []
        self.end = threading.Event()

    def run(self) -> None:
        seen = None
        while not self.end.wait(0.02):
            try:
                stat = self.path.stat()
                version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
                if version != seen:
                    self.versions.append(generations(self.path))
                    seen = version
            except FileNotFoundError:
                continue

    @property
    def last(self) -> int:
        return self.versions[-1][0] if self.versions else 0


def test_no_object_ever_mixes_two_generations(osmo: Osmo, bucket: Bucket) -> None:
    def written() -> int:
        return osmo.attempt(run).log.read_bytes().count(b"] generation ")

    del osmo.environ["OSMO_SETTLE"]
    (osmo.directory / "writer.py").write_text(WRITER)
    entry = {"path": "data", "url": f"s3://{bucket.name}", "frequency": "1s"}
    spec = osmo.task("", command=["python", "writer.py"], checkpoint=[entry])
    watcher = Watcher(bucket.directory / "data/big")
    watcher.start()
    run = osmo.submit(spec)
    osmo.until_logged(run, "generation 12\n")

    (osmo.directory / "pause").touch()
    osmo.until_logged(run, "pausing")
    resting = written()
    until(lambda: watcher.last == resting, "the generation of the pause in the store")
    (osmo.directory / "pause").unlink()
    osmo.until_logged(run, f"generation {resting + 8}\n")
    (osmo.directory / "end").touch()
    assert osmo.wait(run).returncode == 0
    last = written()
    until(lambda: watcher.last == last, "the last generation in the store")
    watcher.end.set()
    watcher.join()

    assert watcher.versions, "nothing was seen"
    assert [version for version in watcher.versions if len(version) != 1] == []
    assert {resting, last} <= {version[0] for version in watcher.versions}
    [record] = bucket.checkpoints("main.data")[-1]["files"]
    local = osmo.directory / "data/big"
    assert record["digest"] == blake3(local.read_bytes()).hexdigest()
    assert "flags" not in record
    assert "being written" in osmo.attempt(run).log.read_text()
