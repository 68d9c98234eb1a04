"""What was found out about buckets, kept on this machine for a while: other processes need not ask again.

Only what may be wrong without harm is kept here. A note is lost with the file, the file may be removed at any time, and
one that is damaged is none.
"""

import contextlib
import json
import os
import secrets
import threading
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from osmo.clock import Clock, SystemClock
from osmo.store.url import without_secrets

_VERSION = 1
_MOST = 1000


class Fact(Enum):
    """Its name in the file, and for how many seconds it is believed."""

    STYLE = "style", 24 * 3600.0
    CONDITION = "create-only", 24 * 3600.0
    SPLICING = "splicing", 3600.0


class Notes:
    """Of all buckets, in one file. Safe to use from many threads and processes: of two that write at once one may get
    lost. None of it raises."""

    def __init__(self, path: Path | None, clock: Clock | None = None) -> None:
        self.path, self._clock = path, clock or SystemClock()
        self._lock = threading.Lock()
        self._read: dict[str, tuple[str, float]] | None = None

    def get(self, fact: Fact, bucket: tuple[str, str]) -> str:
        """What was noted of a bucket (its endpoint and its name) not too long ago, or empty. Reads the file once."""
        with self._lock:
            if self._read is None:
                self._read = _known(self.path)
            value, noted = self._read.get(_key(fact, bucket), ("", 0.0))
        return value if self._believed(fact, noted) else ""

    def put(self, fact: Fact, bucket: tuple[str, str], value: str) -> None:
        """Note it, with the time."""
        with self._lock:
            known = _known(self.path)  # others have written meanwhile
            known[_key(fact, bucket)] = value, self._clock.now().timestamp()
            newest = sorted(known.items(), key=lambda each: each[1][1])[-_MOST:]
            self._read = dict(newest)
            if self.path is not None:
                with contextlib.suppress(OSError):
                    _write(self.path, {"version": _VERSION, "known": self._read})

    def _believed(self, fact: Fact, noted: float) -> bool:
        """A time to come is of another clock."""
        return 0 <= self._clock.now().timestamp() - noted < fact.value[1]


def notes_of(environ: Mapping[str, str]) -> Notes:
    """Those of this user: `$XDG_CACHE_HOME`, else `~/.cache`, `osmo/stores.json`. Without a home nothing is kept."""
    home = environ.get("HOME", "")
    cache = environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
    return Notes(Path(cache, "osmo/stores.json") if cache.startswith("/") else None)


def _key(fact: Fact, bucket: tuple[str, str]) -> str:
    endpoint, name = bucket
    return f"{fact.value[0]} {without_secrets(endpoint)} {name}"


def _known(path: Path | None) -> dict[str, tuple[str, float]]:
    """What the file says; nothing if it cannot be read as it is written here."""
    if path is None:
        return {}
    try:
        said: Any = json.loads(path.read_bytes())
        if said["version"] != _VERSION:
            return {}
        return {str(key): (str(value), float(noted)) for key, (value, noted) in said["known"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write(path: Path, said: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump(said, file)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
