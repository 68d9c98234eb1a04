"""`osmo checkpoint`: what a url holds, with no workflow around it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import Bucket
from support.cli import Osmo

WRITE = 'mkdir -p ck/deep; echo "$GENERATION" > ck/a; head -c 9000000 /dev/zero > ck/deep/big; echo same > ck/same'


@pytest.fixture
def url(osmo: Osmo, bucket: Bucket) -> str:
    """Two checkpoints of one stream: `a` differs, `new` came, the others are the same."""
    url = f"s3://{bucket.name}/here"
    entry = {"path": "ck", "url": url, "frequency": "1h"}
    for script, generation in ((WRITE, "one"), (f"{WRITE}; echo new > ck/new", "two")):
        spec = osmo.task(script, checkpoint=[entry], environment={"GENERATION": generation})
        assert osmo.wait(osmo.submit(spec)).returncode == 0
    return url


def listing(osmo: Osmo, *args: str) -> Any:
    result = osmo("checkpoint", *args, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_checkpoint_comes_back_as_it_was(osmo: Osmo, url: str) -> None:
    result = osmo("checkpoint", "restore", url, "back")
    assert result.returncode == 0, result.stderr
    assert "4 files verified" in result.stdout
    assert contents(osmo.directory / "back") == contents(osmo.directory / "ck")
    again = listing(osmo, "restore", url, "back")
    assert (again["fetched_files"], again["failures"]) == (0, {})


def test_checkpoints_are_listed_the_newest_first_shown_and_compared(osmo: Osmo, url: str) -> None:
    found = listing(osmo, "list", url)
    assert [(each["stream"], each["checkpoint"], each["count"]) for each in found] == [
        ("main.ck", 2, 4),
        ("main.ck", 1, 3),
    ]
    assert "main.ck" in osmo("checkpoint", "list", url).stdout
    shown = listing(osmo, "show", url, "1")
    assert {file["name"] for file in shown["files"]} == {"a", "deep/big", "same"}
    assert (shown["size"], shown["complete"]) == (9_000_009, True)
    told = osmo("checkpoint", "show", url, "1").stdout
    assert re.search(
        r"^Checkpoint : 1\nTime       : \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\nWhy        : final\n", told, re.MULTILINE
    )
    assert "Complete   : yes\nFiles      : 3\nSize       : 9.0 MB\n" in told
    assert re.search(r"^deep/big +9\.0 MB +[0-9a-f]{16}$", told, re.MULTILINE)
    assert not re.search(r"True|None| $", told, re.MULTILINE)
    assert listing(osmo, "diff", url, "1", "2") == {"a": "changed", "new": "added"}


def test_verify_finds_what_somebody_else_did_to_the_store(osmo: Osmo, tmp_path: Path) -> None:
    store = tmp_path / "store"
    entry = {"path": "ck", "url": f"file://{store}", "frequency": "1h"}
    assert osmo.wait(osmo.submit(osmo.task(WRITE, checkpoint=[entry]))).returncode == 0
    assert osmo("checkpoint", "verify", f"file://{store}", "--deep").returncode == 0
    (store / "ck" / "same").unlink()
    (store / "ck" / "a").write_text("evil\n")
    result = osmo("checkpoint", "verify", f"file://{store}")
    assert result.returncode == 1
    assert "same: missing" in result.stdout
    assert "a: " in result.stdout
    back = osmo("checkpoint", "restore", f"file://{store}", "back")
    assert back.returncode == 1
    assert "same: the object" in back.stderr
    assert "nothing in back was changed. --partial restores the files that are whole" in back.stderr
    assert all(".osmo-restore." in name for name in contents(osmo.directory / "back"))
    part = osmo("checkpoint", "restore", f"file://{store}", "back", "--partial")
    assert (part.returncode, "1 file verified" in part.stdout) == (1, True)
    assert set(contents(osmo.directory / "back")) == {"deep/big"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("list", "nonsense"), "nonsense"),
        (("show", "file:///nowhere/at/all"), "there is no checkpoint"),
        (("restore", "file:///nowhere/at/all", "back", "--at", "7"), "there is no checkpoint"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(osmo: Osmo, args: tuple[str, ...], message: str) -> None:
    result = osmo("checkpoint", *args)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_restore_names_the_files_that_could_not_be_read_any_more(osmo: Osmo, tmp_path: Path) -> None:
    """They come back as they were in an earlier checkpoint, which the others do not."""
    url = f"file://{tmp_path}/store"
    script = "mkdir kept; echo one >kept/a; echo one >kept/b; osmo checkpoint now --wait; "
    script += "echo two >kept/a; rm kept/b; mkfifo kept/b"
    saved = osmo("checkpoint", "run", "--path", "kept", "--url", url, "--frequency", "1h", "--", "sh", "-c", script)
    assert saved.returncode == 0, saved.stderr
    result = osmo("checkpoint", "restore", url, "back")
    assert result.returncode == 0, result.stderr
    assert {path.name: path.read_text() for path in (tmp_path / "back").iterdir()} == {"a": "two\n", "b": "one\n"}
    [line] = result.stderr.splitlines()
    assert line.startswith("b is of an earlier checkpoint: ")
