"""Every example of the pages is run: pasted, typed, submitted; and what a page shows is what is printed.

For each page a story: what its reader has, and its blocks in order. A new block breaks the story of its page until it
is part of it. What is not run is in NOT_RUN, with the reason. The specs of examples/ are run by test_examples.py.
"""

import json
import re
from collections.abc import Callable

import jsonschema
import pytest
import yaml

from acceptance.conftest import Bucket
from acceptance.test_resume import reboot
from support.cli import BIN, Osmo, until
from support.pages import TOP, blocks, not_printed
from support.reader import Reader
from support.servers import free_port, moto_s3

NOT_RUN = {
    "scripts/test": "the demo is run by test_examples.py; the rest is what runs this",
    "pip install .": "downloads what osmo needs into the reader's home",
    "=== A third machine": "held to the demo's real output by test_examples.py",
    "systemctl": "needs systemd",
    "arn:aws": "needs AWS",
    "the plain files: what any other tool reads": "a picture of a store",
}

# Any training: takes any options, writes where people have their checkpoints, and ends.
TRAIN = """\
import pathlib
for name in ("ckpt/model.pt", "ckpt/tokens.bin", "logs/metrics.jsonl"):
    path = pathlib.Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}\\n")
"""
SPEC = """\
workflow:
  name: train
  tasks:
  - name: train
    command: [python, train.py]
    checkpoint:
    - {path: ckpt, url: %s, frequency: 10m}
"""
WRONG = """\
workflow:
  name: train
  tasks:
  - name: train
    command: [python, train.py]
    checkpoint:
    - path: ckpt
      frequency: 10x
      regx: .*
      url: s3://my-bucket
"""


def readme(page: Reader) -> None:
    pytest.importorskip("sklearn")
    for words in ("scripts/test", "pip install .", "=== A third machine"):
        page.leaves(words, NOT_RUN)
    here = page.osmo.directory
    (here / "train.py").write_bytes((TOP / "examples/digits/train.py").read_bytes())
    page.osmo.spec(page.takes("workflow:"), "train.yaml")

    follow, query = page.looks("--follow"), page.looks("workflow query")
    following = page.osmo.start("workflow", "submit", "train.yaml", "--follow")
    until(lambda: page.osmo.logged("train-1", "Checkpoint 1: ", "digits"))

    def as_shown() -> bool:  # what is on disk and not in the store is so for a moment only
        asked = page.there(page.osmo("workflow", "query", "train-1").stdout)
        return not_printed(query.text, f"$ osmo workflow query train-1\n{asked}", loosely=True) is None

    until(as_shown, "what the page shows of query", 20)
    printed, _ = following.communicate()
    printed = "$ osmo workflow submit train.yaml --follow\n" + page.there(printed)
    page.compares(follow, follow.text, printed, loosely=True)

    page.types("checkpoint restore", loosely=True)
    assert (here / "back/step-0040.joblib").read_bytes() == (here / "store/checkpoints/step-0040.joblib").read_bytes()
    a_training(page)
    page.pastes("osmo checkpoint run")


def index(page: Reader) -> None:
    a_training(page)
    page.pastes("workflow submit")
    assert (page.osmo.directory / "back/model.pt").exists()


def commands(page: Reader) -> None:
    a_training(page)
    page.pastes("checkpoint run")

    entry = {"path": "out", "url": page.here("s3://bucket/now"), "frequency": "1h"}
    asks = page.osmo.task(f"mkdir out; date >out/now\n{page.takes('checkpoint now --wait')}", checkpoint=[entry])
    assert "Checkpoint 1: " in page.osmo("workflow", "submit", asks, "--follow").stdout

    two = "mkdir ck; echo one >ck/a; echo same >ck/b; osmo checkpoint now --wait; echo two >ck/a; rm ck/b"
    keeps = {"path": "ck", "url": page.here("file:///mnt/backup/t"), "frequency": "1h", "keep": 2}
    page.osmo.wait(page.osmo.submit(page.osmo.task(two, checkpoint=[keeps])))
    page.types("prune")
    (page.osmo.directory / "mnt/backup/t/ck/a").unlink()
    page.types("mirror")


def spec(page: Reader) -> None:
    page.osmo.spec(WRONG, "train.yaml")
    page.types("validate")

    a_training(page)
    page.osmo.spec(page.takes("sweep"), "sweep.yaml")
    rendered = yaml.safe_load(page.runs(["osmo", "workflow", "submit", "sweep.yaml", "--dry-run", "--set", "epochs=5"]))
    assert [task["command"][2:] for task in rendered["workflow"]["tasks"]] == [
        ["--lr", rate, "--epochs", "5"] for rate in ("0.1", "0.01")
    ]
    page.runs(["osmo", "workflow", "submit", "sweep.yaml", "--follow"])

    page.runs(["bash", "-c", "osmo workflow schema >osmo.schema.json"])
    comment = page.takes("$schema")
    page.osmo.spec(comment + SPEC % "s3://bucket", "train.yaml")
    schema = json.loads((page.osmo.directory / comment.strip().partition("$schema=")[2]).read_text())
    jsonschema.validate(yaml.safe_load((page.osmo.directory / "train.yaml").read_text()), schema)


def running(page: Reader) -> None:
    a_training(page)
    page.pastes("submit train.yaml --restore")
    assert page.osmo.wait("train-1").returncode == 0
    data_in_and_out(page)
    tried_again(page)
    after_a_reboot(page)

    page.pastes("#SBATCH")
    page.runs(in_docker(page.takes("CMD")))
    page.pastes("#SBATCH")
    in_a_container(page, in_docker(page.takes("ENTRYPOINT")))
    [container] = yaml.safe_load(page.takes("kind: Pod"))["spec"]["containers"]
    in_a_container(page, container["command"] + container["args"])
    a_notebook(page)

    page.osmo.spec(saves := page.takes("saves.yaml"), "saves.yaml")
    printed = page.runs(saves.splitlines()[0].removeprefix("# saves.yaml: ").split())
    assert printed.count("Checkpoint 1: ") == 1  # of logs; that of ckpt goes on with what the others made
    run = page.osmo.submit(page.osmo.task("mkdir -p out; echo 1 >out/a; exec sleep 60", checkpoint=[an_entry(page)]))
    until(lambda: page.osmo.query(run)["status"] == "RUNNING")
    late = page.takes("--max-age 2h").splitlines()[-1].removeprefix("*/15 * * * * ").replace("2h", "1ms")
    assert run in page.runs(["sh", "-c", late])
    page.pastes("delete --older-than 30d")
    for folder in (".local/share/bash-completion/completions", ".zfunc", ".config/fish/completions"):
        (page.osmo.directory / "home" / folder).mkdir(parents=True)
    page.pastes("osmo completion bash")
    assert "osmo" in (page.osmo.directory / "home/.zfunc/_osmo").read_text()


def data_in_and_out(page: Reader) -> None:
    (page.osmo.directory / "a.bin").write_text("tokens")
    page.runs(["osmo", "data", "upload", page.here("s3://corpus/tokens"), "a.bin", "train.py"])
    reads = "ls {{input:0}}; cat {{input:prepare}}/made; echo done >{{output}}/result"
    prepare = {"name": "prepare", "command": ["sh", "-c", "echo prepared >{{output}}/made"]}
    uses = {"name": "use", "command": ["sh", "-c", reads], **yaml.safe_load(page.takes("inputs:"))}
    page.osmo.spec(json.dumps({"workflow": {"name": "data", "tasks": [prepare, uses]}}))
    printed = page.runs(["osmo", "workflow", "submit", "spec.yaml", "--follow"])
    assert re.findall(r"\[use\] (.*)", printed) == ["a.bin", "prepared"]
    page.runs(["osmo", "data", "download", page.here("s3://results/data-1"), "results"])
    assert (page.osmo.directory / "results/result").read_text() == "done\n"


def tried_again(page: Reader) -> None:
    script = "if [ -e tried ]; then exit 16; fi; touch tried; exit 17"
    actions = yaml.safe_load(page.takes("exitActions"))
    again = page.osmo.task(script, name="again", **actions)
    printed = page.runs(["osmo", "workflow", "submit", again, "--follow"], OSMO_RETRY_WAIT="200ms")
    assert "[main retry-1]" in printed
    assert printed.endswith("again-1: COMPLETED\n")


def after_a_reboot(page: Reader) -> None:
    """A run, and all ways to go on with it: by hand, as the service does, as cron does."""
    link = page.osmo.directory / "home/.local/bin/osmo"
    link.parent.mkdir(parents=True)
    link.symlink_to(BIN / "osmo")
    run = rebooted(page)
    page.pastes("workflow resume", ("train-1", run))
    has_ended(page, run)
    run = rebooted(page)
    started = re.search(r"ExecStart=(.*)", page.takes("[Service]"))
    assert started
    page.runs(started[1].replace("%h", str(page.osmo.directory / "home")).split())
    has_ended(page, run)
    page.leaves("systemctl", NOT_RUN)
    run = rebooted(page)
    page.runs(["sh", "-c", page.takes("@reboot").removeprefix("@reboot ")])
    has_ended(page, run)


def rebooted(page: Reader) -> str:
    run = page.osmo.submit(page.osmo.task("echo ready; exec sleep 60", name="long"))
    page.osmo.until_logged(run, "ready")
    reboot(page.osmo, run)
    return run


def has_ended(page: Reader, run: str) -> None:
    page.osmo.wait(run)
    assert page.osmo.query(run)["tasks"][0]["exit_code"] == 137


def in_docker(dockerfile: str) -> list[str]:
    """What a container of that file runs."""
    return [word for line in dockerfile.splitlines() for word in json.loads(line.partition(" ")[2])]


def in_a_container(page: Reader, argv: list[str]) -> None:
    """Runs it in a folder that is its `/`."""
    root = page.osmo.directory / "root"
    root.mkdir(exist_ok=True)
    (root / "train.py").write_text(TRAIN)
    words = [word if word != "/ckpt" else str(root / "ckpt") for word in argv]
    printed = page.runs(["sh", "-c", 'cd root && exec "$@"', "-", *words])
    assert "Checkpointing data from" in printed or "nothing of it has changed" in printed, printed


def a_notebook(page: Reader) -> None:
    """Its server is one of our own, that is called like it."""
    server = page.osmo.directory / "bin/jupyter"
    server.parent.mkdir()
    server.write_text("#!/bin/sh\nmkdir -p ~/work; echo {} >~/work/a.ipynb; echo no >~/work/a.tmp\n")
    server.chmod(0o755)
    page.pastes("jupyter", PATH=f"{server.parent}:{page.osmo.environ['PATH']}")
    assert "Checkpoint 1: 1 file" in (page.osmo.directory / "home/osmo.log").read_text()


def stores(page: Reader) -> None:
    server = page.looks("rclone serve s3").text
    port = free_port()
    for old, new in (("9000", str(port)), ("/tmp/s3", str(page.osmo.directory / "s3"))):
        assert old in server
        server = server.replace(old, new)
    listens = f"until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.05; done"
    page.runs(["bash", "-euc", f"trap 'kill $!' EXIT\n{server.replace('sleep 2', listens)}"])
    assert (page.osmo.directory / "back/now").read_text() == (page.osmo.directory / "out/now").read_text()
    assert (page.osmo.directory / "s3/my-bucket/try/out/now").exists()

    (page.osmo.directory / "key.txt").write_text("a key")
    page.types("credential set")
    page.runs(["osmo", "credential", "delete", "lab"])
    with moto_s3((page.bucket,)) as other:
        page.osmo.environ.update(other.environ)
        page.types("data check")
    page.leaves("the plain files: what any other tool reads", NOT_RUN)
    page.leaves("arn:aws", NOT_RUN)


def a_training(page: Reader) -> None:
    """A program of the reader's, and a workflow of it."""
    (page.osmo.directory / "train.py").write_text(TRAIN)
    page.osmo.spec(page.here(SPEC % "s3://bucket/workflow"), "train.yaml")


def an_entry(page: Reader) -> dict[str, str]:
    return {"path": "out", "url": page.here("s3://bucket/other"), "frequency": "1h"}


STORIES: dict[str, Callable[[Reader], None]] = {
    "README.md": readme,
    "docs/index.md": index,
    "docs/spec.md": spec,
    "docs/commands.md": commands,
    "docs/running.md": running,
    "docs/stores.md": stores,
}


@pytest.mark.parametrize("page", STORIES)
def test_what_a_page_says_is_what_happens(page: str, osmo: Osmo, bucket: Bucket) -> None:
    places = {"/mnt/backup": osmo.directory / "mnt/backup", "/tmp/me": osmo.directory}
    reader = Reader(page, osmo, bucket.name, places)
    STORIES[page](reader)
    assert reader.is_done()


def test_no_page_with_an_example_is_without_a_story() -> None:
    pages = [TOP / "README.md", *TOP.glob("docs/*.md")]
    assert {str(page.relative_to(TOP)) for page in pages if blocks(page)} == set(STORIES)
