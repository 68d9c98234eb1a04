"""Folders as data."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    target: str


class Fifo:
    """A named pipe."""


Content = str | bytes | Link | Fifo


def grow(root: Path, files: Mapping[str, Content]) -> Path:
    """Make `files` (name to content) beneath `root`, over what was there. A name that ends in `/` is a folder."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = os.path.join(root, name)
        if name.endswith("/"):
            os.makedirs(path, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        match content:
            case Link(target):
                os.symlink(target, path)
            case Fifo():
                os.mkfifo(path)
            case str() | bytes():
                with open(path, "wb") as file:
                    file.write(content.encode() if isinstance(content, str) else content)
    return root
