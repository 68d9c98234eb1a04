"""A folder with everything that a folder may hold: through a run into a store, and back from there."""

import json
import os
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import Bucket
from support.cli import Osmo
from support.needs import missing
from support.stored import Stored
from support.trees import Content, Fifo, Link, grow

MIB = 1024 * 1024
LONG = "n" * 255
NOT_UTF8 = os.fsdecode(b"bytes \xff\xfe")
TOO_DEEP = "/".join(["l" * 200] * 6)
SPARSE = b"begin" + bytes(20 * MIB) + b"middle" + bytes(20 * MIB)
TEXTS = {
    name: f"content of {name!a}"
    for name in (
        "plain",
        "two words",
        " blank before and after ",
        "new\nline",
        "tab\tand \x7f",
        NOT_UTF8,
        os.fsdecode(b"folder \xff/in it"),
        LONG,
        "d" * 255 + "/" + LONG,
        "\u00fc" * 127,
        "-rf",
        "...",
        "%0A",
        "*?[]#&=+%\\\"'$;|<>:",
        "\u202eright to left",
        ".osmo/log/00000001.json",
        "deep/.osmo/x",
        ".osmo-mine",
    )
}
FILES: dict[str, Content] = {**TEXTS, "empty": "", "sparse": SPARSE}
LINKS: dict[str, Content] = {
    "link": Link("plain"),
    "link to a folder": Link("deep"),
    "dangling": Link("nowhere"),
    "out": Link("/etc/passwd"),
    "up and out": Link("../.."),
    "round": Link("."),
}
NO_FILES: dict[str, Content] = {
    "pipe": Fifo(),
    "empty folder/": "",
    ".osmo-restore.0.0": "left by a restore",
    "deep/.osmo-part.0": "left by a store",
}
PROBLEMS: dict[str, str] = {
    "dangling": "a link to nothing",
    "out": "a link that leads out of the folder",
    "up and out": "a link that leads out of the folder",
    "round": "a link that goes round in a circle",
    "pipe": "a named pipe",
    "socket": "a socket",
    "device": "a character device",
    "double\n": "'double%0A' has its name in the store",
    f"{TOO_DEEP}/x": "its name in the store would have N bytes, N are possible",
    "\n" * 86: "a part of its name in the store would have more than 255 bytes",
}


@pytest.fixture
def folder(osmo: Osmo) -> Iterator[Path]:
    """The odd folder."""
    grow(osmo.directory / "ck", FILES | LINKS | NO_FILES)
    grow(osmo.directory / "ck", {"double\n": "1", "double%0A": "2", "\n" * 86: "", f"{TOO_DEEP}/x": ""})
    folder = osmo.directory / "ck"
    (folder / "plain").chmod(0o640)
    (folder / "-rf").chmod(0o4755)
    os.utime(folder / "plain", ns=(1, 1_234_567_890_123_456_789))
    os.link(folder / "plain", folder / "hard link")
    try:
        os.mknod(folder / "device", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        missing("only root may make devices")
    here = os.open(".", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(folder)  # a socket's name must be short
        server.bind("socket")
        os.fchdir(here)
        yield folder
    os.close(here)


@pytest.fixture(params=["s3", "file"])
def store(request: pytest.FixtureRequest, osmo: Osmo, bucket: Bucket) -> tuple[str, Stored]:
    """A url, and the folder whose files are its objects."""
    if request.param == "s3":
        return f"s3://{bucket.name}/odd", bucket.beneath("odd")
    return f"file://{osmo.directory}/store", Stored(osmo.directory / "store")


def contents(folder: Path) -> dict[str, bytes]:
    """The regular files, by name; links not followed."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if stat.S_ISREG(path.lstat().st_mode):
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def wanted() -> dict[str, bytes]:
    found = {name: body if isinstance(body, bytes) else str(body).encode() for name, body in FILES.items()}
    found |= {"link": found["plain"], "hard link": found["plain"], "double%0A": b"2"}
    return found | {"link to a folder/.osmo/x": found["deep/.osmo/x"]}


def test_an_odd_folder_is_stored_and_comes_back(osmo: Osmo, folder: Path, store: tuple[str, Stored]) -> None:
    url, stored = store
    run = osmo.submit(osmo.task("true", checkpoint=[{"path": "ck", "url": url, "frequency": "1h"}]))
    assert osmo.wait(run).returncode == 0

    (record,) = stored.checkpoints("main.ck")
    assert {file["name"] for file in record["files"]} == wanted().keys()
    assert {name: re.sub(r"1,\d{3}", "N", why) for name, why in record["problems"].items()} == PROBLEMS
    for command in (("show", url), ("verify", url, "--deep"), ("list", url)):
        assert osmo("checkpoint", *command).returncode == 0

    back = osmo("checkpoint", "restore", url, "back")
    assert back.returncode == 0, back.stderr
    restored = osmo.directory / "back"
    assert contents(restored) == wanted()
    assert not any(path.is_symlink() for path in restored.rglob("*"))
    assert not (restored / "empty folder").exists()
    plain = (restored / "plain").stat()
    assert (plain.st_mode & 0o7777, plain.st_mtime_ns, plain.st_nlink) == (0o640, 1_234_567_890_123_456_789, 1)
    assert (restored / "-rf").stat().st_mode & 0o7777 == 0o755
    assert (restored / "sparse").stat().st_blocks * 512 < 2 * MIB


def test_a_name_that_is_full_of_commands_for_a_terminal_is_only_text(osmo: Osmo, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\n\x1b[2Jmain: all is well")
    grow(tmp_path / "ck", {name: "one", "plain": "two"})
    url = f"file://{tmp_path}/store"
    entry = {"path": "ck", "url": url, "frequency": "1h"}
    assert osmo.wait(osmo.submit(osmo.task("true", checkpoint=[entry]))).returncode == 0
    run = osmo.submit(osmo.task('for f in ck/*all*; do rm "$f"; mkfifo "$f.pipe"; done', checkpoint=[entry]))
    said = [osmo.wait(run).stderr, *osmo.log(run)]
    assert "a named pipe" in said[0]
    (tmp_path / "store/ck/%FF%0A%1B[2Jmain: all is well").unlink()
    for command in (("show", url, "1"), ("verify", url, "1"), ("restore", url, "back", "--at", "1")):
        result = osmo("checkpoint", *command)
        said += [result.stdout, result.stderr]
    assert "missing" in "".join(said)
    changes = osmo("checkpoint", "diff", url, "1", "2").stdout
    assert changes.startswith("- ")
    text = "\n".join([*said, changes])
    assert "Traceback" not in text
    assert "\x1b" not in text
    assert not any(line.startswith(("main: all is well", "[2Jmain")) for line in text.splitlines())


def listing(osmo: Osmo, *args: str) -> Any:
    result = osmo("checkpoint", *args, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_what_lies_in_osmos_own_folder_at_the_url_is_never_taken_as_data(
    osmo: Osmo, store: tuple[str, Stored], tmp_path: Path
) -> None:
    url, stored = store
    grow(tmp_path / "ck", {"a": "1", ".osmo/main._/log/00000099.json": "mine"})
    entry = {"path": "ck/*", "url": url, "frequency": "1h"}
    run = osmo.submit(osmo.task("true", checkpoint=[entry]))
    assert osmo.wait(run).returncode == 0
    (record,) = stored.checkpoints("main._")
    assert [file["name"] for file in record["files"]] == ["a"]
    assert record["problems"] == {".osmo": "this name is osmo's own at the url"}
    assert stored.files() == {"a"}

    assert osmo("checkpoint", "verify", url, "--deep").returncode == 0
    assert listing(osmo, "restore", url, "back")["failures"] == {}
    assert contents(osmo.directory / "back") == {"a": b"1"}
