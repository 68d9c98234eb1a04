import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.spec.checkpoint import CheckpointEntry, Matcher


@pytest.mark.parametrize(
    ("path", "root", "basename", "prefix", "stream"),
    [
        ("/a/ckpt", "/a/ckpt", "ckpt", "ckpt/", "ckpt"),
        ("/a/ckpt/*", "/a/ckpt", "ckpt", "", "_"),
        ("/a/*.pt", "/a/*.pt", "*.pt", "*.pt/", "*.pt"),
        ("/*", "/", "", "", "_"),
    ],
)
def test_what_a_path_makes_of_keys(path: str, root: str, basename: str, prefix: str, stream: str) -> None:
    entry = CheckpointEntry(path, "s3://b", 30.0)
    assert (entry.root, entry.basename, entry.prefix, entry.stream) == (root, basename, prefix, stream)


@pytest.mark.parametrize(
    ("regex", "relative", "taken"),
    [
        ("", "a/b.bin", True),
        (".*.json", "x.json", True),
        (".*.json", "x.json.tmp", True),
        (r".*\.(bin)$", "deep/x.bin", True),
        (r".*\.(bin)$", "deep/x.bin2", False),
        ("model_.*", "model_1.pt", True),
        ("ckpt/model_.*", "model_1.pt", True),
        ("other/model_.*", "model_1.pt", False),
        (r"(?!.*\.tmp$)", "x.tmp", False),
        (r"(?!.*\.tmp$)", "x.pt", True),
        (r"ckpt/(?!old)", "old/x", False),
        (r"(?!ckpt/old)", "old/x", False),
    ],
)
def test_which_files_a_regex_takes(regex: str, relative: str, taken: bool) -> None:
    assert Matcher(regex, "ckpt")(relative) is taken


PIECES = st.sampled_from(["a", "b", "/", "ckpt", ".", ".*", "[ab]", "(a|b)", "a?", "$", "(?=a)", "(?!a)", "(?<!b)"])
REGEXES = st.lists(PIECES, max_size=5).map("".join)
RELATIVES = st.text("ab/\n", min_size=1, max_size=6)


@given(REGEXES, RELATIVES)
def test_what_osmo_takes_is_always_taken_and_what_is_excluded_there_never(regex: str, relative: str) -> None:
    taken = Matcher(regex, "ckpt")(relative)
    as_osmo_does = re.match(regex, f"ckpt/{relative}") is not None
    as_people_expect = re.match(regex, relative) is not None
    if as_osmo_does or "(?!" in regex or "(?<!" in regex:
        assert taken == as_osmo_does
    else:
        assert taken == as_people_expect


@given(st.text(max_size=8), st.text(max_size=8))
def test_a_name_written_literally_takes_that_file(name: str, rest: str) -> None:
    assert Matcher(re.escape(name), "ckpt")(name + rest)
    assert Matcher(re.escape(f"ckpt/{name}"), "ckpt")(name + rest)


@pytest.mark.parametrize("name", ["r" * 129, "é" * 120, "r" * 255])
def test_the_stream_of_a_folder_with_a_long_name_has_a_shorter_one_of_its_own(name: str) -> None:
    """A store's folder has at most 255 bytes, and the task's name and a suffix are in it, too."""
    one, other = (CheckpointEntry(f"/a/{last}", "file:///s", 60).stream for last in (name, name[:-1] + "x"))
    assert one != other
    assert one.startswith(name[:50])
    assert len(one.encode()) <= 128


def test_the_stream_of_a_folder_is_called_as_the_folder() -> None:
    assert CheckpointEntry(f"/a/{'r' * 128}", "file:///s", 60).stream == "r" * 128
    assert CheckpointEntry("/a/ckpt/*", "file:///s", 60).stream == "_"
