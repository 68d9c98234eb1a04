import signal
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import pytest

from osmo.agent.events import Events, ForCommand
from osmo.agent.restore import NotStarted, bring_back, is_occupied, wanted
from osmo.agent.streams import Opened
from osmo.checkpoint.archive import Earlier
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.events import Event, NotRestored, Progressed, Restored, RestoreFailed, Restoring
from osmo.checkpoint.manifest import Trigger, Writer
from osmo.checkpoint.settings import Settings
from osmo.checkpoint.stream import Stream
from osmo.errors import AccessDenied, Unavailable
from osmo.rundir.orders import Order
from osmo.spec.checkpoint import CheckpointEntry
from osmo.states import State
from osmo.store.base import Store
from support.clock import FakeClock
from support.memory import MemoryStore
from support.stores import Flaky, Recording, Request
from support.trees import Content, Fifo, Link, grow

CANCEL = Order(State.FAILED_CANCELED, "canceled by the user")

URL = "memory://test"
MINE = ".osmo-restore."


@pytest.mark.parametrize(
    ("wishes", "attempt", "want"),
    [
        (("retry",), 0, False),
        (("retry",), 1, True),
        ((True,), 0, True),
        ((False,), 0, False),
        ((False,), 3, False),
        ((False, "retry"), 1, True),
        ((False, True), 0, True),
    ],
)
def test_which_attempts_want_their_checkpoint_back(wishes: tuple[bool, ...], attempt: int, want: bool) -> None:
    entries = [CheckpointEntry("/a", URL, 1.0, restore=wish) for wish in wishes]
    assert wanted(entries, attempt) is want


@pytest.mark.parametrize(
    ("files", "want"),
    [
        ({}, False),
        ({"deep/er/": ""}, False),
        ({f"{MINE}0123.4567": "a part"}, False),
        ({f"deep/{MINE}0123.4567": "a part"}, False),
        ({"deep/a": "x"}, True),
        ({".hidden": ""}, True),
        ({"link": Link("nowhere")}, True),
        ({"deep/": "", "link": Link("deep")}, True),
        ({"pipe": Fifo()}, True),
    ],
)
def test_what_counts_as_something(tmp_path: Path, files: dict[str, Content], want: bool) -> None:
    assert is_occupied(str(grow(tmp_path / "ckpt", files)), "train.ckpt") is want


def test_a_path_that_is_missing_is_free_and_a_file_or_a_dangling_link_is_not(tmp_path: Path) -> None:
    grow(tmp_path, {"file": "", "dangling": Link("nowhere"), "empty/": "", "link": Link("empty")})
    assert [is_occupied(str(tmp_path / name), "t.x") for name in ("none", "file", "dangling", "empty", "link")] == [
        *(False, True, True, False, False)
    ]


class Play:
    """A run of which an earlier one left checkpoint 1, and what happens before its command starts."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "here" / "ckpt"
        self.memory = MemoryStore()
        self.wrap: Callable[[Store], Store] = lambda store: store
        self.clock = FakeClock()
        self.events: Events = SimpleQueue()
        self.said: list[Event] = []
        self.opened = 0
        self.order: Order | None = None

    def stream(self, run: str = "run-2", attempt: int = 0, path: Path | None = None, task: str = "train") -> Stream:
        writer = Writer(f"uuid of {run}", run, task, attempt, "here", f"{abs(hash((run, attempt, task))):x}"[:8])
        entry = CheckpointEntry(str(path or self.path), URL, 10.0, restore=True)
        settings = Settings(0.0, at_once=2)
        return Stream((entry,), writer, self._open, self.said.append, self.clock, ByteBudget(2**24), settings)

    def earlier(self, files: dict[str, Content], tmp_path: Path, **of: str) -> None:
        """Another run's checkpoint, of another folder of the same name."""
        stream = self.stream("run-1", path=grow(tmp_path / "there" / "ckpt", files), **of)  # type: ignore[arg-type]
        stream.cycle(stream.entries, Trigger.FINAL, threading.Event(), exit_code=0)
        stream.close()
        self.said.clear()

    def restore(self, stream: Stream, attempt: int = 0, timeout_s: float = 100.0) -> NotStarted | None:
        opened = [Opened(0, stream, self.said.append, goes_on=False)]
        return bring_back(opened, attempt, self.events, lambda: self.order, self.clock, timeout_s)

    def heard(self, *kinds: type[Event]) -> list[Event]:
        return [event for event in self.said if isinstance(event, kinds)]

    def _open(self) -> Store:
        self.opened += 1
        return self.wrap(self.memory)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path)


FILES: dict[str, Content] = {"a": "one", "deep/b": "two"}


def test_what_was_restored_is_neither_hashed_nor_sent_again(play: Play, tmp_path: Path) -> None:
    play.earlier(FILES, tmp_path)
    stream = play.stream()
    assert play.restore(stream) is None
    assert {path.name: path.read_text() for path in play.path.rglob("*") if path.is_file()} == {"a": "one", "b": "two"}
    assert [type(event) for event in play.said if not isinstance(event, Progressed)][-2:] == [Restoring, Restored]
    asked = Recording(play.memory)
    play.wrap = lambda _: asked
    stream.reopen()
    stream.cycle(stream.entries, Trigger.INTERVAL, threading.Event())
    assert asked.take() == []


def test_the_claim_comes_before_anything_is_read_so_that_a_zombie_is_fenced(play: Play, tmp_path: Path) -> None:
    play.earlier(FILES, tmp_path)
    asked = Recording(play.memory)
    play.wrap = lambda _: asked
    play.restore(play.stream())
    requests = asked.take()
    claim = next(number for number, (method, _) in enumerate(requests) if method == "put_new")
    assert [key for method, key in requests[:claim] if method in ("get_range", "stream")] == []
    assert [key for method, key in requests[claim:] if method in ("get_range", "stream")] != []


def test_nothing_is_an_answer(play: Play) -> None:
    assert play.restore(play.stream()) is None
    assert play.heard(NotRestored) == [NotRestored(occupied=False)]


def test_a_path_that_is_occupied_asks_no_store(play: Play, tmp_path: Path) -> None:
    grow(play.path, {"mine": "mine"})
    assert play.restore(play.stream()) is None
    assert play.heard(NotRestored) == [NotRestored(occupied=True)]
    assert play.opened == 0


@pytest.mark.parametrize("error", [Unavailable, AccessDenied])
def test_no_answer_is_waited_for_with_backoff(play: Play, tmp_path: Path, error: type[AccessDenied]) -> None:
    play.earlier(FILES, tmp_path)
    flaky = Flaky(play.memory, 3, error=error)
    play.wrap = lambda _: flaky
    assert play.restore(play.stream(), timeout_s=1800.0) is None
    failed = [event for event in play.said if isinstance(event, RestoreFailed)]
    assert [event.failures for event in failed] == [1, 2, 3]
    assert [round(event.retry_s) for event in failed] == pytest.approx([5, 10, 20], rel=0.25)
    assert play.heard(Restored)


def test_credentials_are_looked_for_again_after_a_refusal(play: Play, tmp_path: Path) -> None:
    play.earlier(FILES, tmp_path)
    flaky = Flaky(play.memory, 2, error=AccessDenied)
    play.wrap = lambda _: flaky
    opened = play.opened
    play.restore(play.stream())
    assert play.opened == opened + 3


def test_a_store_that_never_answers_is_given_up_and_nothing_starts(play: Play, tmp_path: Path) -> None:
    play.earlier(FILES, tmp_path)
    play.wrap = lambda store: Flaky(store, 10**6)
    refused = play.restore(play.stream(), timeout_s=600.0)
    assert refused is not None
    assert "refused for a test. That has not changed for 10 m" in refused.message
    assert not play.path.exists()


def test_as_long_as_something_new_comes_nobody_gives_up(play: Play, tmp_path: Path) -> None:
    files: dict[str, Content] = {f"{number}": f"{number}" * 100 for number in range(30)}
    play.earlier(files, tmp_path)
    given: set[str] = set()

    def one_more(request: Request) -> None:
        if request.method in ("get_range", "stream") and request.key not in given and len(given) < 30:
            given.add(request.key)
            if len(given) % 4 == 0:
                raise Unavailable("away again")

    play.wrap = lambda store: Recording(store, one_more)
    assert play.restore(play.stream(), timeout_s=10.0) is None
    failed = [event for event in play.said if isinstance(event, RestoreFailed)]
    assert len(failed) > 3
    assert sum(event.retry_s for event in failed) > 10.0
    assert {event.failures for event in failed} == {1}
    assert play.heard(Restored)


@pytest.mark.parametrize(
    ("event", "signum"),
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (ForCommand(signal.SIGINT), signal.SIGINT)],
)
def test_a_signal_ends_the_wait(play: Play, event: signal.Signals | ForCommand, signum: signal.Signals) -> None:
    hangs = threading.Event()

    def hang(_: Request) -> None:
        play.events.put(event)
        hangs.wait(30)

    play.wrap = lambda store: Recording(store, hang)
    refused = play.restore(play.stream())
    hangs.set()
    assert refused == NotStarted("before the command was started", by=signum)


def test_who_cancels_is_heard_while_a_request_hangs(play: Play) -> None:
    hangs = threading.Event()

    def hang(_: Request) -> None:
        play.order = CANCEL
        hangs.wait(30)

    play.wrap = lambda store: Recording(store, hang)
    refused = play.restore(play.stream())
    hangs.set()
    assert refused == NotStarted("before the command was started", order=CANCEL)


def test_a_wish_for_a_checkpoint_does_not_end_the_wait(play: Play, tmp_path: Path) -> None:
    play.earlier(FILES, tmp_path)
    play.events.put(signal.SIGUSR1)
    play.events.put(ForCommand(signal.SIGUSR2))
    assert play.restore(play.stream()) is None


def test_checkpoints_of_another_task_are_named_and_the_stream_is_not_begun(play: Play, tmp_path: Path) -> None:
    play.earlier(FILES, tmp_path, task="other")
    for _ in range(2):
        refused = play.restore(play.stream())
        assert refused is not None
        assert "there is no checkpoint of train.ckpt, but of other.ckpt (checkpoint 1 of run-1)" in refused.message
    assert not [key for key in play.memory.objects if key.startswith(".osmo/train.ckpt/")]


def test_checkpoints_of_another_folder_are_not_meant(play: Play, tmp_path: Path) -> None:
    logs = play.stream("run-1", path=grow(tmp_path / "logs", {"a": "one"}))
    logs.cycle(logs.entries, Trigger.FINAL, threading.Event(), exit_code=0)
    assert play.restore(play.stream()) is None
    assert play.heard(NotRestored) == [NotRestored(occupied=False)]


def test_another_task_of_the_same_run_is_not_meant(play: Play, tmp_path: Path) -> None:
    play.earlier(FILES, tmp_path, task="rank-0")
    rank = play.stream("run-1", task="rank-1")
    assert play.restore(rank) is None


def test_an_attempt_whose_run_had_begun_the_stream_starts_without(play: Play, tmp_path: Path) -> None:
    play.stream("run-2", attempt=0).claim()
    play.earlier(FILES, tmp_path, task="other")
    assert play.restore(play.stream("run-2", attempt=1), attempt=1) is None
    assert play.heard(NotRestored) == [NotRestored(occupied=False)]


def test_an_agent_after_one_that_restored_knows_what_is_there(play: Play, tmp_path: Path) -> None:
    play.earlier(FILES, tmp_path)
    play.restore(play.stream())
    restored = play.heard(Restored)[-1]
    assert isinstance(restored, Restored)
    stats = {name: saved.stat for name, saved in restored.saved.items()}
    next_one = play.stream()
    next_one = Stream(
        next_one.entries,
        Writer("uuid of run-2", "run-2", "train", 0, "here", "another"),
        play._open,
        play.said.append,
        play.clock,
        ByteBudget(2**24),
        Settings(0.0, at_once=2),
        Earlier(1, stats),
    )
    play.said.clear()
    asked = Recording(play.memory)
    play.wrap = lambda _: asked
    next_one.cycle(next_one.entries, Trigger.INTERVAL, threading.Event())
    assert not [key for method, key in asked.take() if method in ("put", "put_parts") and "objects" in key]
    (claimed,) = [event for event in play.said if type(event).__name__ == "Claimed"]
    assert claimed.inherited is None  # type: ignore[union-attr]


def test_a_fault_of_ours_starts_nothing(play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fault(_: Request) -> None:
        raise ZeroDivisionError("for a test")

    play.wrap = lambda store: Recording(store, fault)
    refused = play.restore(play.stream())
    assert refused is not None
    assert refused.message == "a fault in osmo itself: ZeroDivisionError: for a test"
    assert "Traceback" in capsys.readouterr().err


def test_that_another_run_claimed_the_stream_and_made_nothing_is_no_beginning(play: Play, tmp_path: Path) -> None:
    play.stream("run-0").claim()
    play.earlier(FILES, tmp_path, task="other")
    refused = play.restore(play.stream())
    assert refused is not None
    assert "but of other.ckpt" in refused.message
