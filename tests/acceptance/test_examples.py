"""Every example runs as its first lines say, and leaves what they say."""

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest

from support.cli import Osmo
from support.needs import need_program
from support.pages import blocks, not_printed
from support.servers import S3Server
from support.stored import Stored

TOP = Path(__file__).parents[2]
EXAMPLES = TOP / "examples"


def own_copy(osmo: Osmo, example: str, *changes: tuple[str, str]) -> str:
    """The example's spec with changes, so that two tests on one machine do not meet."""
    text = (EXAMPLES / example).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return osmo.spec(text)


def test_hello(osmo: Osmo, tmp_path: Path) -> None:
    result = osmo(
        "workflow", "submit", own_copy(osmo, "hello.yaml", ("/tmp/osmo-hello", f"{tmp_path}/kept")), "--follow"
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r"^[0-9/]{10} [0-9:]{8} \[greet\] Hello from hello-1$", result.stdout, re.MULTILINE)
    assert (tmp_path / "kept/greetings/hello.txt").read_text() == "Hello from hello-1\n"


def test_two_frequencies(osmo: Osmo, tmp_path: Path) -> None:
    here = ("/tmp/osmo-two-frequencies", f"{tmp_path}/kept")
    faster = [('STEPS: "12"', 'STEPS: "6"'), ("frequency: 2s", "frequency: 1s")]
    result = osmo("workflow", "submit", own_copy(osmo, "two_frequencies.yaml", here, *faster), "--follow")
    assert result.returncode == 0, result.stderr
    kept = Stored(tmp_path / "kept")
    metrics = {f"metrics/step-{step}.json" for step in range(1, 7)}
    assert kept.files() == metrics | {"model/step-3.bin", "model/step-6.bin"}
    often, seldom = (kept.checkpoints(f"train.{folder}")[-1]["checkpoint"] for folder in ("metrics", "model"))
    assert often > seldom


def test_templates(osmo: Osmo) -> None:
    spec = own_copy(osmo, "templates.yaml")
    result = osmo("workflow", "submit", spec, "--follow", "--set", "steps=2", "name=descent")
    assert result.returncode == 0, result.stderr
    assert "[descend-1] rate 0.25 in descent-1 0.25\n" in result.stdout
    assert "[descend-2] rate 0.5 in descent-1 0\n" in result.stdout
    wrong = osmo("workflow", "submit", spec, "--dry-run", "--set", "name=9a")
    assert wrong.returncode == 2
    assert "spec.yaml (rendered):6:9: workflow.name: '9a' is not a name" in wrong.stderr
    assert wrong.stdout.count("command: [awk]") == 2


def test_digits(osmo: Osmo, server: S3Server) -> None:
    pytest.importorskip("sklearn")
    server.make_bucket("osmo-demo")
    here = ("examples/digits/train.py", str(EXAMPLES / "digits/train.py"))
    shorter = [('"45"', '"10"'), ('"0.5"', '"0.2"'), ("frequency: 3s", "frequency: 1s")]
    result = osmo("workflow", "submit", own_copy(osmo, "digits/digits.yaml", here, *shorter), "--follow")
    assert result.returncode == 0, result.stdout + result.stderr
    kept = Stored(server.directory / "osmo-demo").beneath("digits")
    wanted = {
        "checkpoints/step-0005.joblib",
        "checkpoints/step-0010.joblib",
        "metrics.json",
        "train.log",
        "weights.npz",
    }
    assert wanted <= kept.files()
    assert re.search(r"\[train\] epoch +10  loss", result.stdout)


def follow(osmo: Osmo, example: str, *values: str) -> subprocess.CompletedProcess[str]:
    """Run an example as it is, with other values than its defaults, to its end."""
    options = ["--set", *values] if values else []
    return osmo("workflow", "submit", str(EXAMPLES / example), "--follow", *options, OSMO_RETRY_WAIT="200ms")


def said(result: subprocess.CompletedProcess[str], task: str) -> list[str]:
    """What a task printed, each line with the attempt's part of its prefix."""
    lines = [line.split(" ", 2)[2] for line in result.stdout.splitlines() if "] " in line]
    return [line for line in lines if re.match(rf"\[{task}( retry-\d+)?\] ", line)]


def test_serial(osmo: Osmo) -> None:
    result = follow(osmo, "serial.yaml")
    assert result.returncode == 0, result.stderr
    assert said(result, "report") == ["[report] 4 lines: apple fig pear"]
    tasks = {task["name"]: task for task in osmo.query("serial-1")["tasks"]}
    for before, after in (("collect", "sort"), ("collect", "count"), ("sort", "report"), ("count", "report")):
        assert tasks[before]["ended"] <= tasks[after]["started"]


def test_data(osmo: Osmo, tmp_path: Path) -> None:
    raw = tmp_path / "data/raw"
    raw.mkdir(parents=True)
    (raw / "a.txt").write_text("the cat and the hat\n")
    (raw / "b.csv").write_text("the\n")
    result = follow(osmo, "data.yaml", f"url=file://{tmp_path}/data")
    assert result.returncode == 0, result.stderr
    counts = json.loads((tmp_path / "data/counts/words.json").read_text())
    assert counts == {"and": 1, "cat": 1, "hat": 1, "the": 2}
    assert Stored(tmp_path / "data").files() == {
        *("raw/a.txt", "raw/b.csv"),
        *("counts/words.json", "runs/data-1/words.json", "runs/data-1/words.txt"),
    }


def test_combination(osmo: Osmo, tmp_path: Path) -> None:
    result = follow(osmo, "combination.yaml", "members=3", f"url={tmp_path}/c")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "c-report/report.txt").read_text() == "the total is 21\n"
    sums = [(tmp_path / f"c-kept/member-{number}/output/sum").read_text() for number in range(3)]
    assert sorted(sums) == ["5\n", "7\n", "9\n"]


def test_files(osmo: Osmo, tmp_path: Path) -> None:
    result = follow(osmo, "files/files.yaml", f"folder={tmp_path}/made")
    assert result.returncode == 0, result.stderr
    assert said(result, "count") == ["[count] poem.txt has 14 words, longer than 4: 2"]
    assert (tmp_path / "made/count.sh").read_text().startswith("# of files-1\n")
    assert (tmp_path / "made/poem.txt").read_bytes() == (EXAMPLES / "files/poem.txt").read_bytes()


def test_parallel(osmo: Osmo) -> None:
    need_program("bwrap")
    result = follow(osmo, "parallel.yaml")
    assert result.returncode == 0, result.stderr
    for city in ("athens", "bern", "cairo"):
        assert said(result, city) == [f"[{city}] the run.sh of {city}"]


def test_ranks(osmo: Osmo, tmp_path: Path) -> None:
    store = f"file://{tmp_path}/kept"
    result = follow(osmo, "ranks.yaml", f"store={store}")
    assert result.returncode == 0, result.stderr
    assert Stored(tmp_path / "kept").files() == {f"shards/rank-{rank}.pt" for rank in range(3)}
    for rank in range(3):
        back = osmo("checkpoint", "restore", store, f"back-{rank}", "--from", f"rank-{rank}.shards")
        assert back.returncode == 0, back.stderr
        assert (osmo.directory / f"back-{rank}/rank-{rank}.pt").read_text() == f"step 6 of rank {rank}\n"


def test_group(osmo: Osmo, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = follow(osmo, "group.yaml", f"port={port}", f"store=file://{tmp_path}/kept")
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"\[lead\] the sum of 20 numbers is (2\d|3\d)", said(result, "lead")[0])
    for number in ("1", "2"):
        kept = (tmp_path / f"kept/worker-{number}/sent.txt").read_text().split()
        assert len(kept) > 1
        assert set(kept) == {number}
        assert f"[worker-{number}][osmo] Lead task finished" in result.stdout
    states = {task["name"]: (task["status"], task["message"]) for task in osmo.query("group-1")["tasks"]}
    assert states["worker-1"] == states["worker-2"] == ("COMPLETED", "Lead task finished")


def test_exit_actions(osmo: Osmo, tmp_path: Path) -> None:
    result = follow(osmo, "exit_actions.yaml", f"door={tmp_path}/door")
    assert result.returncode == 0, result.stderr
    knocks = ["[knock] nobody opens", "[knock retry-1] nobody opens", "[knock retry-2] come in"]
    assert said(result, "knock") == knocks
    tasks = {task["name"]: task for task in osmo.query("exit-actions-1")["tasks"]}
    assert (tasks["search"]["status"], tasks["search"]["exit_code"]) == ("COMPLETED", 17)
    assert (tasks["knock"]["status"], tasks["knock"]["attempt"]) == ("COMPLETED", 2)


def test_timeout(osmo: Osmo, tmp_path: Path) -> None:
    result = follow(osmo, "timeout.yaml", "limit=1s", f"store=file://{tmp_path}/kept")
    assert result.returncode == 1, result.stderr
    assert result.stderr.splitlines()[-1] == "timeout-1: FAILED_EXEC_TIMEOUT"
    tasks = {task["name"]: task for task in osmo.query("timeout-1")["tasks"]}
    assert tasks["endless"]["message"] == "Task ran longer than the set limit of 1 second."
    assert (tasks["after"]["status"], tasks["after"]["exit_code"]) == ("FAILED_UPSTREAM", 3000)
    left = osmo.attempt("timeout-1", "endless").task_output / "steps"
    assert Stored(tmp_path / "kept").files() == {f"steps/{path.name}" for path in left.iterdir()}


def test_a_training_that_fails_twice_ends_as_one_that_never_failed(osmo: Osmo, tmp_path: Path) -> None:
    store = f"store=file://{tmp_path}/kept/" + "{{workflow_id}}"
    failing, well = (follow(osmo, "retry.yaml", store, f"fails={fails}") for fails in (2, 0))
    assert failing.returncode == well.returncode == 0, failing.stderr + well.stderr
    assert said(failing, "train")[:-1] == [
        "[train] begins at step 0",
        "[train] out of luck at step 4",
        "[train retry-1] begins at step 4",
        "[train retry-1] out of luck at step 8",
        "[train retry-2] begins at step 8",
    ]
    assert said(failing, "train")[-1].removeprefix("[train retry-2]") == said(well, "train")[-1].removeprefix("[train]")
    first, second = (tmp_path / f"kept/retry-{number}/checkpoints/latest.json" for number in (1, 2))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.timeout(300)
def test_the_demo_s_training_ends_as_if_it_had_not_been_killed() -> None:
    pytest.importorskip("sklearn")
    demo = subprocess.Popen([TOP / "scripts/demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = demo.communicate()
    finally:
        demo.terminate()  # if the test is cut short: it kills what it has started
    assert demo.returncode == 0, said
    [page] = [block for block in blocks(TOP / "README.md") if "=== A third machine" in block.text]
    printed = re.sub(r"/\S*/demo-\w{6}/", "/tmp/demo/", said)
    assert not_printed(page.text, printed, loosely=True) is None, said
    before, after = said.split("=== Half way that machine goes")
    assert "Checkpoint 1: " in before
    assert "COMPLETED" not in before
    assert re.search(r"\[train\] going on after epoch (5|10|15|20)$", after, re.MULTILINE)
    for name in ("weights.npz", "metrics.json", "train.log"):
        assert re.search(rf"^{name}: [0-9]+ bytes, the same bit for bit$", after, re.MULTILINE)


def test_no_example_is_without_a_test() -> None:
    tested = {"hello.yaml", "two_frequencies.yaml", "templates.yaml", "digits.yaml", "serial.yaml", "group.yaml"}
    tested |= {"exit_actions.yaml", "timeout.yaml", "retry.yaml", "data.yaml", "combination.yaml"}
    tested |= {"files.yaml", "parallel.yaml", "ranks.yaml"}
    assert {spec.name for spec in EXAMPLES.rglob("*.yaml")} == tested
