"""What a task writes arrives in the store, while it runs and when it ends."""

from typing import Any

from acceptance.conftest import Bucket
from support.cli import Osmo, run_id, until

# As in OSMO's tutorial: a file of 5 MiB again and again; shortened in time.
WRITE_FILES = """
mkdir -p data
for number in 1 2 3 4 5 6; do
    head -c 5242880 /dev/urandom > data/{name}$number.bin
    echo $number > data/{name}$number.txt
    sleep 0.5
done
"""


def names(checkpoint: dict[str, Any]) -> set[str]:
    return {file["name"] for file in checkpoint["files"]}


def test_files_that_a_task_writes_one_after_the_other_arrive_as_they_come(osmo: Osmo, bucket: Bucket) -> None:
    entry = {"path": "data", "url": f"s3://{bucket.name}", "frequency": "1s"}
    run = osmo.submit(osmo.task(WRITE_FILES.format(name="file_"), checkpoint=[entry]))
    assert osmo.wait(run).returncode == 0

    wanted = {f"file_{number}.{kind}" for number in range(1, 7) for kind in ("bin", "txt")}
    assert bucket.files() == {f"data/{name}" for name in wanted}
    (newest,) = bucket.checkpoints("main.data")
    assert newest["checkpoint"] >= 2
    assert (newest["trigger"], newest["exit_code"]) == ("final", 0)
    assert names(newest) == wanted
    sent = sum(line.count("client [INFO] data: Data has been uploaded") for line in osmo.log(run))
    assert sent == newest["checkpoint"]
    for name in wanted:
        assert (bucket.directory / "data" / name).read_bytes() == (osmo.directory / "data" / name).read_bytes()


def test_a_regex_chooses_among_the_files(osmo: Osmo, bucket: Bucket) -> None:
    entry = {"path": "data/*", "url": f"s3://{bucket.name}/chosen", "frequency": "1s", "regex": r".*\.bin$"}
    run = osmo.submit(osmo.task(WRITE_FILES.format(name="file_"), checkpoint=[entry]))
    assert osmo.wait(run).returncode == 0

    wanted = {f"file_{number}.bin" for number in range(1, 7)}
    assert bucket.files() == {f"chosen/{name}" for name in wanted}
    assert names(bucket.beneath("chosen").checkpoints("main._")[-1]) == wanted
    assert osmo.query(run)["not_in_store"] == {"files": 0, "size": 0}


def test_two_entries_keep_their_own_time(osmo: Osmo, bucket: Bucket) -> None:
    url = f"s3://{bucket.name}"
    often = {"path": "often", "url": url, "frequency": "500ms"}
    seldom = {"path": "seldom", "url": url, "frequency": "1h"}
    write = "mkdir often seldom; for n in $(seq 5); do echo $n > often/n; echo $n > seldom/n; sleep 1.5; done"
    run = osmo.submit(osmo.task(write, checkpoint=[often, seldom]))
    assert osmo.wait(run).returncode == 0

    assert bucket.checkpoints("main.often")[-1]["checkpoint"] >= 3
    (once,) = bucket.checkpoints("main.seldom")
    assert (once["checkpoint"], once["trigger"]) == (1, "final")
    assert bucket.files() == {"often/n", "seldom/n"}


def test_what_did_not_change_is_not_sent_again(osmo: Osmo, bucket: Bucket) -> None:
    entry = {"path": "data", "url": f"s3://{bucket.name}", "frequency": "300ms"}
    command = "mkdir data; echo a > data/a; until [ -e go ]; do sleep 0.1; done; echo b > data/b"
    run = osmo.submit(osmo.task(command, checkpoint=[entry]))
    until(lambda: bucket.checkpoints("main.data"))
    first = (bucket.directory / "data/a").stat().st_mtime_ns
    (osmo.directory / "go").touch()
    assert osmo.wait(run).returncode == 0

    assert bucket.files() == {"data/a", "data/b"}
    assert (bucket.directory / "data/a").stat().st_mtime_ns == first
    log = osmo.log(run)
    assert "; uploaded 1 file, 2 B in " in log[-1]


def test_a_run_with_nothing_to_save_says_so_last(osmo: Osmo, bucket: Bucket) -> None:
    there = {"path": "there", "url": f"s3://{bucket.name}", "frequency": "1s", "regex": "no_such_file"}
    never = {"path": "never", "url": f"s3://{bucket.name}", "frequency": "1s"}
    spec = osmo.task("mkdir there; touch there/x", checkpoint=[there, never])
    result = osmo("workflow", "submit", spec, "--follow")

    assert result.returncode == 0, result.stderr
    first, second = result.stderr.splitlines()[-2:]
    here = osmo.directory
    assert first == f"WARNING: main: nothing was ever checkpointed from {here}/there: no file matched its regex"
    assert second == f"WARNING: main: nothing was ever checkpointed from {here}/never: it was never there"
    run = run_id(result.stdout)
    assert osmo.wait(run).stderr.splitlines()[-2:] == [first, second]
    assert len(osmo.query(run)["shortcomings"]) == 2
    assert osmo.logged(run, f"{here}/never was never there")
    assert not bucket.files()
