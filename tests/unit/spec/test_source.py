import base64
from pathlib import Path

import pytest

from osmo.spec.document import DocumentError
from osmo.spec.source import LARGEST, LARGEST_FILE, local_file, read
from osmo.spec.task import File


def test_a_spec_is_utf_8_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    for content in ("ä: 1\n".encode(), "\ufeffä: 1\n".encode()):
        (tmp_path / "s.yaml").write_bytes(content)
        assert read(tmp_path / "s.yaml") == "ä: 1\n"


@pytest.mark.parametrize(
    ("content", "position", "message"),
    [
        (b"a: 1\nb: \xe9\n", (2, 4), "is not UTF-8 text (byte 0xe9)"),
        (b"\xff\xfea\x00", (1, 1), "is not UTF-8 text (byte 0xff)"),
        ("ä: ".encode() + b"\xe9", (1, 4), "is not UTF-8 text (byte 0xe9)"),
        (b" " * (LARGEST + 1), None, "is larger than 10 MiB: that is no workflow spec"),
    ],
)
def test_what_cannot_be_a_spec(tmp_path: Path, content: bytes, position: tuple[int, int] | None, message: str) -> None:
    (tmp_path / "s.yaml").write_bytes(content)
    with pytest.raises(DocumentError) as error:
        read(tmp_path / "s.yaml")
    assert (str(error.value), error.value.position) == (message, position)


@pytest.mark.parametrize(
    ("name", "message"),
    [("nope", "no such file"), (".", "is a directory, not a workflow spec"), ("s.yaml/x", "cannot be read: Not a dir")],
)
def test_a_spec_that_is_not_there(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "s.yaml").touch()
    with pytest.raises(DocumentError, match=message):
        read(tmp_path / name)


def local(path: str, **fields: object) -> File:
    return File.model_validate({"path": "/x", "localpath": path, **fields})


def test_localpath_begins_at_the_spec_s_directory(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("echo ä\n")
    assert local_file(local("run.sh"), tmp_path).data == "echo ä\n".encode()
    assert local_file(local(str(tmp_path / "run.sh")), Path("/nowhere")).data == "echo ä\n".encode()


def test_a_local_file_that_is_no_text_is_kept_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(bytes(range(256)))
    assert local_file(local("b"), tmp_path).data == bytes(range(256))


def test_a_local_file_in_base64_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(base64.encodebytes(b"\x00\x01" * 100))
    assert local_file(local("b", base64=True), tmp_path).data == b"\x00\x01" * 100


def test_a_local_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    with (tmp_path / "large").open("wb") as large:
        large.truncate(LARGEST_FILE + 1)
    for file, message in [
        (local("nope"), "nope' does not exist"),
        (local("."), "is not a file"),
        (local("large"), "large' is larger than 64 MiB: let the command fetch it"),
        (local("binary", base64=True), "binary' is not base64"),
    ]:
        with pytest.raises(ValueError, match=message):
            local_file(file, tmp_path)
