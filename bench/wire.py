"""A proxy that counts: requests, and the bytes of each direction. Everything passes unchanged."""

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_BUFFER = 256 * 1024
_MOST_AT_ONCE = 1024


@dataclass(slots=True)
class Requests:
    """Counts the requests in what a client sends, piece by piece.

    Knows as much of HTTP/1.1 as it has to: a body has a length, or is chunked, or is not there.
    """

    count: int = 0
    methods: dict[str, int] = field(default_factory=dict)
    _head: bytes = b""
    _left: int = 0  # bytes of a body, or of a chunk and its line's end
    _chunked: bool = False

    def take(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._left:
                skipped = min(self._left, len(view))
                self._left -= skipped
                view = view[skipped:]
                continue
            seen = len(self._head)
            self._head += bytes(view)
            ending = b"\r\n" if self._chunked else b"\r\n\r\n"
            end = self._head.find(ending)
            if end < 0:
                return
            line, self._head = self._head[:end], b""
            view = view[end + len(ending) - seen :]
            self._chunk(line) if self._chunked else self._request(line)

    def _request(self, head: bytes) -> None:
        lines = head.decode("latin-1").lstrip("\r\n").split("\r\n")
        method = lines[0].partition(" ")[0]
        fields = dict(line.lower().split(":", 1) for line in lines[1:] if ":" in line)
        self.count += 1
        self.methods[method] = self.methods.get(method, 0) + 1
        self._chunked = "chunked" in fields.get("transfer-encoding", "")
        self._left = 0 if self._chunked else int(fields.get("content-length", "0"))

    def _chunk(self, line: bytes) -> None:
        """The line before a chunk, or, empty, the one after the last."""
        size = int(line.partition(b";")[0] or b"0", 16) if b":" not in line else 0
        self._left = size + 2 if size else 0
        if not line:
            self._chunked = False


class Wire:
    """The proxy before one server, at `endpoint`. A `with` block starts and ends it."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_MOST_AT_ONCE)
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self.sent = self.received = 0
        self._counters: list[Requests] = []

    @property
    def requests(self) -> int:
        with self._lock:
            return sum(counter.count for counter in self._counters)

    @property
    def methods(self) -> dict[str, int]:
        """How many requests of each method."""
        with self._lock:
            names = {name for counter in self._counters for name in counter.methods}
            return {name: sum(each.methods.get(name, 0) for each in self._counters) for name in sorted(names)}

    def __enter__(self) -> "Wire":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._upstream)
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                counter = Requests()
                with self._lock:
                    self._counters.append(counter)
                threading.Thread(target=self._pass, args=(client, server, counter), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, None), daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket, counter: Requests | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_BUFFER):
                to.sendall(data)
                with self._lock:
                    if counter is not None:
                        counter.take(data)
                        self.sent += len(data)
                    else:
                        self.received += len(data)
        for each in (source, to):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        if counter is None:  # the server's side ends last
            source.close()
            to.close()
