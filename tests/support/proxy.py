"""A real proxy in front of a real server on loopback, that can be told to fail as networks and stores fail."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import h11

from support.conversation import Conversation, Side
from support.faults import Active, Exchange, Fault

_BUFFER = 256 * 1024  # what the kernel takes in unseen: little, so that a client feels a cap and a cut


class FaultProxy:
    """Passes HTTP/1.1 on to the server at `upstream_endpoint`, streamed and unchanged but for the faults in force.

    `endpoint` is its own as long as it exists. It listens there between `start` and `stop`, again and again if need be,
    and refuses connections otherwise; a `with` block starts and closes it. Every method may be called from any thread.
    """

    def __init__(self, upstream_endpoint: str) -> None:
        upstream = urlsplit(upstream_endpoint)
        self._upstream = (upstream.hostname or "", upstream.port or 80)
        self._reserved = _bound(0)  # never listens: keeps the port while nobody else does
        self.port = int(self._reserved.getsockname()[1])
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._lock = threading.Lock()
        self._faults: list[Active] = []
        self._exchanges: list[Exchange] = []
        self._conversations: dict[Conversation, threading.Thread] = {}
        self._stopped = threading.Event()
        self._acceptor: threading.Thread | None = None

    def fault(
        self,
        fault: Fault,
        *,
        method: str = "",
        path: str = "",
        when: Callable[[str, str], bool] | None = None,
        times: int | None = None,
    ) -> Active:
        """Have requests that come in from now on suffer `fault`: all, or the next `times` of those with that method,
        with a match of the regular expression `path` in path and query, and for which `when(method, path)` holds.
        Of several faults that want a request the newest gets it."""

        def all_hold(its: str, at: str) -> bool:
            return method in ("", its) and bool(re.search(path, at)) and (when is None or when(its, at))

        active = Active(fault, all_hold, times)
        with self._lock:
            self._faults.append(active)
        return active

    def clear(self) -> None:
        """End all faults."""
        with self._lock:
            faults, self._faults = self._faults, []
        for active in faults:
            active.end()

    @property
    def exchanges(self) -> list[Exchange]:
        """All requests so far, as they came in. What a client knows of its own is in there."""
        with self._lock:
            return [replace(exchange) for exchange in self._exchanges]

    def start(self) -> None:
        """Connections are accepted once this returns."""
        self._stopped = threading.Event()
        listener = _bound(self.port)
        listener.listen(256)
        self._acceptor = threading.Thread(target=self._accept, args=(listener, self._stopped), daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """End all faults, reset all connections, and refuse new ones. What is held never reaches the server."""
        self._stopped.set()
        if self._acceptor is not None:
            self._acceptor.join()
        self.clear()
        with self._lock:
            conversations = dict(self._conversations)
        for conversation in conversations:
            conversation.cut()
        for thread in conversations.values():
            thread.join(5)

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._reserved.close()

    def __enter__(self) -> "FaultProxy":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket, stopped: threading.Event) -> None:
        with listener:
            listener.settimeout(0.05)
            while not stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    self._converse(
                        Conversation(self._begin, self._connect, Side(listener.accept()[0], h11.SERVER), stopped)
                    )

    def _converse(self, conversation: Conversation) -> None:
        def run() -> None:
            conversation.run()
            with self._lock:
                del self._conversations[conversation]

        thread = threading.Thread(target=run, daemon=True)
        with self._lock:
            self._conversations[conversation] = thread
        thread.start()

    def _begin(self, exchange: Exchange) -> Active:
        """Note a request, and say what it must suffer."""
        with self._lock:
            self._exchanges.append(exchange)
            for active in reversed(self._faults):
                if active.takes(exchange.method, exchange.path):
                    return active
        return Active(Fault(), lambda *_: True, None)

    def _connect(self) -> Side:
        return Side(socket.create_connection(self._upstream), h11.CLIENT)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    bound.bind(("127.0.0.1", port))
    return bound
