import threading

import pytest

from osmo.checkpoint.throttle import Pace, Throttle
from support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def limits(throttle: Throttle, clock: FakeClock, signs: str) -> list[int]:
    """The limit after each sign: `-` trouble a while later, `=` at the same moment, `+` a success."""
    found = []
    for sign in signs:
        clock.advance(10.0 if sign == "-" else 0.0)
        (throttle.went_well if sign == "+" else throttle.slow_down)()
        found.append(throttle.limit)
    return found


@pytest.mark.parametrize(
    ("signs", "want"),
    [
        ("----", [8, 4, 2, 1]),
        ("------", [8, 4, 2, 1, 1, 1]),  # never none
        ("-===", [8, 8, 8, 8]),  # what fails together is one sign
        ("----+++", [8, 4, 2, 1, 2, 2, 3]),  # one more after as many successes as are allowed at once
        ("+++", [16, 16, 16]),  # never more than the most
        ("---++-", [8, 4, 2, 2, 3, 1]),
    ],
)
def test_fewer_in_trouble_then_more_again(clock: FakeClock, signs: str, want: list[int]) -> None:
    assert limits(Throttle(16, 16, clock), clock, signs) == want


def test_it_grows_back_to_the_most(clock: FakeClock) -> None:
    assert limits(Throttle(4, 4, clock), clock, "---" + "+" * 100)[-1] == 4


def test_who_is_too_many_waits_outside_until_one_leaves(clock: FakeClock) -> None:
    throttle = Throttle(2, 2, clock)
    throttle.slow_down()
    inside = threading.Event()

    def enter() -> None:
        with throttle:
            inside.set()

    other = threading.Thread(target=enter)
    with throttle:
        other.start()
        assert not inside.wait(0.05)
    other.join(5)
    assert inside.is_set()


def test_who_waits_outside_comes_in_when_the_limit_grows(clock: FakeClock) -> None:
    throttle = Throttle(2, 2, clock)
    throttle.slow_down()
    inside = threading.Event()

    def enter() -> None:
        with throttle:
            inside.set()

    other = threading.Thread(target=enter)
    with throttle:
        other.start()
        throttle.went_well()
        other.join(5)
        assert inside.is_set()


def test_an_error_inside_gives_the_place_back(clock: FakeClock) -> None:
    throttle = Throttle(1, 1, clock)
    for _ in range(2):
        with pytest.raises(KeyError), throttle:
            raise KeyError
    with throttle:
        pass


def after(pace: Pace, *rates: float) -> list[int]:
    """The limit after each round at so many successes a second."""
    found = []
    for rate in rates:
        pace = pace.after(rate)
        found.append(pace.limit)
    return found


@pytest.mark.parametrize(
    ("pace", "rates", "want"),
    [
        (Pace(16, 16, 64), (100, 150, 200, 240, 280, 320, 360), [24, 32, 40, 48, 56, 64, 64]),  # a store far away
        (Pace(16, 16, 64), (100, 105), [24, 16]),  # the line, or this machine, is full
        (Pace(16, 16, 64), (100, 150, 150), [24, 32, 24]),
        (Pace(16, 16, 64), (100, 50), [24, 16]),
        (Pace(16, 16, 16), (100, 200), [16, 16]),  # never more than the most
        (Pace(3, 4, 4), (1, 1), [4, 4]),
        (Pace(32, 16, 64).slowed(), (100, 100), [16, 16]),  # after trouble nothing is tried for a while
        (Pace(2, 16, 64).slowed(), (100, 100, 100), [2, 3, 4]),
    ],
)
def test_a_step_more_stays_if_it_makes_it_faster(pace: Pace, rates: tuple[float, ...], want: list[int]) -> None:
    assert after(pace, *rates) == want


def test_a_step_that_gained_nothing_is_tried_again_later() -> None:
    found = after(Pace(16, 16, 64), *[100.0] * 40)
    assert found[:2] == [24, 16]
    assert found[2:18] == [16] * 16
    assert 24 in found[18:]


def test_time_without_requests_is_no_slowness(clock: FakeClock) -> None:
    throttle = Throttle(2, 20, clock)
    for rate in (10.0, 20.0):
        clock.advance(3600.0)
        throttle.begin()
        for _ in range(4 * throttle.limit):
            clock.advance(1 / rate)
            throttle.went_well()
    assert throttle.limit == 18


def test_who_is_inside_is_told_when_they_are_too_many(clock: FakeClock) -> None:
    throttle = Throttle(2, 2, clock)
    with throttle, throttle:
        assert not throttle.is_full
        throttle.slow_down()
        assert throttle.is_full
    with throttle:
        assert not throttle.is_full
