"""Another process that works on files: a real one, so that locks, leases and maps are another's."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_LOOP = """
import sys
scope = {}
for line in sys.stdin:
    exec(eval(line), scope)
    print(flush=True)
"""


class Other:
    """Another Python process. What one call of `do` names, the next ones know."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def do(self, source: str) -> None:
        """Run statements there. Back when they are done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{source!r}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "\n", f"the other process failed at {source!r}"

    def kill(self) -> None:
        """SIGKILL: it closes nothing in order."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def other() -> Iterator[Other]:
    """It lives as long as the block, at most."""
    process = Other()
    try:
        yield process
    finally:
        process.kill()
