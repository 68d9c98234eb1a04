"""One client's connection through the fault proxy, and the one to the server that belongs to it."""

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import h11

from support.faults import CHUNK, Active, Answer, Exchange, Fault

_CONTINUE_S = 1.0  # how long the server has to say 100, if it knows of `Expect` at all
_LINGER_S = 2.0
_CODES = {
    400: "InvalidRequest",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    409: "ConditionalRequestConflict",
    412: "PreconditionFailed",
    501: "NotImplemented",
    503: "SlowDown",
}


class _Cut(Exception):
    """The connection ends here: in good order, or with a reset."""

    def __init__(self, *, reset: bool) -> None:
        self.reset = reset


class Side:
    """HTTP over one socket. Counts into `exchange`, and lets its fault, if any, have its way with the bytes."""

    def __init__(self, connection: socket.socket, role: type[h11.CLIENT | h11.SERVER]) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.http = h11.Connection(role)
        self.exchange = Exchange()
        self.active: Active | None = None

    def ready(self, timeout_s: float | None, *others: "Side") -> bool:
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
            data = self.socket.recv(self.active.up.chunk if self.active else CHUNK)
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
            while self.socket.recv(CHUNK):
                pass


@dataclass(eq=False)
class Conversation:
    """A client's connection, and the one to the server that belongs to it.

    begin: told of each request; says what it must suffer. connect: to the server. stopped: nothing passes any more.
    """

    begin: Callable[[Exchange], Active]
    connect: Callable[[], Side]
    client: Side
    stopped: threading.Event
    server: Side | None = field(default=None, init=False)

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
        self.client.active = active = self.begin(exchange)
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
        server = self.server = self.server or self.connect()
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

    def _answer(self, server: Side, body: Iterable[h11.Event]) -> h11.Response:
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

    def _return(self, response: h11.Response, server: Side) -> None:
        exchange = self.client.exchange
        exchange.status = response.status_code
        active = self.client.active
        lie = active.fault if active is not None and active.fault.is_a_lie else None
        try:
            for event in chain([response], server.message()) if lie is None else _lie(lie, response, server.message()):
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


def _lie(fault: Fault, head: h11.Response, events: Iterable[h11.Event]) -> Iterator[h11.Event]:
    """What the client gets instead."""
    body = b"".join(bytes(event.data) for event in events if isinstance(event, h11.Data))
    told = dict(fault.headers)
    if fault.body is not None or fault.body_to is not None:
        body = (body if fault.body is None else fault.body)[: fault.body_to]
        told = {"content-length": str(len(body))} | told
    kept = [pair for pair in head.headers.raw_items() if pair[0].lower().decode() not in (*told, "transfer-encoding")]
    headers = [*kept, *((name.encode(), value.encode()) for name, value in told.items())]
    yield h11.Response(status_code=head.status_code, headers=headers, reason=head.reason)
    if body:
        yield h11.Data(data=body)
    yield h11.EndOfMessage()


def _exhaust(events: Iterable[h11.Event]) -> None:
    for _ in events:
        pass
