import pytest

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
