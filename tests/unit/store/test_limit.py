import threading

import pytest

from osmo.store.limit import Bandwidth, Limited, rate
from support.clock import FakeClock
from support.memory import MemoryStore


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("200MiB/s", 200 << 20),
        ("1.5GB/s", 1_500_000_000),
        ("500k", 500_000),
        ("10 MBps", 10_000_000),
        ("7", 7),
        ("1gib", 1 << 30),
    ],
)
def test_a_rate_is_bytes_a_second(text: str, want: int) -> None:
    assert rate(text) == want


@pytest.mark.parametrize("text", ["", "fast", "0", "-1MB/s", "10Mbit/s", "1 TB"])
def test_what_is_no_rate_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="is not a bandwidth"):
        rate(text)


def test_no_rate_is_no_limit() -> None:
    clock = FakeClock()
    Bandwidth(0, clock).take(1 << 40)
    assert clock.waits == []


def test_bytes_wait_for_those_before_them() -> None:
    clock = FakeClock()
    bandwidth = Bandwidth(1000, clock)
    for _ in range(4):
        bandwidth.take(500)
    assert sum(clock.waits) >= 2.0 - 0.25  # 2,000 bytes, less the burst


def test_all_who_share_it_are_as_fast_as_one() -> None:
    clock = FakeClock()
    bandwidth = Bandwidth(1000, clock)
    stores = [Limited(MemoryStore(), bandwidth) for _ in range(3)]
    began = clock.monotonic()
    for number in range(6):
        stores[number % 3].put(f"{number}", bytes(500))
    stores[0].put_parts("big", iter((bytes(1000), bytes(1000))), part_size=1000, concurrency=1)
    assert clock.monotonic() - began >= 5.0 - 0.25
    assert stores[0].get("big") == bytes(2000)


def test_a_pause_is_not_saved_up() -> None:
    clock = FakeClock()
    bandwidth = Bandwidth(1000, clock)
    clock.advance(3600)
    began = clock.monotonic()
    bandwidth.take(2000)
    assert clock.monotonic() - began >= 1.75


def test_what_is_read_does_not_wait() -> None:
    clock = FakeClock()
    store = Limited(MemoryStore(), Bandwidth(1000, clock))
    store.put("k", bytes(100))
    before = list(clock.waits)
    assert store.get("k") == bytes(100)
    assert clock.waits == before


def test_a_cap_that_is_lifted_lets_those_go_who_wait() -> None:
    bandwidth = Bandwidth(1)
    waiting = threading.Thread(target=bandwidth.take, args=(1_000_000,))
    waiting.start()
    bandwidth.lift()
    waiting.join(30)
    assert not waiting.is_alive()
    bandwidth.take(1_000_000)
