"""How a stream works."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from osmo.checkpoint.gate import SETTLE_S

_AT_ONCE = 16
_MOST_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """How a stream works.

    settle_s: how long a file must look the same before it is read. at_once: files sent at a time, if nothing is
    known of the store. endpoint: of S3, if
    it is not AWS's. name: of the stream, if it is not `<task>.<basename>`. shared: other tasks of the run have the same
    plain files. scratch: a folder of ours for copies of databases. live: patterns of further live files.
    """

    settle_s: float = SETTLE_S
    at_once: int = _AT_ONCE
    endpoint: str = ""
    name: str = ""
    shared: bool = False
    scratch: Path = Path(tempfile.gettempdir())
    live: tuple[str, ...] = ()

    @property
    def most_at_once(self) -> int:
        """Files sent at a time to a store that takes more. One stays one, for whoever counts on their order."""
        return self.at_once if self.at_once == 1 else max(self.at_once, _MOST_AT_ONCE)
