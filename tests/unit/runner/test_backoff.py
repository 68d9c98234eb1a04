import pytest

from osmo.runner.backoff import wait_s


@pytest.mark.parametrize(
    ("attempt", "first_s", "shortest", "longest"),
    [(1, 5.0, 2.5, 5.0), (2, 5.0, 5.0, 10.0), (4, 5.0, 20.0, 40.0), (50, 5.0, 150.0, 300.0), (2, 600.0, 300.0, 600.0)],
)
def test_each_wait_is_twice_as_long_up_to_a_limit(
    attempt: int, first_s: float, shortest: float, longest: float
) -> None:
    assert wait_s(attempt, first_s, 0.0) == shortest
    assert wait_s(attempt, first_s, 1.0) == longest
