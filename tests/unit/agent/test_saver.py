import os
import sys
import threading
from collections.abc import Iterable
from typing import Any, cast

import pytest

from osmo.agent.saver import Last, Saver
from osmo.checkpoint.epoch import Fenced
from osmo.checkpoint.events import Failed
from osmo.checkpoint.manifest import Trigger, Writer
from osmo.checkpoint.stream import Stream
from osmo.errors import StoreError, Unavailable
from osmo.rundir.requests import Request
from osmo.spec.checkpoint import CheckpointEntry
from support.clock import FakeClock

FAST = CheckpointEntry("/a", "s3://b", 10.0)
SLOW = CheckpointEntry("/a", "s3://b", 25.0, "x")


class Cycles:
    """A stream that only notes when its cycles are made; `outcomes` says how each ends, the last one for ever."""

    def __init__(self, clock: FakeClock, entries: tuple[CheckpointEntry, ...], *outcomes: bool | Exception) -> None:
        self.name = "train.a"
        self.entries = entries
        self._clock = clock
        self._outcomes = list(outcomes) or [False]
        self.takes_s = 0.0
        self.patience_s: list[float] = []
        self.made: list[tuple[float, tuple[str, ...], Trigger]] = []
        self.closed = 0
        self.another = threading.Event()  # a cycle was made
        self.at_rest: list[bool] = []
        self.nice: list[int] = []

    def cycle(
        self,
        due: Iterable[CheckpointEntry],
        trigger: Trigger,
        stop: threading.Event,
        *,
        exit_code: int | None = None,
        at_rest: bool = False,
        patience_s: float = float("inf"),
    ) -> bool:
        self.nice.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        self.patience_s.append(patience_s)
        self.made.append((self._clock.monotonic() - 1000.0, tuple(entry.regex for entry in due), trigger))
        self.another.set()
        self.at_rest.append(at_rest)
        self._clock.advance(self.takes_s)
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def close(self) -> None:
        self.closed += 1
        raise Unavailable("whoever comes next can do without it")


class Saving:
    """Runs a saver in this very thread, until `until` seconds have passed; then its last cycle."""

    def __init__(self, *outcomes: bool | Exception, entries: tuple[CheckpointEntry, ...] = (FAST,)) -> None:
        self.clock = FakeClock()
        self.cycles = Cycles(self.clock, entries, *outcomes)
        self.failed: list[Failed] = []
        self.done = 0
        self.answers: list[tuple[list[str], str]] = []
        self.saver = Saver(
            cast(Stream, self.cycles), self.clock, self.failed.append, lambda _: None, self._done, self._answered
        )

    def _answered(self, requests: tuple[Request, ...], failed: str) -> None:
        self.answers.append(([request.id for request in requests], failed))

    def _done(self) -> None:
        self.done += 1

    def run(self, until: float) -> list[float]:
        """When periodic cycles were made."""

        def meanwhile() -> None:
            if self.clock.monotonic() - 1000.0 >= until:
                self.saver.finish(Last(Trigger.FINAL, 0))

        self.clock.meanwhile = meanwhile
        self.saver.run()
        return [round(at, 1) for at, _, trigger in self.cycles.made if trigger is Trigger.INTERVAL]


def test_the_first_cycle_comes_a_frequency_after_the_start_and_the_last_one_at_the_end() -> None:
    saving = Saving()
    assert saving.run(35.0) == [10.0, 20.0, 30.0, 40.0]
    assert [trigger for _, _, trigger in saving.cycles.made].count(Trigger.FINAL) == 1
    assert (saving.done, saving.cycles.closed) == (1, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="nice values of threads are Linux's")
def test_cycles_give_way_to_the_task_but_not_the_last_one() -> None:
    saving = Saving()
    saving.run(15.0)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert saving.cycles.nice == [min(19, own + 10), min(19, own + 10), own]


def test_the_wait_begins_when_a_cycle_has_ended() -> None:
    saving = Saving()
    saving.cycles.takes_s = 7.0
    assert saving.run(35.0) == [10.0, 27.0, 44.0]


def test_each_entry_has_a_schedule_of_its_own_and_the_last_cycle_takes_all() -> None:
    saving = Saving(entries=(FAST, SLOW))
    saving.run(45.0)
    assert [(round(at), due) for at, due, _ in saving.cycles.made] == [
        (10, ("",)),
        (20, ("",)),
        (25, ("x",)),
        (30, ("",)),
        (40, ("",)),
        (50, ("", "x")),
        (50, ("", "x")),
    ]


def test_files_that_move_are_looked_at_again_without_moving_the_next_cycle() -> None:
    hourly = CheckpointEntry("/a", "s3://b", 3600.0)
    saving = Saving(True, True, False, entries=(hourly,))
    assert saving.run(7100.0) == [3600.0, 3630.0, 3660.0, 7200.0]


def test_a_failed_cycle_is_tried_again_later_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)
    hourly = CheckpointEntry("/a", "s3://b", 3600.0)
    saving = Saving(Unavailable("down"), Unavailable("down"), Unavailable("down"), False, entries=(hourly,))
    assert saving.run(7000.0) == [3600.0, 3605.0, 3615.0, 3635.0, 7235.0]
    assert [(failed.failures, failed.retry_s) for failed in saving.failed] == [(1, 5.0), (2, 10.0), (3, 20.0)]


def test_a_fault_of_our_own_is_reported_and_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    saving = Saving(KeyError("oops"), False)
    saving.run(30.0)
    assert "a fault in osmo itself: KeyError: 'oops'" in str(saving.failed[0].error)
    assert "Traceback" in capsys.readouterr().err
    assert saving.done == 1


def test_the_last_cycle_is_tried_until_it_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)
    saving = Saving(*[StoreError("no")] * 6, False, entries=(CheckpointEntry("/a", "s3://b", 3600.0),))
    saving.saver.finish(Last(Trigger.PREEMPT, 143))
    saving.saver.run()
    assert [(round(at), trigger) for at, _, trigger in saving.cycles.made] == [
        (at, Trigger.PREEMPT) for at in (0, 5, 15, 30, 45, 60, 75)
    ]
    assert (len(saving.failed), saving.done) == (6, 1)


@pytest.mark.parametrize("before", [0, 2])
def test_a_stream_that_is_another_writers_gets_no_further_cycle(before: int) -> None:
    saving = Saving(*[False] * before, Fenced(Writer("uuid-2", "run-2", "train", 0, "there", "0b")))
    made = [Trigger.INTERVAL] * (before + 1)
    thread = threading.Thread(target=saving.saver.run)
    thread.start()
    while len(saving.cycles.made) < len(made):
        saving.cycles.another.wait(10.0)
    saving.saver.finish(Last(Trigger.FINAL, 0))
    thread.join(10.0)
    assert [trigger for _, _, trigger in saving.cycles.made] == [*made, Trigger.FINAL]
    assert (saving.failed, saving.done) == ([], 1)


def test_after_stop_nothing_is_begun_before_the_last_cycle() -> None:
    saving = Saving()
    saving.saver.stop()
    saving.saver.finish(Last(Trigger.FINAL, 0))
    saving.saver.run()
    assert [trigger for _, _, trigger in saving.cycles.made] == [Trigger.FINAL]


def test_a_request_is_answered_by_a_cycle_that_began_after_it() -> None:
    saving = Saving(entries=(FAST, SLOW))
    saving.saver.ask(Request("early", at_rest=True))
    made, cycle = saving.cycles.made, saving.cycles.cycle

    def meanwhile(*args: Any, **options: Any) -> bool:
        if len(made) == 0:
            saving.saver.ask(Request("while it runs"))
            saving.cycles.takes_s = 2.0
        return cycle(*args, **options)

    saving.cycles.cycle = meanwhile  # type: ignore[method-assign]
    saving.run(15.0)
    assert [(round(at), due, trigger) for at, due, trigger in made] == [
        (0, ("", "x"), Trigger.REQUEST),
        (2, ("", "x"), Trigger.REQUEST),
        (14, ("",), Trigger.INTERVAL),  # `frequency` counts from the end of the last one
        (16, ("", "x"), Trigger.FINAL),
    ]
    assert saving.cycles.at_rest == [True, False, False, False]
    assert saving.answers == [(["early"], ""), (["while it runs"], "")]


def test_a_request_that_fails_says_why_and_the_checkpoint_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)
    saving = Saving(Unavailable("down"), False, entries=(CheckpointEntry("/a", "s3://b", 3600.0),))
    saving.saver.ask(Request("one"))
    assert saving.run(3000.0) == [5.0, 3605.0]
    assert saving.answers == [(["one"], "down")]


def test_who_asks_for_a_checkpoint_of_a_stream_that_another_took_over_is_told_so() -> None:
    by = Writer("uuid", "other-1", "train", 0, "there", "id")
    saving = Saving(Fenced(by))
    saving.saver.ask(Request("first"))
    waits = 0

    def meanwhile() -> None:
        nonlocal waits
        waits += 1
        if waits == 1:
            saving.saver.ask(Request("second"))
        if waits == 3:
            saving.saver.finish(Last(Trigger.FINAL, 0))

    saving.clock.meanwhile = meanwhile
    saving.saver.run()
    assert saving.answers == [(["first"], f"fenced by {by}"), (["second"], f"fenced by {by}")]
    assert [trigger for _, _, trigger in saving.cycles.made] == [Trigger.REQUEST, Trigger.FINAL]


def test_a_request_whose_cycle_made_way_for_the_last_one_is_left_to_that() -> None:
    saving = Saving()
    saving.saver.ask(Request("late"))
    cycle = saving.cycles.cycle

    def ended_meanwhile(*args: Any, **options: Any) -> bool:
        saving.saver.finish(Last(Trigger.FINAL, 0))
        return cycle(*args, **options)

    saving.cycles.cycle = ended_meanwhile  # type: ignore[method-assign]
    saving.saver.run()
    assert saving.answers == []
    assert saving.done == 1


def test_a_second_look_holds_nothing_beyond_the_next_cycle() -> None:
    slow = CheckpointEntry("/a", "s3://b", 100.0)
    saving = Saving(True, entries=(slow,))
    assert saving.run(190.0)[:4] == [100.0, 130.0, 160.0, 190.0]
    assert saving.cycles.patience_s[:4] == [float("inf"), 70.0, 40.0, 10.0]
