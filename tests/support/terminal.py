"""A terminal with a person before it: a process that has one of its own, and what is typed and seen there."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

_PATIENCE_S = 60.0


class Terminal:
    """One session at a terminal. seen: what was printed so far."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self.seen = ""
        self._descriptor = descriptor
        self._status: int | None = None

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def until(self, text: str) -> None:
        """Wait until it was printed; fail if it never is."""
        deadline = time.monotonic() + _PATIENCE_S
        while text not in self.seen:
            assert self._read() or time.monotonic() < deadline, f"{text!r} is not in {self.seen!r}"
            assert self._status is None or self._read() or text in self.seen, f"{text!r} is not in {self.seen!r}"

    def end(self) -> int:
        """Wait for the end. Returns the exit code, -n if signal n ended it."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._status is None:
            assert time.monotonic() < deadline, f"it does not end; seen: {self.seen!r}"
            self._read()
        while self._read():
            pass
        return os.waitstatus_to_exitcode(self._status)

    def _read(self) -> bool:
        """What is there to read now. False if nothing is."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            time.sleep(0.02)
            return False
        except OSError:  # all who had it have ended
            time.sleep(0.02)
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)


@contextlib.contextmanager
def terminal(command: list[str], cwd: Path, environ: Mapping[str, str]) -> Iterator[Terminal]:
    """Run a command at a terminal of its own; what is left of it is killed."""
    pid, descriptor = pty.fork()
    if pid == 0:
        try:
            os.chdir(cwd)
            os.execvpe(command[0], command, dict(environ))
        finally:
            os._exit(127)
    os.set_blocking(descriptor, False)
    one = Terminal(pid, descriptor)
    try:
        yield one
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        os.close(descriptor)
