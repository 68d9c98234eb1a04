"""Many items at once, each tried a few times, and a truthful account of what became of them."""

import random
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from osmo.clock import Clock
from osmo.errors import AccessDenied, FileMoved, NoBucket, StoreError, Unavailable, UnknownHost

T = TypeVar("T")
Progress = Callable[[str, int], None]

_PAUSES_S = (1.0, 2.0, 4.0)
_NO_USE_GOING_ON = (AccessDenied, NoBucket, UnknownHost)


@dataclass
class Report:
    """done, skipped: names, sorted. failed: name and why, one line. unanswered: of those that failed, how many only for
    want of an answer. size: bytes of what was done."""

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    unanswered: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an item that worked: how many bytes were moved; skipped: it was there already."""

    size: int = 0
    skipped: bool = False


def each(
    items: Iterable[T],
    work: Callable[[T], Done],
    name: Callable[[T], str],
    *,
    at_once: int,
    clock: Clock,
    stop: threading.Event | None = None,
) -> Report:
    """Do it for each, `at_once` at a time, a moment's trouble of the store waited out.

    An item that fails is reported, and costs no other. An error that no other would escape (no access, no bucket) comes
    out as it is, after those in flight. stop: begin no further one once it is set.
    """
    report, stop = Report(), stop or threading.Event()
    waiting = iter(items)
    with ThreadPoolExecutor(at_once, thread_name_prefix="transfer") as pool:

        def begin(count: int) -> dict[Future[Done], T]:
            fresh = [] if stop.is_set() else list(islice(waiting, count))
            return {pool.submit(_insist, work, item, clock, stop): item for item in fresh}

        running = begin(2 * at_once)
        try:
            while running:
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    _take(report, name(running.pop(future)), future)
                running |= begin(len(ended))
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    report.done.sort()
    report.skipped.sort()
    report.failed.sort()
    return report


def _take(report: Report, name: str, future: Future[Done]) -> None:
    try:
        done = future.result()
    except _NO_USE_GOING_ON:
        raise
    except (StoreError, FileMoved) as error:
        report.failed.append((name, str(error)))
        report.unanswered += isinstance(error, Unavailable)
    except OSError as error:
        report.failed.append((name, f"{name}: {error.strerror or error}"))
    else:
        (report.skipped if done.skipped else report.done).append(name)
        report.size += done.size


def _insist(work: Callable[[T], Done], item: T, clock: Clock, stop: threading.Event) -> Done:
    for pause_s in _PAUSES_S:
        try:
            return work(item)
        except (Unavailable, FileMoved):
            if clock.wait(stop, pause_s * (0.5 + random.random())):
                raise
    return work(item)
