"""How much memory or disk: `16Gi`, in bytes."""

import re
from typing import Final

from osmo.spec.problem import shown

ACCEPTED: Final = "16Gi, 512MiB, 100M, 1.5T, or a number of bytes"
_LARGEST: Final = 2**63
_QUANTITY: Final = re.compile(r"(\d+\.?\d*|\.\d+)\s*([A-Za-z]*)")
# As OSMO reads them: K and Ki are both 1024; `m`, a thousandth, is Kubernetes' own.
_UNITS: Final = {
    "": 1.0,
    "B": 1.0,
    "m": 1e-3,
    **{
        f"{letter}{suffix}": 1024.0**power for power, letter in enumerate("KMGT", start=1) for suffix in ("", "i", "iB")
    },
}


def size(value: object) -> int:
    """The bytes that a YAML value stands for, rounded up. Raises `ValueError` with a message for the user."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{shown(value)} is not a size (accepted: {ACCEPTED})")
    match = _QUANTITY.fullmatch(value.strip() if isinstance(value, str) else f"{value:f}" if _finite(value) else "")
    if match is None:
        raise ValueError(f"{shown(value)} is not a size (accepted: {ACCEPTED})")
    if match[2] not in _UNITS:
        raise ValueError(f"{shown(value)} has the unknown unit {shown(match[2])} ({_hint(match[2])})")
    size = float(match[1]) * _UNITS[match[2]]
    if size >= _LARGEST:
        raise ValueError(f"{shown(value)} is too large")
    return -int(-size // 1)


def _finite(value: float) -> bool:
    return abs(value) < _LARGEST


def _hint(unit: str) -> str:
    """`GB`, `gb`, `gi`: what was meant begins with the same letter."""
    if re.fullmatch(r"[kmgtKMGT](i?[bB])?|[kmgtKMGT]i", unit):
        return f"did you mean {unit[0].upper()}i?"
    return f"accepted: {ACCEPTED}"
