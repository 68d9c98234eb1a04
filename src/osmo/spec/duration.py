"""How long: the durations that a spec may hold, in seconds."""

import math
import re
from datetime import timedelta
from typing import Final

from pydantic import TypeAdapter, ValidationError

from osmo.spec.problem import shown

ACCEPTED: Final = "30, 30s, 10m, 2h, 1d, 1h30m, ISO 8601 PT10S"
LONGEST_S: Final = 365 * 86_400.0
_TOO_LONG_S: Final = int(LONGEST_S) + 1

_UNIT_S: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}
_NUMBER: Final = r"(\d+\.?\d*|\.\d+)"
_BARE: Final = re.compile(_NUMBER)
# Each unit at most once, the longest first: `30m1h` is rather a slip than a wish.
_WITH_UNITS: Final = re.compile("".join(rf"(?:{_NUMBER}\s*{unit}\s*)?" for unit in _UNIT_S))
# pydantic also reads clock times and `1 day`, and takes a month for 30 days; OSMO has none of these.
_ISO: Final = re.compile(r"P(?![^T]*M)[\d.WDTHMS]+")
_TIMEDELTA: Final = TypeAdapter(timedelta)


def seconds(value: object) -> float:
    """The duration that a YAML value stands for; a number, and text without a unit, mean seconds.

    Raises `ValueError` with a message for the user. The result is finite, longer than zero and at most `LONGEST_S`:
    OSMO refuses a year and more too, and a checkpoint that is never due is a slip.
    """
    length = _length(value)
    if length is None or math.isnan(length):
        raise ValueError(f"{shown(value)} is not a duration (accepted: {ACCEPTED})")
    if length <= 0:
        raise ValueError(f"{shown(value)} is not a duration: it must be longer than zero (accepted: {ACCEPTED})")
    if length > LONGEST_S:
        raise ValueError(f"{shown(value)} is too long: at most 365d")
    return length


def _length(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return value
    if isinstance(value, int):
        return float(max(-1, min(value, _TOO_LONG_S)))  # some integers are too large for a float
    if isinstance(value, str):
        return _parsed(value.strip())
    return None


def _parsed(text: str) -> float | None:
    if _BARE.fullmatch(text):
        return float(text)
    if text and (match := _WITH_UNITS.fullmatch(text)):
        numbers = zip(match.groups(), _UNIT_S.values(), strict=True)
        return math.fsum(float(number) * unit_s for number, unit_s in numbers if number)
    if _ISO.fullmatch(text):
        try:
            return _TIMEDELTA.validate_python(text).total_seconds()
        except ValidationError:
            return None
    return None
