import pytest

from osmo.checkpoint.parts import MIB, Cut
from osmo.checkpoint.window import OutOfTime, Passage, Window
from support.clock import FakeClock

FIRST = 256 * 1024
NEVER = float("inf")


class Line:
    """A window, and what it is told."""

    def __init__(self, deadline: float = NEVER) -> None:
        self.clock = FakeClock()
        self.deadline = deadline
        self.window = Window(self.clock, lambda: self.deadline)

    @property
    def found(self) -> tuple[int | None, int]:
        """The rate and the size of the window."""
        rate = self.window.rate
        return None if rate is None else round(rate), self.window.size

    def carry(self, *sizes: int, seconds: float) -> None:
        """Requests of these sizes at the same time."""
        marks = [self.window.begun() for _ in sizes]
        self.clock.advance(seconds)
        for size, mark in zip(sizes, marks, strict=True):
            self.window.arrived(size, mark)


@pytest.mark.parametrize(
    ("size", "under_way", "want"),
    [(10**9, 0, True), (FIRST, 1, False), (FIRST - 1, 1, True), (0, FIRST, True), (1, FIRST, False)],
)
def test_one_file_always_has_room_and_others_beside_it_as_far_as_the_window_goes(
    size: int, under_way: int, want: bool
) -> None:
    assert Line().window.room(size, under_way) == want


def test_while_the_line_is_quick_more_and_more_may_be_under_way() -> None:
    line = Line()
    line.carry(MIB, seconds=0.1)
    assert line.window.size == FIRST + MIB
    line.carry(MIB, MIB, seconds=3.0)
    assert line.window.size == FIRST + 3 * MIB
    assert line.window.rate is None  # it was not felt


def test_on_a_slow_line_no_more_is_under_way_than_goes_in_six_seconds() -> None:
    line = Line()
    line.carry(*[MIB] * 16, seconds=0.1)
    line.carry(*[600_000] * 16, seconds=96.0)
    assert line.found == (100_000, 600_000)
    line.carry(600_000, seconds=6.0)  # alone: it is the same line
    assert line.found == (100_000, 600_000)
    line.carry(10_000, seconds=0.1)  # a small one is no reason for more
    assert line.window.size == 610_000
    line.carry(600_000, seconds=0.5)  # wider again
    assert line.found == (1_200_000, 1_210_000)


def test_a_very_slow_line_still_carries_small_files_together() -> None:
    line = Line()
    line.carry(100_000, seconds=100.0)
    assert line.found == (1000, FIRST)


def test_a_store_that_takes_its_time_for_everything_is_no_narrow_line() -> None:
    line = Line()
    line.carry(10, 10, seconds=5.0)
    assert line.found == (None, FIRST + 20)
    line.carry(MIB, MIB, seconds=5.5)
    assert line.found == (None, FIRST + 20 + 2 * MIB)


def test_a_few_bytes_say_nothing_of_the_line() -> None:
    line = Line()
    line.carry(10, seconds=0.1)
    line.carry(10, seconds=9.0)
    assert line.found == (None, FIRST + 10)


def test_what_can_be_there_in_time() -> None:
    line = Line(deadline=1e9)
    assert line.window.hurried
    assert line.window.in_time(10**15)  # nothing is known of the line
    line.carry(600_000, seconds=6.0)
    line.deadline = line.clock.monotonic() + 10.0
    assert line.window.left_s == 10.0
    assert line.window.in_time(1_000_000)
    assert not line.window.in_time(1_000_001)
    assert line.window.in_time(400_000, 600_000)
    assert not line.window.in_time(400_001, 600_000)
    assert not line.window.hopeless(4_000_000)
    assert line.window.hopeless(4_000_008)


def test_without_a_deadline_all_is_in_time() -> None:
    line = Line()
    line.carry(600_000, seconds=6.0)
    assert not line.window.hurried
    assert line.window.in_time(10**15)


@pytest.mark.parametrize(("rate", "want"), [(None, 6), (10**9, 6), (4 * MIB, 3), (MIB, 1), (1, 1)])
def test_no_more_parts_at_once_than_the_line_needs(rate: float | None, want: int) -> None:
    line = Line()
    line.window.rate = rate
    assert line.window.narrowed(Cut(8 * MIB, 6, 1024 * MIB)).at_once == want


def test_a_part_has_arrived_when_those_behind_it_were_asked_for() -> None:
    line = Line()
    passage = Passage(line.window, at_once=1)
    for _ in range(4):
        passage.begin(MIB)
        line.clock.advance(8.0)
    # Two of the four: each was 16 s on its way, or 24, and one arrives every 8 s.
    assert line.window.rate == pytest.approx(MIB / 8, rel=0.01)
    passage.end()
    assert line.window.rate == pytest.approx(MIB / 8, rel=0.01)


def test_when_time_is_out_no_other_part_is_begun() -> None:
    line = Line(deadline=1e9)
    passage = Passage(line.window, at_once=1)
    passage.begin(MIB)
    line.deadline = line.clock.monotonic()
    with pytest.raises(OutOfTime):
        passage.begin(MIB)
