"""`osmo checkpoint prune` and `mirror`: what becomes of a url that a run has left."""

import json
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import Bucket
from support.cli import Osmo
from support.faults import Fault
from support.proxy import FaultProxy
from support.servers import S3Server, s3_client
from support.stored import parsed
from support.terminal import terminal

STEPS = ("echo one > ck/a; echo same > ck/b", "echo two > ck/a; echo new > ck/c", "echo three > ck/a; rm ck/b")


class Url:
    """A folder as a store, with three checkpoints that one command made: `a` was overwritten twice, `b` is gone."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        self._url = url or f"file://{folder}"

    def __str__(self) -> str:
        return self._url

    @property
    def plain(self) -> set[str]:
        found = {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}
        return {name for name in found if not name.startswith(".osmo/")}

    def records(self, stream: str = "main.ck") -> list[str]:
        kinds = [parsed(path.read_bytes())["kind"] for path in (self.folder / f".osmo/{stream}/log").iterdir()]
        return [kind for kind in kinds if kind == "checkpoint"]


def fill(osmo: Osmo, url: Url) -> None:
    steps = "; ".join(f"{step}; osmo checkpoint now --wait" for step in STEPS[:-1])
    entry = {"path": "ck", "url": str(url), "frequency": "1h", "keep": 3}
    run = osmo.submit(osmo.task(f"mkdir -p ck; {steps}; {STEPS[-1]}", checkpoint=[entry]))
    assert osmo.wait(run).returncode == 0, osmo.log(run)
    assert url.records() == ["checkpoint"] * 3
    assert url.plain == {"ck/a", "ck/b", "ck/c"}


@pytest.fixture
def url(osmo: Osmo, tmp_path: Path) -> Url:
    url = Url(tmp_path / "store")
    fill(osmo, url)
    return url


def prune(osmo: Osmo, url: Url, *options: str) -> Any:
    result = osmo("checkpoint", "prune", str(url), *options, "--json")
    assert result.returncode == 0, result.stderr
    (pruned,) = json.loads(result.stdout)
    return pruned


def everything(url: Url) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in url.folder.rglob("*") if path.is_file()}


def test_the_newest_checkpoints_stay_and_are_whole(osmo: Osmo, url: Url) -> None:
    pruned = prune(osmo, url, "--keep", "2")
    assert (pruned["kept"], pruned["checkpoints"], pruned["plain_files"]) == (2, 1, [])
    listed = json.loads(osmo("checkpoint", "list", str(url), "--json").stdout)
    assert [each["checkpoint"] for each in listed] == [3, 2]
    for number in ("2", "3"):
        assert osmo("checkpoint", "verify", str(url), number, "--deep").returncode == 0
    assert url.plain == {"ck/a", "ck/b", "ck/c"}
    told = osmo("checkpoint", "prune", str(url), "--keep", "1").stdout
    assert told.startswith("main.ck: 1 checkpoint kept; 1 checkpoint, ")
    again = osmo("checkpoint", "prune", str(url), "--keep", "1").stdout
    assert again == "main.ck: 1 checkpoint kept; there is nothing to remove\n"
    assert osmo("checkpoint", "verify", str(url), "--deep").returncode == 0


def test_a_dry_run_says_what_the_real_one_does_and_removes_nothing(osmo: Osmo, url: Url) -> None:
    before = everything(url)
    dry = prune(osmo, url, "--keep", "1", "--mirror", "--dry-run")
    assert everything(url) == before
    assert dry["plain_files"] == ["ck/b"]
    assert prune(osmo, url, "--keep", "1", "--mirror", "--yes") == dry
    assert url.plain == {"ck/a", "ck/c"}
    assert osmo("checkpoint", "verify", str(url), "--deep").returncode == 0


def test_with_nobody_to_ask_nothing_at_all_is_removed(osmo: Osmo, url: Url) -> None:
    before = everything(url)
    result = osmo("checkpoint", "prune", str(url), "--keep", "1", "--mirror")
    assert (result.returncode, "--yes" in result.stderr) == (2, True)
    assert everything(url) == before


@pytest.mark.parametrize(("answer", "code", "left"), [("n", 1, 3), ("y", 0, 1)])
def test_at_a_terminal_a_person_is_asked(osmo: Osmo, url: Url, answer: str, code: int, left: int) -> None:
    command = ["osmo", "checkpoint", "prune", str(url), "--keep", "1", "--mirror"]
    with terminal(command, osmo.directory, osmo.environ) as one:
        one.until("[y/N]")
        assert f"{url}/ck/b" in one.seen
        one.type(f"{answer}\n")
        assert one.end() == code
    assert len(url.records()) == left
    assert ("ck/b" in url.plain) == (answer == "n")


def test_what_another_url_keeps_there_is_not_gone(osmo: Osmo, url: Url) -> None:
    script = "mkdir -p logs; echo x > logs/x"
    entry = {"path": "logs", "url": f"{url}/ck/deep", "frequency": "1h"}
    assert osmo.wait(osmo.submit(osmo.task(script, name="other", checkpoint=[entry]))).returncode == 0
    (url.folder / "ck" / "stray").write_text("nobody's")
    assert set(prune(osmo, url, "--keep", "1", "--mirror", "--yes")["plain_files"]) == {"ck/b", "ck/stray"}
    assert osmo("checkpoint", "verify", f"{url}/ck/deep", "--deep").returncode == 0


def test_plain_files_that_are_missing_are_brought_up(osmo: Osmo, url: Url) -> None:
    (url.folder / "ck/a").unlink()
    result = osmo("checkpoint", "mirror", str(url))
    assert (result.returncode, result.stdout) == (0, "main.ck: 1 file brought up\n"), result.stderr
    assert (url.folder / "ck/a").read_text() == "three\n"
    assert osmo("checkpoint", "mirror", str(url)).stdout == "main.ck: 0 files brought up\n"


def test_a_plain_file_that_was_the_only_copy_is_said_to_be_lost(osmo: Osmo, url: Url) -> None:
    (url.folder / "ck/c").unlink()
    result = osmo("checkpoint", "mirror", str(url))
    assert (result.returncode, result.stdout) == (1, "main.ck: 0 files brought up\n")
    assert result.stderr == "osmo: main.ck: c: the plain file was the only copy, and is not there\n"
    told = osmo("checkpoint", "mirror", str(url), "--json")
    assert (told.returncode, json.loads(told.stdout)[0]["lost"]) == (1, ["c"])


def test_of_several_streams_one_that_is_written_keeps_no_other_from_being_pruned(osmo: Osmo, tmp_path: Path) -> None:
    url = Url(tmp_path / "store")
    now = "osmo checkpoint now --wait"
    script = f"mkdir -p $D; echo 1 > $D/a; echo 2 > $D/b; {now}; rm $D/b; {now}; $THEN"
    entry = {"url": str(url), "frequency": "1h"}
    lives = osmo.submit(
        osmo.task(script, checkpoint=[{"path": "busy", **entry}], environment={"D": "busy", "THEN": "sleep 600"})
    )
    ended = osmo.submit(
        osmo.task(script, checkpoint=[{"path": "done", **entry}], environment={"D": "done", "THEN": "true"})
    )
    osmo.until_logged(lives, "Checkpoint 2")
    assert osmo.wait(ended).returncode == 0
    result = osmo("checkpoint", "prune", str(url), "--keep", "1", "--mirror", "--yes")
    assert result.returncode == 1
    assert result.stderr.startswith(f"osmo: main.busy: {lives} on ")
    [line] = result.stdout.splitlines()
    assert line.startswith("main.done: ")
    assert line.endswith(" removed")
    assert url.plain == {"busy/a", "busy/b", "done/a"}


def test_on_s3_without_create_only_it_is_all_the_same(osmo: Osmo, server: S3Server, bucket: Bucket) -> None:
    """rclone's server: each owner writes the newest checkpoint once more, which is still one."""
    url = Url(bucket.directory / "here", f"s3://{bucket.name}/here")
    fill(osmo, url)

    def numbers() -> list[int]:
        listed = json.loads(osmo("checkpoint", "list", str(url), "--json").stdout)
        return [each["checkpoint"] for each in listed]

    assert prune(osmo, url, "--keep", "2")["checkpoints"] == 1
    assert numbers() == [3, 2]
    dry = prune(osmo, url, "--keep", "1", "--mirror", "--dry-run")
    assert (dry["checkpoints"], dry["plain_files"], url.plain) == (1, ["ck/b"], {"ck/a", "ck/b", "ck/c"})
    assert prune(osmo, url, "--keep", "1", "--mirror", "--yes") == dry
    assert (numbers(), url.plain) == ([3], {"ck/a", "ck/c"})

    s3_client(server).delete_object(Bucket=bucket.name, Key="here/ck/a")
    assert osmo("checkpoint", "mirror", str(url)).stdout == "main.ck: 1 file brought up\n"
    assert (url.folder / "ck/a").read_text() == "three\n"
    assert osmo("checkpoint", "mirror", str(url)).stdout == "main.ck: 0 files brought up\n"
    assert (numbers(), osmo("checkpoint", "verify", str(url), "--deep").returncode) == ([3], 0)


def test_what_the_store_refuses_to_remove_is_not_said_to_be_removed(osmo: Osmo, bucket: Bucket) -> None:
    url = f"s3://{bucket.name}/here"
    entry = {"path": "ck", "url": url, "frequency": "1h", "keep": 3}
    script = "mkdir -p ck; echo 1 > ck/a; osmo checkpoint now --wait; echo 2 > ck/a"
    assert osmo.wait(osmo.submit(osmo.task(script, checkpoint=[entry]))).returncode == 0
    with FaultProxy(osmo.environ["AWS_ENDPOINT_URL_S3"]) as proxy:
        proxy.fault(Fault(forward=False, answer=403), method="DELETE")
        result = osmo("checkpoint", "prune", url, "--keep", "1", AWS_ENDPOINT_URL_S3=proxy.endpoint)
    assert (result.returncode, result.stdout) == (1, "")
    assert "could not be removed" in result.stderr
    assert osmo("checkpoint", "prune", url, "--keep", "1").returncode == 0


def test_a_single_file_that_is_there_is_not_brought_up(osmo: Osmo, tmp_path: Path) -> None:
    url = f"file://{tmp_path / 'store'}"
    entry = {"path": "model", "url": url, "frequency": "1h"}
    script = "echo 1 > model; osmo checkpoint now --wait; echo 2 > model"
    assert osmo.wait(osmo.submit(osmo.task(script, checkpoint=[entry]))).returncode == 0
    assert osmo("checkpoint", "mirror", url).stdout == "main.model: 0 files brought up\n"
    (tmp_path / "store/model").unlink()
    assert osmo("checkpoint", "mirror", url).stdout == "main.model: 1 file brought up\n"
    assert (tmp_path / "store/model").read_text() == "2\n"


def test_while_a_run_writes_its_stream_is_taken_only_by_force(osmo: Osmo, tmp_path: Path) -> None:
    url = Url(tmp_path / "store")
    entry = {"path": "ck", "url": str(url), "frequency": "1h"}
    now = "osmo checkpoint now --wait"
    script = f"mkdir -p ck; echo a > ck/a; echo b > ck/b; {now}; rm ck/b; {now}; sleep 600"
    run = osmo.submit(osmo.task(script, checkpoint=[entry]))
    osmo.until_logged(run, "Checkpoint 2")
    for command in (("mirror",), ("prune", "--keep", "1", "--mirror", "--yes")):
        refused = osmo("checkpoint", *command, str(url))
        assert refused.returncode == 1
        assert f"{run} on " in refused.stderr
        assert "--force" in refused.stderr
    assert url.plain == {"ck/a", "ck/b"}
    assert prune(osmo, url, "--keep", "1", "--mirror", "--yes", "--force")["plain_files"] == ["ck/b"]
    assert url.plain == {"ck/a"}
    assert osmo("workflow", "cancel", run).returncode == 0
    osmo.wait(run)
    assert osmo.logged(run, "fenced by osmo checkpoint prune")


def test_a_damaged_record_hides_no_other_and_is_never_passed_over_for_the_newest(osmo: Osmo, url: Url) -> None:
    records = sorted((url.folder / ".osmo/main.ck/log").iterdir())
    newest = [path for path in records if json.loads(path.read_bytes().splitlines()[0])["kind"] == "checkpoint"][-1]
    newest.write_bytes(b"")
    listed = osmo("checkpoint", "list", str(url), "--json")
    assert (listed.returncode, [each["checkpoint"] for each in json.loads(listed.stdout)]) == (1, [2, 1])
    assert f"{newest.name}: not a record of a checkpoint" in listed.stderr
    refused = osmo("checkpoint", "restore", str(url), "back")
    assert (refused.returncode, newest.name in refused.stderr, "--at N" in refused.stderr) == (1, True, True)
    assert osmo("checkpoint", "restore", str(url), "back", "--at", "2").returncode == 0
    assert (osmo.directory / "back/a").read_text() == "two\n"


@pytest.mark.parametrize("command", [("mirror",), ("prune", "--keep", "1")])
def test_a_url_without_checkpoints_is_said_to_have_none(osmo: Osmo, command: tuple[str, ...]) -> None:
    result = osmo("checkpoint", *command, "file:///nowhere/at/all")
    assert (result.returncode, "there is no checkpoint" in result.stderr) == (2, True)
