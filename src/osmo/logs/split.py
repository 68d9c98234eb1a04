"""A command's output, cut into lines: of any length, of any bytes, with progress bars that go back with `\\r`."""

LONGEST = 16 * 1024 * 1024
PATIENCE_S = 5.0


class Splitter:
    """Bytes in, lines out.

    A `\\r` starts the line anew, as on a terminal: of what a progress bar drew, the last state counts. A line that
    stays unfinished for `PATIENCE_S` is given out as it is (a prompt, a bar); one longer than `LONGEST` bytes comes in
    pieces.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._shown = b""
        self._since: float | None = None

    def feed(self, data: bytes, now: float) -> list[bytes]:
        """The lines that `data` completes. `now`: monotonic seconds."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if whole:
            self._since = None
        if self._rest and self._since is None:
            self._since = now
        lines = [_as_seen(raw) for raw in whole]
        if lines and self._shown:
            if lines[0] in (b"", self._shown):  # it was given out before it was finished
                del lines[0]
            self._shown = b""
        if len(self._rest) > LONGEST:
            lines += self._give_out()
        return lines

    def overdue(self, now: float) -> list[bytes]:
        """The unfinished line, if it has waited long enough."""
        if self._since is None or now - self._since < PATIENCE_S:
            return []
        return self._give_out()

    def end(self) -> list[bytes]:
        """What is left when nothing more will come."""
        return self._give_out()

    def _give_out(self) -> list[bytes]:
        raw, self._rest, self._since = self._rest, b"", None
        text = _as_seen(raw)
        if not text or text == self._shown:
            return []
        self._shown = text
        return [text]


def _as_seen(raw: bytes) -> bytes:
    """What a terminal shows of a line in the end."""
    return next((piece for piece in reversed(raw.split(b"\r")) if piece), b"")
