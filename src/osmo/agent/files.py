"""A task's `files:`, made before its command starts."""

import base64
import os
from pathlib import Path

from osmo.agent.config import FileSpec
from osmo.errors import OsmoError


def write(files: tuple[FileSpec, ...]) -> None:
    """Make each file, for its owner only; one that begins with `#!` may be executed.

    Raises OsmoError for a file that is there with other contents and that osmo did not make, and for one that cannot be
    written.
    """
    for file in files:
        contents = base64.b64decode(file.contents)
        path = Path(file.path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not file.replace and os.path.lexists(path):
                if path.read_bytes() == contents:
                    continue
                raise OsmoError(f"files: {path} is there already, and osmo did not make it: it stays as it is")
            _replace(path, contents)
        except OSError as error:
            raise OsmoError(f"files: {path} cannot be written: {error.strerror}") from error


def _replace(path: Path, contents: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.osmo")
    mode = 0o700 if contents.startswith(b"#!") else 0o600
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode), "wb") as file:
        file.write(contents)
    os.replace(temporary, path)
