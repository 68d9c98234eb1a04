"""The shapes of a log line.

UTC, `YYYY/MM/DD HH:MM:SS [task] ` before what the task prints, `[task][osmo] ` before what we say, `[task retry-1]`
from the second attempt on: as `osmo workflow logs` of NVIDIA OSMO shows them.
"""

import json
import re
from datetime import datetime

STAMP_LENGTH = len("2025/04/22 23:57:13")

_LINE = re.compile(rb"(\d{4})/(\d\d)/(\d\d) ([\d:]{8}) \[([^\] ]+)(?: retry-(\d+))?\](\[osmo\])? (.*)", re.DOTALL)


def prefix(now: datetime, task: str, attempt: int, *, ours: bool) -> bytes:
    """What stands before the text of a line, with the space behind it."""
    name = f"{task} retry-{attempt}" if attempt else task
    return b"%s [%s]%s " % (stamp(now), name.encode(), b"[osmo]" if ours else b"")


def stamp(moment: datetime) -> bytes:
    """How the lines of a moment (UTC) begin. Later stamps are greater."""
    return f"{moment:%Y/%m/%d %H:%M:%S}".encode()


def begins(path: str, url: str) -> str:
    """First line of a checkpoint."""
    return f"Checkpointing data from {path} to {url}..."


def uploaded(now: datetime) -> str:
    """Third line of a checkpoint: all its bytes are in the store."""
    return f"{now:%Y-%m-%dT%H:%M:%S+0000} client [INFO] data: Data has been uploaded"


def finished(path: str, url: str) -> str:
    """Last line of a checkpoint."""
    return f"Checkpointing data from {path} to {url} finished"


def as_json(text: bytes) -> bytes:
    """A whole line of a log as a JSON object in a line of its own: time (ISO 8601), task, attempt, ours, text."""
    text = text.removesuffix(b"\n")
    if (match := _LINE.fullmatch(text)) is None:
        return json.dumps({"text": text.decode(errors="replace")}).encode() + b"\n"
    year, month, day, time, task, attempt, ours, rest = match.groups()
    return (
        b"%s\n"
        % json.dumps(
            {
                "time": f"{int(year):04}-{int(month):02}-{int(day):02}T{time.decode()}+00:00",
                "task": task.decode(),
                "attempt": int(attempt or 0),
                "ours": ours is not None,
                "text": rest.decode(errors="replace"),
            },
            ensure_ascii=False,
        ).encode()
    )
