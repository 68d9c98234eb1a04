import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.spec import duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (30, 30.0),
        (30.5, 30.5),
        (0.2, 0.2),
        ("30", 30.0),
        ("1.5", 1.5),
        ("30s", 30.0),
        ("10m", 600.0),
        ("2h", 7200.0),
        ("1d", 86_400.0),
        ("1h30m", 5400.0),
        ("1d2h3m4s", 93_784.0),
        ("1.5h", 5400.0),
        (".5m", 30.0),
        ("500ms", 0.5),
        ("1s500ms", 1.5),
        ("10us", 1e-5),
        ("10 m", 600.0),
        (" 10m ", 600.0),
        ("1h 30m", 5400.0),
        ("PT10S", 10.0),
        ("PT0.5S", 0.5),
        ("P1DT2H", 93_600.0),
        ("PT1H30M", 5400.0),
        (" P1W ", 604_800.0),
        ("365d", 31_536_000.0),
    ],
)
def test_what_is_a_duration(written: object, seconds: float) -> None:
    assert duration.seconds(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("10x", "'10x'"),
        ("", "''"),
        ("s", "'s'"),
        ("-5s", "'-5s'"),
        ("10S", "'10S'"),
        ("10 minutes", "'10 minutes'"),
        ("30m1h", "'30m1h'"),
        ("1h1h", "'1h1h'"),
        ("1e3", "'1e3'"),
        ("nan", "'nan'"),
        ("inf", "'inf'"),
        ("00:10:00", "'00:10:00'"),
        ("1 day", "'1 day'"),
        ("P", "'P'"),
        ("PT", "'PT'"),
        ("P1M", "'P1M'"),
        ("P1Y", "'P1Y'"),
        ("P-1D", "'P-1D'"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (math.nan, "nan"),
        ([], "a list"),
        ({}, "a mapping"),
    ],
)
def test_what_is_no_duration(written: object, shown: str) -> None:
    with pytest.raises(ValueError, match="is not a duration") as error:
        duration.seconds(written)
    assert str(error.value) == f"{shown} is not a duration (accepted: 30, 30s, 10m, 2h, 1d, 1h30m, ISO 8601 PT10S)"


@pytest.mark.parametrize(
    "written", [0, 0.0, "0", "0s", "0h0m", "PT0S", -5, -0.5, -math.inf, pytest.param(-(10**400), id="huge")]
)
def test_a_duration_is_longer_than_zero(written: object) -> None:
    with pytest.raises(ValueError, match=r"must be longer than zero \(accepted: 30"):
        duration.seconds(written)


@pytest.mark.parametrize(
    "written", ["366d", "P1000D", 31_536_001, math.inf, 1e300, pytest.param(10**400, id="huge"), "9" * 400]
)
def test_a_duration_is_at_most_a_year(written: object) -> None:
    with pytest.raises(ValueError, match="is too long: at most 365d"):
        duration.seconds(written)


@given(st.text() | st.text("0123456789.dhms uPTYMWD-"))
def test_any_text_is_a_duration_or_an_error(written: str) -> None:
    try:
        assert 0 < duration.seconds(written) <= duration.LONGEST_S
    except ValueError as error:
        assert "accepted" in str(error) or "at most" in str(error)
