"""What becomes of a task whose command ends with a certain exit code."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from osmo.spec.problem import shown

Action = Literal["COMPLETE", "FAIL", "RESCHEDULE"]
Ranges = tuple[tuple[int, int], ...]
"""First and last exit code, both included."""

ACTIONS: Final = ("COMPLETE", "FAIL", "RESCHEDULE")
ACCEPTED: Final = "0, '1-9', '3,5-7', [3, '5-7']"
_RANGE: Final = re.compile(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?")


def ranges(value: object) -> Ranges:
    """The exit codes that a YAML value stands for: a number, text such as `3,5-7`, or a list of those.

    Raises `ValueError` with a message for the user.
    """
    parts = value if isinstance(value, list | tuple) else [value]
    if not parts:
        raise ValueError(f"names no exit code (accepted: {ACCEPTED})")
    return tuple(found for part in parts for found in _ranges(part))


def overlap(actions: Mapping[Action, Ranges]) -> str | None:
    """What is wrong with actions that share an exit code, or None."""
    seen: list[tuple[int, int, str]] = []
    for name, codes in actions.items():
        for first, last in codes:
            for other_first, other_last, other in seen:
                if first <= other_last and other_first <= last:
                    both = max(first, other_first)
                    where = f"{other} and {name}" if other != name else f"{name} twice"
                    return f"exit code {both} is in {where}: a code has one action"
            seen.append((first, last, name))
    return None


def _ranges(value: object) -> Iterable[tuple[int, int]]:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9:
        return [(value, value)]
    if not isinstance(value, str) or len(value) > 10_000:
        raise ValueError(f"{shown(value)} is no exit code (accepted: {ACCEPTED})")
    return [_range(part, value) for part in value.split(",")]


def _range(part: str, value: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(part)
    if match is None:
        raise ValueError(f"{shown(value)} is no exit code (accepted: {ACCEPTED})")
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise ValueError(f"{shown(part.strip())} ends before it begins: write {last}-{first}")
    return first, last
