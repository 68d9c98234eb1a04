"""PyYAML's safe loader, and one four times as quick for large texts: libyaml reads, Python composes.

libyaml alone would be quicker still, but its composer, in C, ends the process where a document is nested deeply.
"""

from typing import Final

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.reader import Reader
from yaml.resolver import Resolver

# Small ones are read by Python, as OSMO does: its complaints are better, and there may be odd texts that only one of
# them takes.
_LARGE: Final = 128 * 1024

Loader = yaml.SafeLoader
"""What both are, as far as their caller is concerned."""


def loader(text: str) -> Loader:
    """Raises `yaml.reader.ReaderError` for a character that YAML does not have."""
    if len(text) < _LARGE or not yaml.__with_libyaml__:
        return yaml.SafeLoader(text)
    Reader(text)  # libyaml counts bytes, so of a bad character it would name another position
    return _quick(text)


def _quick(text: str) -> Loader:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]  # not there without libyaml

    class Quick(Composer, CParser, SafeConstructor, Resolver):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            Composer.__init__(self)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

    made: Loader = Quick(text)  # type: ignore[assignment]
    return made
