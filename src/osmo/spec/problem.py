"""What is wrong with a spec, and how values and fields are shown to the person who wrote it."""

import datetime
import re
from dataclasses import dataclass
from typing import Final

_KINDS: Final[dict[type, str]] = {list: "a list", tuple: "a list", dict: "a mapping", bytes: "binary data"}

Field = tuple[str | int, ...]
"""Where a value stands: `("workflow", "tasks", 0, "name")`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or worth a warning.

    field: whose value it is about.
    text: one sentence, without the field.
    at_key: it is the field's name that is wrong, so its position is the one to show.
    """

    field: Field
    text: str
    at_key: bool = False


def field_name(field: Field) -> str:
    """`workflow.tasks[0].checkpoint[1].frequency`."""
    name = ""
    for part in field:
        if isinstance(part, int):
            name += f"[{part}]"
        elif re.fullmatch(r"[\w-]+", part):
            name += f".{part}" if name else part
        else:
            name += f"[{shown(part)}]"
    return name


def shown(value: object, *, at_most: int = 60) -> str:
    """A value as the user may have written it: text in quotes and of bounded length, `true`, `null`, `a list`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(value if len(value) <= at_most else f"{value[: at_most - 3]}...")
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, datetime.date):  # a datetime is one too
        return f"the date {value}"
    return _KINDS.get(type(value), "something else")


def one_line(text: str) -> str:
    """The text without line breaks and control characters: nothing that a file holds may move the terminal's cursor."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def kind(value: object) -> str:
    """What sort of value this is, without saying it: for values that may be secret."""
    return "text" if isinstance(value, str) else shown(value)


def _number(value: float) -> str:
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a very large number"  # Python refuses to print some of these
    return str(value)
