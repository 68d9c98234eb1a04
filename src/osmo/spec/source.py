"""The files that a spec is made of: its own text, and what `localpath` names."""

import base64
from pathlib import Path
from typing import Final

from osmo.spec.document import DocumentError
from osmo.spec.problem import shown
from osmo.spec.task import File

LARGEST: Final = 10 * 1024 * 1024
LARGEST_FILE: Final = 64 * 1024 * 1024


def read(path: Path) -> str:
    """The text of a spec file. Raises `DocumentError`."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise DocumentError("no such file") from None
    except IsADirectoryError:
        raise DocumentError("is a directory, not a workflow spec") from None
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise DocumentError("is larger than 10 MiB: that is no workflow spec")
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        position = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise DocumentError(f"is not UTF-8 text (byte 0x{content[error.start]:02x})", position) from error


def local_file(file: File, directory: Path) -> File:
    """`file` with what its `localpath` names, beginning at `directory`, as contents. Raises `ValueError`.

    A file that is not UTF-8 text is kept in base64, byte for byte.
    """
    path = directory / (file.localpath or "")
    name = shown(str(path), at_most=200)
    try:
        if not path.exists():
            raise ValueError(f"{name} does not exist")
        if not path.is_file():
            raise ValueError(f"{name} is not a file")
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"{name} is larger than 64 MiB: let the command fetch it")
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error
    try:
        return file.model_copy(update={"contents": content.decode()})
    except UnicodeDecodeError:
        if file.base64:
            raise ValueError(f"{name} is not base64") from None
        return file.model_copy(update={"contents": base64.b64encode(content).decode(), "base64": True})
