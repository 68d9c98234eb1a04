"""A real proxy in front of a real server on loopback, that can be told to fail as networks and stores fail."""

import contextlib
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from urllib.parse import urlsplit

import h11

_CHUNK = 64 * 1024
_BUFFER = 256 * 1024  # what the kernel takes in unseen: little, so that a client feels a cap and a cut
_CONTINUE_S = 1.0  # how long the server has to say 100, if it knows of `Expect` at all
_LINGER_S = 2.0
_CODES = {403: "AccessDenied", 404: "NoSuchKey", 409: "ConditionalRequestConflict", 503: "SlowDown"}


class Answer(Enum):
    """What the client gets where it is not a status of ours."""

    THEIRS = "the server's own answer"
    LOST = "none: the connection is closed"
    NEVER = "none; the connection stays open until the fault ends, then it is reset"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to a request. Several may come together.

    latency_s: it waits. up, down: bytes a second, for all requests of this fault together. reset_up_at: the connection
    is reset after so many bytes of the request; reset_down_at: of the answer; truncate_at: closed there, in good order.
    These count headers too, and what is shorter passes. hold: it is received whole, and sent on when the fault ends.
    without: headers that the server does not see (lower case). forward: whether the server sees it at all. answer: what
    the client is told in the end; a status comes as S3 would say it.
    """

    latency_s: float = 0.0
    up: int | None = None
    down: int | None = None
    reset_up_at: int | None = None
    reset_down_at: int | None = None
    truncate_at: int | None = None
    hold: bool = False
    without: tuple[str, ...] = ()
    forward: bool = True
    answer: int | Answer = Answer.THEIRS


ERROR = Fault(forward=False, answer=500)
SLOW_DOWN = Fault(forward=False, answer=503)
HANG = Fault(forward=False, answer=Answer.NEVER)
APPLIED_500 = Fault(answer=500)
APPLIED_409 = Fault(answer=409)
APPLIED_LOST = Fault(answer=Answer.LOST)
LATER = Fault(hold=True, answer=Answer.LOST)  # a zombie's write: applied when its client is long gone
OVERWRITES = Fault(without=("if-none-match",))


@dataclass
class Exchange:
    """A request that has come in. status: what the client is told; applied: what the server said; None as long as that
    is nothing. up, down: bytes between client and proxy so far, headers included."""

    method: str = ""
    path: str = ""
    status: int | None = None
    applied: int | None = None
    up: int = 0
    down: int = 0


class Active:
    """A fault at work, until `end` or the end of its `with` block.

    Its end releases what waits: held requests go to the server, hung ones are reset, caps and latencies are over.
    """

    def __init__(self, fault: Fault, when: Callable[[str, str], bool], times: int | None) -> None:
        self.fault = fault
        self.hits = 0  # how many requests it took so far
        self.over = threading.Event()
        self.up, self.down = _Pace(fault.up, self.over), _Pace(fault.down, self.over)
        self._when, self._times = when, times
        self._changed = threading.Condition()

    def takes(self, method: str, path: str) -> bool:
        """Whether this request is one of its own. Counts it."""
        with self._changed:
            if self.over.is_set() or self.hits == self._times or not self._when(method, path):
                return False
            self.hits += 1
            self._changed.notify_all()
            return True

    def wait(self, hits: int = 1, timeout_s: float = 10.0) -> None:
        """Until it took so many requests. TimeoutError if it did not."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.hits >= hits, timeout_s):
                raise TimeoutError(f"{self.hits} of {hits} requests met {self.fault}")

    def end(self) -> None:
        self.over.set()

    def __enter__(self) -> "Active":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


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
        self._conversations: dict[_Conversation, threading.Thread] = {}
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
                    self._converse(_Conversation(self, _Side(listener.accept()[0], h11.SERVER), stopped))

    def _converse(self, conversation: "_Conversation") -> None:
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

    def _connect(self) -> "_Side":
        return _Side(socket.create_connection(self._upstream), h11.CLIENT)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    bound.bind(("127.0.0.1", port))
    return bound


class _Pace:
    """Lets so many bytes a second through, from all its users together."""

    def __init__(self, rate: int | None, over: threading.Event) -> None:
        self._rate, self._over = rate, over
        self._lock = threading.Lock()
        self._free_at = 0.0
        self.chunk = _CHUNK if rate is None else max(1, min(_CHUNK, rate // 20))

    def wait(self, size: int) -> None:
        if self._rate is None:
            return
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + size / self._rate
            seconds = self._free_at - time.monotonic()
        self._over.wait(seconds)


class _Cut(Exception):
    """The connection ends here: in good order, or with a reset."""

    def __init__(self, *, reset: bool) -> None:
        self.reset = reset


class _Side:
    """HTTP over one socket. Counts into `exchange`, and lets its fault, if any, have its way with the bytes."""

    def __init__(self, connection: socket.socket, role: type[h11.CLIENT | h11.SERVER]) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.http = h11.Connection(role)
        self.exchange = Exchange()
        self.active: Active | None = None

    def ready(self, timeout_s: float | None, *others: "_Side") -> bool:
        """Whether something has come in here, waiting for it to come in here or at one of the others."""
        if self.http.trailing_data[0]:
            return True
        poll = select.poll()
        for side in (self, *others):
            poll.register(side.socket, select.POLLIN)
        came = poll.poll(None if timeout_s is None else timeout_s * 1000)
        return self.socket.fileno() in {descriptor for descriptor, _ in came}

    def receive(self) -> h11.Event:
        while True:
            limit = self.active.fault.reset_up_at if self.active else None
            if limit is not None and self.exchange.up > limit:
                raise _Cut(reset=True)
            event = self.http.next_event()
            if isinstance(event, h11.Event):
                return event
            data = self.socket.recv(self.active.up.chunk if self.active else _CHUNK)
            self.exchange.up += len(data)
            if self.active:
                self.active.up.wait(len(data))
            self.http.receive_data(data)

    def message(self) -> Iterator[h11.Event]:
        """What follows the head. The end is there, or it is an error."""
        event: h11.Event | None = None
        while not isinstance(event, h11.EndOfMessage):
            yield (event := self.receive())

    def send(self, event: h11.Event) -> None:
        data = self.http.send(event) or b""
        if self.active is None:
            return self.socket.sendall(data)
        fault = self.active.fault
        limits = [at for at in (fault.reset_down_at, fault.truncate_at) if at is not None]
        room = min(limits) - self.exchange.down if limits else len(data)
        for start in range(0, min(room, len(data)), self.active.down.chunk):
            part = data[start : min(room, start + self.active.down.chunk)]
            self.exchange.down += len(part)  # before: who has seen the answer finds it counted
            self.socket.sendall(part)
            self.active.down.wait(len(part))
        if room < len(data):
            raise _Cut(reset=fault.reset_down_at == min(limits))
        return None

    def close(self, *, reset: bool = False) -> None:
        with contextlib.suppress(OSError):
            if reset:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def linger(self) -> None:
        """Take in what the client still sends, so that it can read an answer that came early."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            self.socket.settimeout(_LINGER_S)
            while self.socket.recv(_CHUNK):
                pass


@dataclass(eq=False)
class _Conversation:
    """A client's connection, and the one to the server that belongs to it."""

    proxy: FaultProxy
    client: _Side
    stopped: threading.Event
    server: _Side | None = field(default=None, init=False)

    def run(self) -> None:
        """Request after request, until one side has enough."""
        reset = False
        try:
            while self._next():
                self._exchange()
            if self.client.http.their_state is h11.SEND_BODY:
                self.client.linger()
        except _Cut as cut:
            reset = cut.reset
        except (OSError, h11.ProtocolError):
            reset = True  # what the one side did to us, the other side sees
        self._leave(reset=reset)
        self.client.close(reset=reset)

    def cut(self) -> None:
        """From another thread: no more of this."""
        for side in (self.client, self.server):
            with contextlib.suppress(OSError):
                if side is not None:
                    side.socket.shutdown(socket.SHUT_RDWR)

    def _next(self) -> bool:
        """Wait for a request. False if there is none to come, or the server has hung up meanwhile."""
        http = self.client.http
        if http.our_state is h11.DONE and http.their_state is h11.DONE:
            http.start_next_cycle()
        if http.our_state is not h11.IDLE:
            return False
        self.client.exchange, self.client.active = Exchange(), None
        return self.client.ready(None, *([self.server] if self.server else []))

    def _exchange(self) -> None:
        request = self.client.receive()
        if not isinstance(request, h11.Request):
            return
        exchange = self.client.exchange
        exchange.method, exchange.path = request.method.decode(), request.target.decode()
        self.client.active = active = self.proxy._begin(exchange)
        active.up.wait(exchange.up)
        active.over.wait(active.fault.latency_s)
        if active.fault.forward:
            self._pass(request, active)
        elif isinstance(active.fault.answer, int) and not self.client.http.they_are_waiting_for_100_continue:
            _exhaust(self.client.message())
        if active.fault.answer is not Answer.THEIRS:
            self._say(request, active)

    def _pass(self, request: h11.Request, active: Active) -> None:
        """To the server and, if the client is to have it, back."""
        body: Iterable[h11.Event] = self.client.message()
        if active.fault.hold:
            self._continue()
            body = list(body)
            if active.fault.answer is Answer.LOST:
                self.client.close()
            active.over.wait()
        if self.stopped.is_set():
            raise _Cut(reset=True)
        headers = [pair for pair in request.headers.raw_items() if pair[0].lower().decode() not in active.fault.without]
        server = self.server = self.server or self.proxy._connect()
        server.send(h11.Request(method=request.method, target=request.target, headers=headers))
        response = self._answer(server, body)
        self.client.exchange.applied = response.status_code
        if active.fault.answer is Answer.THEIRS:
            self._return(response, server)
        else:
            _exhaust(server.message())
        if server.http.our_state is h11.DONE and server.http.their_state is h11.DONE:
            server.http.start_next_cycle()
        else:
            self._leave(reset=False)

    def _answer(self, server: _Side, body: Iterable[h11.Event]) -> h11.Response:
        """The head of the server's answer to `body`. It may come before the body is through."""
        if self.client.http.they_are_waiting_for_100_continue:
            if server.ready(_CONTINUE_S) and isinstance(head := server.receive(), h11.Response):
                return head
            self._continue()
        for event in body:
            if server.ready(0) and isinstance(head := server.receive(), h11.Response):
                return head
            server.send(event)
        while not isinstance(head := server.receive(), h11.Response):
            if isinstance(head, h11.ConnectionClosed):
                raise ConnectionError("the server hung up")
        return head

    def _return(self, response: h11.Response, server: _Side) -> None:
        exchange = self.client.exchange
        exchange.status = response.status_code
        try:
            self.client.send(response)
            for event in server.message():
                self.client.send(event)
        except (_Cut, OSError, h11.ProtocolError):
            exchange.status = None
            raise

    def _continue(self) -> None:
        if self.client.http.they_are_waiting_for_100_continue:
            self.client.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))

    def _say(self, request: h11.Request, active: Active) -> None:
        """What the fault wants said in place of the server's answer."""
        answer = active.fault.answer
        if not isinstance(answer, int):
            if answer is Answer.NEVER:
                active.over.wait()
            raise _Cut(reset=answer is Answer.NEVER)
        self.client.exchange.status = answer
        body = f"<?xml version='1.0'?><Error><Code>{_CODES.get(answer, 'InternalError')}</Code></Error>".encode()
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
        if self.client.http.their_state is h11.SEND_BODY:
            headers.append(("Connection", "close"))
        self.client.send(h11.Response(status_code=answer, headers=headers))
        if request.method != b"HEAD":
            self.client.send(h11.Data(data=body))
        self.client.send(h11.EndOfMessage())

    def _leave(self, *, reset: bool) -> None:
        server, self.server = self.server, None
        if server is not None:
            server.close(reset=reset)


def _exhaust(events: Iterable[h11.Event]) -> None:
    for _ in events:
        pass
