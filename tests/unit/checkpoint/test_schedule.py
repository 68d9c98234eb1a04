import pytest

from osmo.checkpoint.schedule import Schedule, look_again_s


def test_the_first_cycle_comes_a_frequency_after_the_start() -> None:
    assert Schedule.starting(60.0, 100.0).due == 160.0


def test_the_wait_begins_when_a_cycle_ends() -> None:
    assert Schedule(60.0, 160.0, failures=3).after_end(500.0) == Schedule(60.0, 560.0, failures=0)


@pytest.mark.parametrize(
    ("failures", "frequency_s", "jitter", "want"),
    [
        (0, 3600.0, 0.0, 5.0),
        (1, 3600.0, 0.0, 10.0),
        (2, 3600.0, 0.0, 20.0),
        (5, 3600.0, 0.0, 160.0),
        (6, 3600.0, 0.0, 300.0),
        (100_000, 3600.0, 0.0, 300.0),
        (3, 12.0, 0.0, 12.0),
        (0, 1.0, 0.0, 1.0),
        (6, 3600.0, 1.0, 240.0),
    ],
)
def test_a_failed_cycle_is_tried_again_later_and_later_but_within_the_frequency(
    failures: int, frequency_s: float, jitter: float, want: float
) -> None:
    after = Schedule(frequency_s, 0.0, failures).after_failure(1000.0, jitter)
    assert after.due - 1000.0 == pytest.approx(want)
    assert after.failures == failures + 1


@pytest.mark.parametrize(("frequency_s", "want"), [(10.0, 10.0), (30.0, 30.0), (3600.0, 30.0)])
def test_moving_files_are_looked_at_again_soon(frequency_s: float, want: float) -> None:
    assert look_again_s(frequency_s) == want
