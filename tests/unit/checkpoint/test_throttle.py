import threading

import pytest

from osmo.checkpoint.throttle import Throttle
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
    assert limits(Throttle(16, clock), clock, signs) == want


def test_it_grows_back_to_the_most(clock: FakeClock) -> None:
    assert limits(Throttle(4, clock), clock, "---" + "+" * 100)[-1] == 4


def test_who_is_too_many_waits_outside_until_one_leaves(clock: FakeClock) -> None:
    throttle = Throttle(2, clock)
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
    throttle = Throttle(2, clock)
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
    throttle = Throttle(1, clock)
    for _ in range(2):
        with pytest.raises(KeyError), throttle:
            raise KeyError
    with throttle:
        pass
