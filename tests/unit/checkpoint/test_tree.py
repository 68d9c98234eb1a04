import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from osmo.checkpoint.descent import LeadsOut
from osmo.checkpoint.root import Within
from osmo.checkpoint.tree import Stat, Tree
from osmo.checkpoint.walk import Scan, walk
from osmo.store.file import FileStore
from osmo.store.url import parse
from support.needs import missing
from support.trees import Content, Fifo, Link, grow

OUT = "a link that leads out of the folder"
ROUND = "a link that goes round in a circle"


@pytest.mark.parametrize(
    ("tree", "files", "problems"),
    [
        ({}, [], {}),
        ({"a": "", "d/b": "", "d/e/f/c": "", "empty/": ""}, ["a", "d/b", "d/e/f/c"], {}),
        ({"a": "", "to": Link("a"), "d/to": Link("../a")}, ["a", "d/to", "to"], {}),
        ({"d/a": "", "to": Link("d")}, ["d/a", "to/a"], {}),
        ({"d/a": "", "one": Link("two"), "two": Link("d/")}, ["d/a", "one/a", "two/a"], {}),
        ({"a": "", "here": Link(".")}, ["a"], {"here": ROUND}),
        ({"d/a": "", "d/up": Link("..")}, ["d/a"], {"d/up": ROUND}),
        ({"one": Link("two"), "two": Link("one")}, [], {"one": ROUND, "two": ROUND}),
        ({"self": Link("self")}, [], {"self": ROUND}),
        ({"a": Link("nowhere"), "b": Link("/nowhere/at/all")}, [], {"a": "a link to nothing", "b": OUT}),
        ({"a": "", "b": Link("a/b")}, ["a"], {"b": "a link to nothing"}),
        ({"a": Link("/etc"), "b": Link(".."), "c": Link("../ckpt2/x")}, [], {"a": OUT, "b": OUT, "c": OUT}),
        ({"d/b": Link("../../x")}, [], {"d/b": OUT}),
        ({"pipe": Fifo(), "to": Link("pipe")}, [], {"pipe": "a named pipe", "to": "a named pipe"}),
    ],
)
def test_a_walk_finds_the_files_and_says_why_not_the_rest(
    tmp_path: Path, tree: dict[str, Content], files: list[str], problems: dict[str, str]
) -> None:
    scan = walk(Tree(str(grow(tmp_path / "ckpt", tree))))
    assert (sorted(scan.files), scan.problems, scan.exists) == (files, problems, True)


def test_absolute_links_that_stay_inside_are_followed_also_below_a_root_that_is_a_link(tmp_path: Path) -> None:
    real = grow(tmp_path / "real", {"d/a": "x"})
    (tmp_path / "ckpt").symlink_to(real)
    (real / "by_root").symlink_to(tmp_path / "ckpt/d/a")
    (real / "by_real").symlink_to(real / "d")
    (real / "d/from_below").symlink_to(real / "d/a")
    (real / "to_root").symlink_to(real)
    scan = walk(Tree(str(tmp_path / "ckpt")))
    assert sorted(scan.files) == ["by_real/a", "by_real/from_below", "by_root", "d/a", "d/from_below"]
    assert scan.problems == {"to_root": ROUND}


def test_links_in_and_out_of_each_other_end(tmp_path: Path) -> None:
    grow(tmp_path, {"a/x": "", "b/y": "", "a/b": Link("../b"), "b/a": Link("../a")})
    scan = walk(Tree(str(tmp_path)))
    assert sorted(scan.files) == ["a/b/y", "a/x", "b/a/x", "b/y"]
    assert scan.problems == {"a/b/a": ROUND, "b/a/b": ROUND}


def test_a_socket_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # its name must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert walk(Tree(str(tmp_path))).problems == {"s": "a socket"}


def test_a_pipe_is_never_opened_for_that_would_wake_its_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(tmp_path, {"pipe": Fifo(), "to": Link("pipe")})
    opened: list[str] = []
    real = os.open

    def watched(path: str, *args: int, **more: int) -> int:
        opened.append(str(path))
        return real(path, *args, **more)

    monkeypatch.setattr(os, "open", watched)
    tree = Tree(str(tmp_path))
    walk(tree)
    for name in ("pipe", "to"):
        assert tree.stat(name) is None
        with pytest.raises(OSError, match="a named pipe"), tree.open(name):
            pass
    assert set(opened) == {str(tmp_path)}


def test_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    grow(tmp_path, {"one": "x"})
    os.link(tmp_path / "one", tmp_path / "two")
    assert sorted(walk(Tree(str(tmp_path))).files) == ["one", "two"]


def test_a_device_is_a_problem_and_never_opened(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        missing("only root may make devices")
    tree = Tree(str(tmp_path))
    assert walk(tree).problems == {"null": "a character device"}
    with pytest.raises(OSError, match="a character device"), tree.open("null"):
        pass


def test_what_a_store_in_the_folder_is_writing_is_passed_over(tmp_path: Path) -> None:
    grow(tmp_path, {"ckpt/a": "x"})
    tree = Tree(str(tmp_path / "ckpt"))
    seen: list[tuple[int, Scan]] = []

    def parts() -> Iterator[bytes]:
        yield b"half"
        seen.append((len(os.listdir(tmp_path / "ckpt")), walk(tree)))

    FileStore(parse(f"file://{tmp_path}")).put_parts("ckpt/b", parts(), part_size=4, concurrency=1)
    ((on_disk, scan),) = seen
    assert (on_disk, list(scan.files), scan.problems) == (2, ["a"], {})
    assert sorted(walk(tree).files) == ["a", "b"]


def test_only_osmos_own_unfinished_names_are_passed_over(tmp_path: Path) -> None:
    names = {".osmo-restore.1.2": "", "d/.osmo-part.1": "", ".osmo-part.d/a": "", "d/.osmo-parts": "", "osmo-part.": ""}
    scan = walk(Tree(str(grow(tmp_path, names))))
    assert (sorted(scan.files), scan.problems) == (["d/.osmo-parts", "osmo-part."], {})


def test_what_is_deeper_than_we_go_is_said(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 250)
    grow(tmp_path, {f"{deep}/a": "", "d/d/b": ""})
    scan = walk(Tree(str(tmp_path)))
    assert sorted(scan.files) == ["d/d/b"]
    assert list(scan.problems.values()) == ["a folder more than 200 levels down"]


@pytest.mark.parametrize("name", ["new\nline", os.fsdecode(b"\xff\xfe"), "n" * 255, " ", "*", "..."])
def test_a_file_of_any_name_is_found_and_can_be_opened(tmp_path: Path, name: str) -> None:
    tree = Tree(str(grow(tmp_path, {f"d/{name}": "x"})))
    found = walk(tree).files
    assert list(found) == [f"d/{name}"]
    with tree.open(f"d/{name}") as descriptor:
        assert Stat.of(os.fstat(descriptor)) == found[f"d/{name}"] == tree.stat(f"d/{name}")


def test_only_what_is_wanted_is_taken(tmp_path: Path) -> None:
    grow(tmp_path, {"a.pt": "", "b": "", "p": Fifo(), "p.pt": Fifo(), "l": Link("b"), "l.pt": Link("b")})
    scan = walk(Tree(str(tmp_path)), lambda name: name.endswith(".pt"))
    assert (sorted(scan.files), scan.problems) == (["a.pt", "l.pt"], {"p.pt": "a named pipe"})


def test_a_root_that_is_a_file_is_its_only_file(tmp_path: Path) -> None:
    grow(tmp_path, {"model.pt": "12345", "to": Link("model.pt")})
    for name in ("model.pt", "to"):
        tree = Tree(str(tmp_path / name))
        found = walk(tree, lambda _: False).files
        assert {name: stat.size for name, stat in found.items()} == {name: 5}
        assert tree.stat(name) == found[name]
        assert tree.path(name) == str(tmp_path / name)
        with tree.open(name) as descriptor:
            assert os.read(descriptor, 9) == b"12345"


def test_a_root_that_is_not_there_is_no_problem_and_does_not_exist(tmp_path: Path) -> None:
    scan = walk(Tree(str(tmp_path / "nothing/here")))
    assert (list(scan.files), scan.problems, scan.exists) == ([], {}, False)


def test_a_root_that_is_neither_file_nor_folder_is_a_problem_of_its_own(tmp_path: Path) -> None:
    grow(tmp_path, {"pipe": Fifo()})
    scan = walk(Tree(str(tmp_path / "pipe")))
    assert (list(scan.files), scan.problems) == ([], {".": "a named pipe"})


@pytest.mark.parametrize("name", ["out", "up/x", "d/../../x"])
def test_nothing_outside_the_root_is_opened(tmp_path: Path, name: str) -> None:
    grow(tmp_path, {"x": "secret", "ckpt/out": Link("../x"), "ckpt/up": Link(".."), "ckpt/d/": ""})
    tree = Tree(str(tmp_path / "ckpt"))
    with pytest.raises(LeadsOut), tree.open(name):
        pass
    assert tree.stat(name) is None


def test_a_folder_that_becomes_a_link_between_two_looks_leads_nowhere(tmp_path: Path) -> None:
    grow(tmp_path, {"x/a": "secret", "ckpt/d/a": "1"})
    tree = Tree(str(tmp_path / "ckpt"))
    assert list(walk(tree).files) == ["d/a"]
    (tmp_path / "ckpt/d/a").unlink()
    (tmp_path / "ckpt/d").rmdir()
    (tmp_path / "ckpt/d").symlink_to(tmp_path / "x")
    with pytest.raises(LeadsOut), tree.open("d/a"):
        pass


def test_a_folder_that_cannot_be_opened_is_a_problem_and_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(tmp_path, {"closed/a": "", "open/b": "", "gone/c": ""})
    real = os.open
    errors = {"closed": PermissionError(13, "Permission denied"), "gone": FileNotFoundError(2, "not there")}

    def guarded(path: str, *args: int, **more: int) -> int:
        if path in errors:
            raise errors[path]
        return real(path, *args, **more)

    monkeypatch.setattr(os, "open", guarded)
    scan = walk(Tree(str(tmp_path)))
    assert (list(scan.files), scan.problems) == (["open/b"], {"closed": "permission denied"})


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
def test_a_walk_leaves_no_descriptor_open_whatever_it_meets(tmp_path: Path) -> None:
    grow(
        tmp_path,
        {
            "d/e/a": "",
            "in": Link("d"),
            "round": Link("."),
            "out": Link("/etc"),
            "loop": Link("loop"),
            "pipe": Fifo(),
            "file/": "",
            "through": Link("d/e/a/b"),
        },
    )
    tree = Tree(str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        walk(tree)
        for name in ("d/e/a", "in/e/a", "round", "out", "loop", "pipe", "through", "nothing"):
            tree.stat(name)
    assert len(os.listdir("/proc/self/fd")) == before


def _private(tmp_path: Path, files: dict[str, Content], path: str) -> Tree:
    """A folder that a task sees as its `/`, and the root at `path` there."""
    return Tree(Within(path, "/", str(grow(tmp_path / "private", files))))


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({"tmp/ckpt/d/a": "x"}, "/tmp/ckpt"),
        ({"tmp/real/d/a": "x", "tmp/ckpt": Link("real")}, "/tmp/ckpt"),
        ({"tmp/real/d/a": "x", "tmp/ckpt": Link("/tmp/real")}, "/tmp/ckpt"),
        ({"data/d/a": "x", "tmp": Link("/"), "ckpt": Link("/data")}, "/tmp/ckpt"),
        ({"tmp/ckpt/other": "x", "tmp/ckpt/d/a": Link("/tmp/ckpt/other")}, "/tmp/ckpt"),
    ],
)
def test_links_in_a_sandbox_lead_where_its_task_sees_them_lead(
    tmp_path: Path, files: dict[str, Content], path: str
) -> None:
    tree = _private(tmp_path, files, path)
    assert "d/a" in walk(tree).files
    with tree.open("d/a") as descriptor:
        assert os.read(descriptor, 9) == b"x"
    assert tree.path("d/a") == "/tmp/ckpt/d/a"


@pytest.mark.parametrize("to", ["/etc", "../../../../../../../../etc", "../../etc"])
def test_a_link_in_a_sandbox_uploads_nothing_of_the_host(tmp_path: Path, to: str) -> None:
    host = grow(tmp_path / "etc", {"passwd": "secret"})
    assert walk(_private(tmp_path, {"tmp/ckpt": Link(to)}, "/tmp/ckpt")).files == {}
    for number, target in enumerate((f"{to}/passwd", str(host / "passwd"))):
        tree = _private(tmp_path / str(number), {"tmp/ckpt/a": "", "tmp/ckpt/b": Link(target)}, "/tmp/ckpt")
        assert sorted(walk(tree).files) == ["a"]


def test_a_single_file_in_a_sandbox_is_read_there(tmp_path: Path) -> None:
    tree = _private(tmp_path, {"tmp/model.pt": "x"}, "/tmp/model.pt")
    assert (tree.is_file, list(walk(tree).files)) == (True, ["model.pt"])
    with tree.open("model.pt") as descriptor, tree.beside("model.pt") as (folder, name):
        assert (os.read(descriptor, 9), os.stat(name, dir_fd=folder).st_size) == (b"x", 1)
    link = _private(tmp_path / "link", {"tmp/model.pt": Link("/etc/passwd")}, "/tmp/model.pt")
    assert (link.is_file, list(walk(link).files), link.stat("model.pt")) == (False, [], None)
