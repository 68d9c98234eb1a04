"""What can go wrong with a request, as values, and what is known of each request."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

CHUNK = 64 * 1024


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
    the client is told in the end; a status comes as S3 would say it. body_to: how long the body of the answer is cut,
    as its head says, too; body: what stands in its place; headers: what stands in place of the server's own of these
    names (lower case).
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
    body_to: int | None = None
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def is_a_lie(self) -> bool:
        """The answer looks well, and is not the server's."""
        return self.body_to is not None or self.body is not None or bool(self.headers)


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
        self.up, self.down = Pace(fault.up, self.over), Pace(fault.down, self.over)
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


class Pace:
    """Lets so many bytes a second through, from all its users together."""

    def __init__(self, rate: int | None, over: threading.Event) -> None:
        self._rate, self._over = rate, over
        self._lock = threading.Lock()
        self._free_at = 0.0
        self.chunk = CHUNK if rate is None else max(1, min(CHUNK, rate // 20))

    def wait(self, size: int) -> None:
        if self._rate is None:
            return
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + size / self._rate
            seconds = self._free_at - time.monotonic()
        self._over.wait(seconds)
