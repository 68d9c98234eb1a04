import pytest

from osmo.store.clients import Purpose, timeout_s

MIB = 1 << 20


@pytest.mark.parametrize(
    ("size", "want"),
    [(0, 60), (8 * MIB, 60), (15_000_000, 60), (15_000_001, 120), (64 * MIB, 480), (1024 * MIB, 7680)],
)
def test_a_request_may_take_as_long_as_its_body_needs_at_a_quarter_of_a_megabyte_a_second(size: int, want: int) -> None:
    assert timeout_s(size) == want
    assert timeout_s(size) >= size / 250_000


def test_nothing_that_writes_is_repeated() -> None:
    assert Purpose.WRITE.value == 0
