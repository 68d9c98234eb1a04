import pytest

from osmo.logs.span import span


@pytest.mark.parametrize(
    ("seconds", "want"),
    [
        (0.4, "0 s"),
        (40, "40 s"),
        (59.6, "1 m"),
        (90, "1 m 30 s"),
        (720, "12 m"),
        (750, "12 m"),
        (3600, "1 h"),
        (11_100, "3 h 5 m"),
        (86_400, "1 d"),
        (187_200, "2 d 4 h"),
    ],
)
def test_a_span_is_said_in_its_two_largest_units(seconds: float, want: str) -> None:
    assert span(seconds) == want
