"""A command's output, cut into lines: of any length, of any bytes, with progress bars that go back with `\\r`."""

LONGEST = 16 * 1024 * 1024
PATIENCE_S = 5.0


class Splitter:
    """Bytes in, lines out.

    A `\\r` starts the line anew, as on a terminal: of what a progress bar drew, the last state counts. A line that
    stays unfinished for `PATIENCE_S` is given out as it is (a prompt, a bar), and what is added to it later comes as a
    line of its own; one of more than `longest` bytes comes in pieces of that many.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._rest = b""
        self._shown: bytes | None = None  # what was given out of the line that `_rest` goes on with
        self._since: float | None = None

    @property
    def pending(self) -> int:
        """How many of the bytes that came last are in no line yet."""
        return len(self._rest)

    def feed(self, data: bytes, now: float) -> list[bytes]:
        """The lines that `data` completes. `now`: monotonic seconds."""
        *whole, rest = (self._rest + data).split(b"\n")
        lines = []
        for raw in whole:
            *pieces, last = self._pieces(raw)
            lines += [*pieces, *self._news(last, at_end=True)]
            self._shown = None
        *pieces, self._rest = self._pieces(rest)
        lines += pieces
        if whole or not self._rest:
            self._since = None
        if self._rest and self._since is None:
            self._since = now
        return lines

    def overdue(self, now: float) -> list[bytes]:
        """The unfinished line, if it has waited long enough."""
        if self._since is None or now - self._since < PATIENCE_S:
            return []
        return self.end()

    def end(self) -> list[bytes]:
        """What is left when nothing more will come."""
        lines = self._news(self._rest, at_end=False)
        self._rest, self._since = b"", None
        if lines:
            self._shown = lines[0]
        return lines

    def _pieces(self, raw: bytes) -> list[bytes]:
        """All but the last are as they are to be given out."""
        pieces = []
        while len(raw) > self._longest:
            pieces.append(_as_seen(raw[: self._longest]))
            self._shown = None
            raw = raw[self._longest :]
        return [*pieces, raw]

    def _news(self, raw: bytes, *, at_end: bool) -> list[bytes]:
        """What a line shows, unless that was given out before it was finished."""
        text = _as_seen(raw)
        if self._shown is None:
            return [text] if text or at_end else []
        drawn_again = b"\r" in raw and text == self._shown
        return [text] if text and not drawn_again else []


def _as_seen(raw: bytes) -> bytes:
    """What a terminal shows of a line in the end."""
    return next((piece for piece in reversed(raw.split(b"\r")) if piece), b"")
