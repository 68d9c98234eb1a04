"""What is known of templates without rendering one: this module is light."""

import re
from dataclasses import dataclass
from typing import Final

LARGEST: Final = 10 * 1024 * 1024
"""Characters of a rendered template."""

# Written without spaces these are tokens even where a template has a variable of the name, as on OSMO; and what has a
# colon could be nothing else.
PROTECTED: Final = re.compile(
    r"\{\{(?:output|workflow_id|uuid)\}\}|\{\{[ \t]*(?:input|host):[\w:-]+[ \t]*\}\}", re.ASCII
)
_BEGINS: Final = ("{{", "{%", "{#")


class TemplateProblem(Exception):
    """What is wrong with a template. line: from 1; None if nobody knows."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


@dataclass(frozen=True, slots=True)
class Rendered:
    """text: what has become of the template. used: the variables that it asks for."""

    text: str
    used: frozenset[str]


def is_template(text: str) -> bool:
    """Whether there is anything to render: our own tokens are none of it."""
    return any(begin in text for begin in _BEGINS) and any(begin in PROTECTED.sub("", text) for begin in _BEGINS)
